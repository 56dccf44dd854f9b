//go:build airflow

// Package airflow_test loads specs into a real Airflow and compares what happens to
// them there with what dagwright makes of them: the DAGs' structure and the tasks'
// pods. "make airflow-check" installs that Airflow and runs it; the tag airflow keeps
// it out of the other tests.
package airflow_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/macro"
	"dagwright/podspec"
)

var update = flag.Bool("update", false, "write differences.txt again")

// The run whose pods are compared.
const runID = "manual__2026-01-31T06:00:00+00:00"

var logicalDate = time.Date(2026, 1, 31, 6, 0, 0, 0, time.UTC)

// airflowDAG is what dump.py says of a DAG, and what is compared of ours.
type airflowDAG struct {
	Loader        string                 `json:"loader"`
	Description   string                 `json:"description"`
	Schedule      schedule               `json:"schedule"`
	StartDate     string                 `json:"start_date"`
	EndDate       string                 `json:"end_date"`
	Catchup       bool                   `json:"catchup"`
	MaxActiveRuns int                    `json:"max_active_runs"`
	Paused        bool                   `json:"paused"`
	Timeout       float64                `json:"timeout"`
	Tags          []string               `json:"tags"`
	Params        map[string]param       `json:"params"`
	Tasks         map[string]airflowTask `json:"tasks"`
}

type schedule struct {
	Timetable   string  `json:"timetable"`
	Cron        string  `json:"cron"`
	Timezone    string  `json:"timezone"`
	Every       string  `json:"every"`
	Interval    float64 `json:"interval"`
	Immediately string  `json:"immediately"`
}

type param struct {
	Default any            `json:"default"`
	Schema  map[string]any `json:"schema"`
}

type airflowTask struct {
	Operator    string          `json:"operator"`
	Owner       string          `json:"owner"`
	Upstream    []string        `json:"upstream"`
	Downstream  []string        `json:"downstream"`
	TriggerRule string          `json:"trigger_rule"`
	Retries     int             `json:"retries"`
	RetryDelay  float64         `json:"retry_delay"`
	Timeout     float64         `json:"timeout"`
	Pod         json.RawMessage `json:"pod"`
	PodError    string          `json:"pod_error"`
}

// repository writes the specs of some patterns with their loaders, as the generator does,
// and returns the specs by path.
func repository(t *testing.T, patterns ...string) (dir string, specs map[string][]byte) {
	t.Helper()
	dir, specs = t.TempDir(), map[string][]byte{}
	write := func(path string, content []byte) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no specs: %s, %v", pattern, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			path := "dags/" + filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
			write(path, source)
			if filepath.Base(file) == "defaults.yaml" {
				continue
			}
			specs[path] = source
			write(generator.Loader(path))
		}
	}
	return dir, specs
}

// loaded is what Airflow has made of a repository.
type loaded struct {
	Errors map[string]string     `json:"import_errors"` // by loader
	DAGs   map[string]airflowDAG `json:"dags"`
}

// python is the interpreter of the real Airflow.
func python(t *testing.T) string {
	t.Helper()
	interpreter := os.Getenv("DAGWRIGHT_TEST_AIRFLOW")
	if interpreter == "" {
		t.Fatal(`Airflow is missing: run "make airflow-check", which installs it and sets DAGWRIGHT_TEST_AIRFLOW`)
	}
	return interpreter
}

// airflow has the real Airflow load a repository. A DAG that cannot be built is an import
// error of its file.
func airflow(t *testing.T, dir string) loaded {
	t.Helper()
	result := filepath.Join(t.TempDir(), "result.json")
	cmd := exec.CommandContext(t.Context(), python(t), "dump.py", dir, runID, logicalDate.Format(time.RFC3339), result)
	cmd.Env = append(os.Environ(), "AIRFLOW_HOME="+t.TempDir(), "AIRFLOW__CORE__LOAD_EXAMPLES=False",
		"AIRFLOW__DAG_FACTORY__STRICT_MODE=True")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-5000):])
	}
	text, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	var all loaded
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// all reports import errors and returns the DAGs.
func (l loaded) all(t *testing.T) map[string]airflowDAG {
	t.Helper()
	for file, fault := range l.Errors {
		t.Errorf("Airflow does not load %s: %s", file, fault)
	}
	return l.DAGs
}

// presets are what Airflow writes for them.
var presets = map[string]string{"@weekly": "0 0 * * 0"}

