package generator

import (
	"fmt"
	"path"
	"strings"

	"dagwright/dag"
)

// specData is what a template sees. Its fields are a promise to the authors of
// templates.
type specData struct {
	DAG         string
	Description string
	Schedule    string
	StartDate   string
	Timezone    string
	Owner       string
	Tags        []string
	Params      []paramData
	Tasks       []taskData
	Image       string
	Env         []dag.EnvVar
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
}

// retrainSteps are the steps of a model that names none.
var retrainSteps = []Step{{ID: "prepare_data"}, {ID: "train_model"}, {ID: "evaluate_model"}, {ID: "register_model"}}

// shortCommit is as long as GitLab's short hash (CI_COMMIT_SHORT_SHA).
func shortCommit(commit string) string { return commit[:8] }

func newSpecData(r Request, m Model, inst Instance) (specData, error) {
	name := or(r.Model, path.Base(r.Project))
	d := specData{
		StartDate: inst.StartDate, Timezone: or(m.Timezone, inst.Timezone),
		Owner: or(m.Owner, strings.Split(r.Project, "/")[0]), Tags: tagsOf(r.Kind, name),
		Resources: resourceData(m.Resources),
		Project:   r.Project, Branch: r.Branch, Commit: r.Commit, ShortCommit: shortCommit(r.Commit),
	}
	var err error
	if d.Image, err = image(r, m, inst); err != nil {
		return d, err
	}
	switch r.Kind {
	case Scoring:
		d.Description, d.Schedule = "Scoring of "+name, or(m.Scoring.Schedule, inst.ScoringSchedule)
		d.Tasks = scoringTasks(r, m)
	case Retrain:
		d.Description, d.Schedule = "Retraining of "+name, or(m.Retrain.Schedule, inst.RetrainSchedule)
		d.Tasks = retrainTasks(r, m)
	}
	d.Env = append(d.Env, dag.EnvVar{Name: "LOGICAL_DATE", Value: "{{ ds }}"})
	for _, p := range m.Params {
		d.Params = append(d.Params, paramData{p.Name, paramValue(p)})
		d.Env = append(d.Env, dag.EnvVar{Name: p.Name, Value: paramTemplate(p)})
	}
	d.Env = append(append(d.Env, m.Env...), dag.EnvVar{Name: "DAG_RUN_CONF", Value: "{{ dag_run.conf | tojson }}"})
	return d, nil
}

// tagsOf are the kind and the model's name. A model that is named as a kind must not
// pass for one.
func tagsOf(kind Kind, name string) []string {
	if name == string(Scoring) || name == string(Retrain) {
		return []string{string(kind)}
	}
	return []string{string(kind), name}
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

func scoringTasks(r Request, m Model) []taskData {
	command := m.Scoring.Command
	if len(command) == 0 {
		command = []string{"python", path.Join(r.ModelPath, "main.py")}
	}
	return []taskData{{ID: "run_model", Command: command}}
}

// retrainTasks chains the steps.
func retrainTasks(r Request, m Model) []taskData {
	steps := m.Retrain.Steps
	if len(steps) == 0 {
		steps = retrainSteps
	}
	tasks := make([]taskData, len(steps))
	for i, s := range steps {
		tasks[i] = taskData{ID: string(s.ID), Command: s.Command}
		if len(s.Command) == 0 {
			tasks[i].Command = []string{"python", path.Join(r.ModelPath, "retrain.py"), string(s.ID)}
		}
		if i > 0 {
			tasks[i].After = []string{string(steps[i-1].ID)}
		}
	}
	return tasks
}

// image fills the placeholders of the model's image or the instance's.
func image(r Request, m Model, inst Instance) (string, error) {
	format := or(m.Image, strings.ReplaceAll(inst.ImageFormat, "{registry}", inst.Registry))
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
// text is not a date, so a missing one is null there.
func paramValue(p dag.Param) any {
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
