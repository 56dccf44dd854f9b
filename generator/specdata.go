package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"dagwright/dag"
)

// specData is what a template sees. Its fields are a promise to the authors of
// templates.
type specData struct {
	DAG         string
	Description string
	// DocMD is empty when the model names no file.
	DocMD    string
	Schedule string
	// Timetable is an object in place of Schedule, nil where Schedule says all.
	Timetable     any
	StartDate     string
	Timezone      string
	Catchup       bool
	MaxActiveRuns int
	// RunTimeout is a datetime.timedelta in dag-factory's form, nil for no limit.
	RunTimeout any
	Owner      string
	Tags       []string
	Params     []paramData
	// Retries, RetryDelay (in seconds) and Timeout (as RunTimeout is) are those of a task
	// that says nothing of its own.
	Retries    int
	RetryDelay int64
	Timeout    any
	Tasks      []taskData
	// Image, Env and Resources are those of a task that says nothing of its own.
	Image string
	Env   []dag.EnvVar
	// Resources is nil when the model names none.
	Resources map[string]any

	Project     string
	Branch      string
	Commit      string
	ShortCommit string
	// Template names the template and its digest.
	Template string
}

// paramData is one param: Value is a plain default or an airflow.sdk.Param.
type paramData struct {
	Name  string
	Value any
}

// taskData is one task; After lists the ids of those that come before it.
type taskData struct {
	ID      string
	Command []string
	After   []string
	// Image, Env and Resources are as those of the DAG, with what the task says of its own.
	Image     string
	Env       []dag.EnvVar
	Resources map[string]any
	// Arguments are further ones of the operator, by name.
	Arguments []argumentData
	// Annotations stand beside dagwright's own.
	Annotations []argumentData

	// said is where the model's file says what an argument holds, by its path in the task.
	said map[string]Said
}

// argumentData is one argument of the operator, or one annotation.
type argumentData struct {
	Name  string
	Value any
}

// retrainSteps are the steps of a model that names none.
var retrainSteps = []Step{{ID: "prepare_data"}, {ID: "train_model"}, {ID: "evaluate_model"}, {ID: "register_model"}}

// shortCommit is as long as GitLab's short hash (CI_COMMIT_SHORT_SHA).
func shortCommit(commit string) string { return commit[:8] }

func newSpecData(r Request, m Model, inst Instance) (specData, error) {
	name, all := or(r.Model, path.Base(r.Project)), inst.kind(m, r.Kind)
	d := specData{
		Description: all.Description, DocMD: r.Docs, StartDate: or(all.StartDate, inst.StartDate),
		Timezone: or(m.Timezone, inst.Timezone), Catchup: all.Catchup != nil && *all.Catchup,
		MaxActiveRuns: all.MaxActiveRuns, RunTimeout: all.RunTimeout.timedelta(),
		Owner: or(m.Owner, strings.Split(r.Project, "/")[0]), Tags: tagsOf(r.Kind, name, all.Tags),
		Retries: *all.Retries, RetryDelay: all.RetryDelay.seconds(), Timeout: all.Timeout.timedelta(),
		Resources: resourceData(inst.resources(all.TaskSettings)),
		Project:   r.Project, Branch: r.Branch, Commit: r.Commit, ShortCommit: shortCommit(r.Commit),
	}
	var err error
	if d.Image, err = image(r, all.Image, inst); err != nil {
		return d, err
	}
	d.Env = environment(m, all.Env)
	steps := []Step{scoringStep(r, m)}
	switch r.Kind {
	case Scoring:
		d.Description, d.Schedule = or(d.Description, "Scoring of "+name), or(m.Scoring.Schedule, inst.ScoringSchedule)
	case Retrain:
		d.Description, d.Schedule = or(d.Description, "Retraining of "+name), or(m.Retrain.Schedule, inst.RetrainSchedule)
		steps = retrainStepsOf(r, m)
	}
	byItself := d.Schedule != "none"
	for _, p := range m.Params {
		d.Params = append(d.Params, paramData{p.Name, paramValue(p, byItself)})
	}
	d.Schedule, d.Timetable = timetable(d.Schedule, d.Timezone)
	for i, step := range steps {
		t, err := newTaskData(r, m, inst, all, step)
		if err != nil {
			return d, err
		}
		t.After = after(steps, i)
		d.Tasks = append(d.Tasks, t)
	}
	return d, nil
}

// timetable is the object that several cron expressions need, nil for any other schedule. The
// text is then one that no template takes for a schedule.
func timetable(schedule, zone string) (text string, object any) {
	expressions := strings.Split(schedule, "\n")
	if len(expressions) == 1 {
		return schedule, nil
	}
	return strings.Join(expressions, ", "), map[string]any{
		"__type__": "airflow.sdk.MultipleCronTriggerTimetable", "__args__": expressions, "timezone": zone,
	}
}