// ours describes a DAG as dump.py does.
func ours(d *dag.DAG) airflowDAG {
	iso := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return strings.Replace(at.UTC().Format("2006-01-02T15:04:05Z07:00"), "Z", "+00:00", 1)
	}
	timetables := map[dag.ScheduleKind]string{
		dag.ScheduleNone: "NullTimetable", dag.ScheduleOnce: "OnceTimetable", dag.ScheduleContinuous: "ContinuousTimetable",
		dag.ScheduleCronTrigger: "CronTriggerTimetable", dag.ScheduleCronInterval: "CronDataIntervalTimetable",
		dag.ScheduleDelta: "DeltaTriggerTimetable",
	}
	out := airflowDAG{
		Description: d.Description, StartDate: iso(d.StartDate), EndDate: iso(d.EndDate), Catchup: d.Catchup,
		MaxActiveRuns: d.MaxActiveRuns,
		Schedule: schedule{Timetable: timetables[d.Schedule.Kind], Cron: d.Schedule.Expr, Timezone: d.Schedule.Timezone,
			Interval: d.Schedule.Interval.Seconds()},
		Paused: d.PausedUponCreation, Timeout: d.RunTimeout.Seconds(), Tags: append([]string{"dagfactory"}, d.Tags...),
		Params: map[string]param{}, Tasks: map[string]airflowTask{},
	}
	const always = 100 * 365 * 24 * time.Hour
	switch s := d.Schedule; {
	case len(s.Exprs()) > 1:
		out.Schedule.Timetable = "MultipleCronTriggerTimetable"
	case s.Kind == dag.ScheduleDelta:
		out.Schedule.Every, out.Schedule.Timezone = s.Every.String(), ""
	}
	if late := d.Schedule.Late; late == always {
		out.Schedule.Immediately = "True"
	} else if late > 0 {
		out.Schedule.Immediately = dag.Delta{Duration: late}.String()
	}
	if expr, ok := presets[d.Schedule.Expr]; ok {
		out.Schedule.Cron = expr
	}
	slices.Sort(out.Tags)
	for _, p := range d.Params {
		out.Params[p.Name] = param{p.Default, p.Schema}
	}
	for _, t := range d.Tasks {
		out.Tasks[string(t.ID)] = airflowTask{
			Operator: t.Operator, Owner: t.Owner, Upstream: []string{}, Downstream: []string{},
			TriggerRule: string(t.TriggerRule),
			Retries:     t.Retries, RetryDelay: t.RetryDelay.Seconds(), Timeout: t.ExecutionTimeout.Seconds(),
		}
	}
	for _, t := range d.Tasks {
		for _, before := range t.Upstream {
			a, b := out.Tasks[string(before)], out.Tasks[string(t.ID)]
			a.Downstream, b.Upstream = append(a.Downstream, string(t.ID)), append(b.Upstream, string(before))
			out.Tasks[string(before)], out.Tasks[string(t.ID)] = a, b
		}
	}
	for id, t := range out.Tasks {
		slices.Sort(t.Upstream)
		slices.Sort(t.Downstream)
		out.Tasks[id] = t
	}
	return out
}

// normal brings numbers and empty schemas to one form.
func normal(t *testing.T, d airflowDAG) any {
	t.Helper()
	d.Loader = ""
	for name, p := range d.Params {
		if p.Schema == nil {
			p.Schema = map[string]any{}
			d.Params[name] = p
		}
	}
	for id, task := range d.Tasks {
		task.Pod, task.PodError = nil, ""
		d.Tasks[id] = task
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRealAirflow holds every DAG's structure equal to Airflow's, and the differences
// of the pods equal to those that differences.txt holds and docs/airflow.md explains.
func TestRealAirflow(t *testing.T) {
	dir, specs := repository(t, "../../testdata/golden/*.yaml", "testdata/*.yaml", "testdata/defaults/*.yaml")
	theirs := airflow(t, dir).all(t)
	seen := map[string][]string{} // by difference
	tasks, dags := 0, 0
	for _, path := range slices.Sorted(maps.Keys(specs)) {
		var defaults []dag.Defaults
		file := filepath.Dir(path) + "/defaults.yaml"
		if source, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
			defaults = append(defaults, dag.Defaults{File: file, Source: source})
		}
		parsed, err := dag.Parse(path, specs[path], defaults...)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed {
			dags++
			other, ok := theirs[string(d.ID)]
			if !ok {
				t.Errorf("Airflow has no DAG %s (%s)", d.ID, path)
				continue
			}
			for i := range d.Tasks {
				tasks++
				for _, line := range podDifferences(t, other.Tasks[string(d.Tasks[i].ID)].Pod, d, &d.Tasks[i]) {
					seen[line] = append(seen[line], string(d.ID)+"."+string(d.Tasks[i].ID))
				}
			}
			if diff := cmp.Diff(normal(t, other), normal(t, ours(d))); diff != "" {
				t.Errorf("%s (-Airflow +dagwright)\n%s", d.ID, diff)
			}
			delete(theirs, string(d.ID))
		}
	}
	for id := range theirs {
		t.Errorf("Airflow has a DAG %s that dagwright has not", id)
	}
	t.Logf("%d DAGs, %d pods", dags, tasks)
	var out strings.Builder
	for _, line := range slices.Sorted(maps.Keys(seen)) {
		where := strings.Join(seen[line], " ")
		if len(seen[line]) == tasks {
			where = "all"
		}
		fmt.Fprintf(&out, "%s\n\t(%s)\n", line, where)
	}
	const golden = "differences.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if diff := cmp.Diff(string(want), out.String()); diff != "" || err != nil {
		t.Errorf("pods differ otherwise than %s holds, %v (-want +got)\n%s", golden, err, diff)
	}
}

// TestSpecsOfPeople loads specs as people write them into Airflow: what dagwright takes as
// they do is the same there; what it warns of or refuses, and says Airflow does, fails
// there; what it refuses on its own account loads there. specs_test.go has the other half.
func TestSpecsOfPeople(t *testing.T) {
	dir, specs := repository(t, "testdata/accepted/*.yaml", "testdata/refused/*.yaml", "testdata/differences/*.yaml")
	result := airflow(t, dir)
	for path, source := range specs {
		loader, _ := generator.Loader(path)
		fault := result.Errors[loader]
		for _, d := range result.DAGs {
			for id, task := range d.Tasks {
				if d.Loader == loader && task.PodError != "" {
					fault += fmt.Sprintf("pod of %s: %s", id, task.PodError)
				}
			}
		}
		if refused := filepath.Base(filepath.Dir(path)) == "refused"; refused != (fault != "") {
			t.Errorf("%s: refused by Airflow: %q", path, fault)
		}
		if filepath.Base(filepath.Dir(path)) != "accepted" {
			continue
		}
		parsed, err := dag.Parse(path, source)
		if err != nil {
			t.Error(err)
		}
		for _, d := range parsed {
			other, ok := result.DAGs[string(d.ID)]
			if !ok {
				t.Errorf("Airflow has no DAG %s (%s)", d.ID, path)
				continue
			}
			if diff := cmp.Diff(normal(t, other), normal(t, ours(d))); diff != "" {
				t.Errorf("%s (-Airflow +dagwright)\n%s", d.ID, diff)
			}
		}
	}
}

// podDifferences compares Airflow's pod of a task with ours.
func podDifferences(t *testing.T, airflow json.RawMessage, d *dag.DAG, task *dag.Task) []string {
	t.Helper()
	run := dag.Run{DAG: d.ID, ID: runID, LogicalDate: logicalDate,
		Interval: dag.DataInterval{Start: logicalDate, End: logicalDate}, RunAfter: logicalDate}
	rendered, err := macro.New().Render(t.Context(), macro.Context{DAG: d, Run: run, Task: task, Try: 1, MaxTries: 1})
	if err != nil {
		t.Fatalf("%s.%s: %v", d.ID, task.ID, err)
	}
	pod, err := podspec.Config{Instance: "check", Namespace: "default", Policy: podspec.Policy{
		Namespaces: []string{"*"}, ServiceAccounts: []string{"*"}, Labels: []string{"*"}, Annotations: []string{"*"},
		PriorityClasses: []string{"*"}, RuntimeClasses: []string{"*"}, Schedulers: []string{"*"}, VolumeClaims: []string{"*"},
	}}.Build(podspec.Input{
		Key:  dag.AttemptKey{DAG: d.ID, Run: runID, Task: task.ID, Try: 1},
		Task: rendered, Env: rendered.Env, Source: d.Source, Version: 7,
	})
	if err != nil {
		t.Fatalf("%s.%s: %v", d.ID, task.ID, err)
	}
	own, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	a, b := leaves(t, numbered(airflow)), leaves(t, numbered(own))
	all := maps.Clone(a)
	maps.Copy(all, b)
	var lines []string
	for path := range all {
		if a[path] != b[path] {
			lines = append(lines, fmt.Sprintf("%s: Airflow %s, dagwright %s", path, shown(path, a[path]), shown(path, b[path])))
		}
	}
	return lines
}

var secretVolume = regexp.MustCompile(`secretvol(-\d+|[0-9a-f]{8}-[0-9a-f-]{27})`)

// numbered gives the volumes of secrets names by their order: Airflow's are random.
func numbered(pod []byte) []byte {
	names := map[string]string{}
	return secretVolume.ReplaceAllFunc(pod, func(name []byte) []byte {
		if names[string(name)] == "" {
			names[string(name)] = fmt.Sprintf("secret volume %d", len(names)+1)
		}
		return []byte(names[string(name)])
	})
}

// shown leaves out what is another for every task.
func shown(path, value string) string {
	switch {
	case value == "":
		return "nothing"
	case path == "metadata.name":
		return "<task and suffix>"
	case path == "metadata.annotations.dagwright/attempt":
		return "<attempt>"
	}
	return value
}

// leaves maps the paths of a JSON text's values to the values, empty ones left out.
func leaves(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	walk(out, "", v)
	return out
}

func walk(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			walk(out, strings.TrimPrefix(path+"."+name, "."), item)
		}
	case []any:
		for i, item := range v {
			index := fmt.Sprint(i)
			if m, ok := item.(map[string]any); ok && m["name"] != nil {
				index = fmt.Sprint(m["name"])
			}
			walk(out, path+"["+index+"]", item)
		}
	case nil:
	default:
		if text := fmt.Sprint(v); text != "" && text != "false" {
			out[path] = text
		}
	}
}