// newTaskData lays what a step says over what counts for the whole DAG.
func newTaskData(r Request, m Model, inst Instance, all Settings, s Step) (taskData, error) {
	own := inst.over(all.TaskSettings, s.TaskSettings)
	t := taskData{ID: string(s.ID), Command: s.Command, Env: environment(m, own.Env),
		Resources: resourceData(inst.resources(own))}
	var err error
	if t.Image, err = image(r, own.Image, inst); err != nil {
		return t, err
	}
	if err := inst.checkSecrets(r.Project, own); err != nil {
		return t, err
	}
	a := newArguments(own)
	a.tries(all.TaskSettings, own)
	if s.TriggerRule != "" {
		a.values["trigger_rule"] = string(s.TriggerRule)
	}
	a.profile(inst.Offers.Profiles[own.Profile])
	a.secrets(own)
	a.volumes(own, inst.Offers.Volumes, r.Project)
	a.pod(own)
	t.Arguments, t.Annotations, t.said = a.lists()
	return t, nil
}

// environment is that of a task's container: what is its own stands between the params and
// the run's conf.
func environment(m Model, own []dag.EnvVar) []dag.EnvVar {
	env := []dag.EnvVar{{Name: "LOGICAL_DATE", Value: "{{ ds }}"}}
	for _, p := range m.Params {
		env = append(env, dag.EnvVar{Name: p.Name, Value: paramTemplate(p)})
	}
	return append(append(env, own...), dag.EnvVar{Name: "DAG_RUN_CONF", Value: "{{ dag_run.conf | tojson }}"})
}

// tagsOf are the kind, the model's name and its own tags. A model that is named as a kind
// must not pass for one.
func tagsOf(kind Kind, name string, own []string) []string {
	tags := []string{string(kind)}
	if name != string(Scoring) && name != string(Retrain) {
		tags = append(tags, name)
	}
	for _, tag := range own {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

func scoringStep(r Request, m Model) Step {
	s := Step{ID: "run_model", Command: m.Scoring.Command}
	if len(s.Command) == 0 {
		s.Command = []string{"python", path.Join(r.ModelPath, "main.py")}
	}
	return s
}

// retrainStepsOf are the model's steps, each with its command.
func retrainStepsOf(r Request, m Model) []Step {
	steps := slices.Clone(m.Retrain.Steps)
	if len(steps) == 0 {
		steps = slices.Clone(retrainSteps)
	}
	for i, s := range steps {
		if len(s.Command) == 0 {
			steps[i].Command = []string{"python", path.Join(r.ModelPath, "retrain.py"), string(s.ID)}
		}
	}
	return steps
}

// image fills the placeholders of an image's name, the instance's when it is empty. A project's
// path is one in the instance's registry.
func image(r Request, format string, inst Instance) (string, error) {
	format = or(format, strings.ReplaceAll(inst.ImageFormat, "{registry}", inst.Registry))
	if strings.HasPrefix(format, "{project}") {
		format = inst.Registry + "/" + format
	}
	if err := checkImageFormat(format); err != nil {
		return "", fmt.Errorf("image %.80q: %w: %w", format, err, dag.ErrInvalid)
	}
	out := strings.NewReplacer(
		"{short_sha}", shortCommit(r.Commit), "{sha}", r.Commit,
		// A registry takes lower case only, and a tag no slash, as GitLab's
		// CI_REGISTRY_IMAGE and CI_COMMIT_REF_SLUG.
		"{branch}", slug(r.Branch), "{project}", strings.ToLower(r.Project),
	).Replace(format)
	return out, nil
}

// slug is GitLab's CI_COMMIT_REF_SLUG: lower case, at most 63 of a-z, 0-9 and -.
func slug(branch string) string {
	s := strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(branch))
	return strings.Trim(s[:min(len(s), 63)], "-")
}

func resourceData(r Resources) map[string]any {
	out := map[string]any{}
	if len(r.Requests) > 0 {
		out["requests"] = r.Requests
	}
	if len(r.Limits) > 0 {
		out["limits"] = r.Limits
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// mayBeMissing reports whether a param is a text whose empty default stands for
// "not given".
func mayBeMissing(p dag.Param) bool {
	return p.Schema["type"] == "string" && p.Default == ""
}

// paramValue is what stands in the spec: the default, or Airflow's Param where
// there is a schema. Airflow checks a default against the schema, and an empty
// text is not a date, so a missing one is null there. A param that the model gives no
// default has none either where the DAG does not run by itself: whoever triggers it must
// give a value.
func paramValue(p dag.Param, byItself bool) any {
	if p.Schema == nil {
		return p.Default
	}
	out := map[string]any{"__type__": "airflow.sdk.Param", "default": p.Default}
	for k, v := range p.Schema {
		out[k] = v
	}
	if p.Description != "" {
		out["description"] = p.Description
	}
	if p.NoDefault && !byItself {
		delete(out, "default")
		return out
	}
	if mayBeMissing(p) {
		out["default"] = nil
		out["type"] = []any{"null", "string"}
	}
	if enum, ok := p.Schema["enum"].([]any); ok && mayBeMissing(p) {
		out["enum"] = append([]any{nil}, enum...)
	}
	return out
}

// paramTemplate is how a param becomes an environment variable: a text as it
// is, everything else as JSON, as the conf does.
func paramTemplate(p dag.Param) string {
	value := fmt.Sprintf("dag_run.conf.get('%s', params.%s)", p.Name, p.Name)
	kind, _ := p.Schema["type"].(string)
	if kind == "" {
		kind = typeOf(p.Default)
	}
	switch {
	case mayBeMissing(p):
		return "{{ " + value + " or '' }}"
	case kind == "string":
		return "{{ " + value + " }}"
	}
	return "{{ " + value + " | tojson }}"
}
