package generator_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/templates"
)

var update = flag.Bool("update", false, "write the golden files again")

const commit = "3f2a9c1d0b5e47a6c8d9e0f1a2b3c4d5e6f70819"

func loadTemplates(tb testing.TB) *templates.Set {
	tb.Helper()
	set, err := templates.Load(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func request(project string, kind generator.Kind) generator.Request {
	branch := "main"
	if kind == generator.Retrain {
		branch = "retrain"
	}
	return generator.Request{Project: project, ProjectID: 7, Branch: branch, Commit: commit, Kind: kind}
}

// TestGolden holds the bytes of the specs: those of the example models, of a
// model that uses everything, and of one with nothing but main.py.
func TestGolden(t *testing.T) {
	t.Parallel()
	set := loadTemplates(t)
	for project, source := range map[string]string{
		"gbc/risk/churn-model": readModel(t, "churn-model"),
		"gbc/risk/fraud-model": readModel(t, "fraud-model"),
		"gbc/full-model":       fullModel,
		"gbc/bare-model":       "",
	} {
		m, err := generator.ParseModel(".dagwright.yml", []byte(source), generator.DefaultInstance())
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []generator.Kind{generator.Scoring, generator.Retrain} {
			got, err := generator.Render(request(project, kind), m, set, generator.DefaultInstance())
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("..", "testdata", "golden", string(got.DAG)+".yaml"), got.Content)
		}
	}
}

func readModel(t *testing.T, name string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "testdata", "models", name, ".dagwright.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it again:\n%s", file, diff)
	}
}

func TestRenderIsPure(t *testing.T) {
	t.Parallel()
	set := loadTemplates(t)
	m, err := generator.ParseModel(".dagwright.yml", []byte(fullModel), generator.DefaultInstance())
	if err != nil {
		t.Fatal(err)
	}
	first, err := generator.Render(request("gbc/churn-model", generator.Scoring), m, set, generator.DefaultInstance())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		again, err := generator.Render(request("gbc/churn-model", generator.Scoring), m, set, generator.DefaultInstance())
		if err != nil || !bytes.Equal(first.Content, again.Content) {
			t.Fatalf("rendered other bytes, %v:\n%s", err, cmp.Diff(string(first.Content), string(again.Content)))
		}
	}
}

// TestRenderDefaults holds what a repository with nothing but main.py becomes.
func TestRenderDefaults(t *testing.T) {
	t.Parallel()
	d := renderAndParse(t, request("gbc/risk/churn-model", generator.Retrain), generator.Model{})
	if d.ID != "churn-model-retrain" || d.Owner != "gbc" || d.Timezone != "UTC" || d.Schedule.Expr != "0 3 1 * *" ||
		!d.PausedUponCreation || d.Catchup || d.MaxActiveRuns != 1 {
		t.Errorf("DAG %+v", d)
	}
	var steps []string
	for _, task := range d.Tasks {
		steps = append(steps, fmt.Sprintf("%s%v%v", task.ID, task.Cmds, task.Upstream))
	}
	want := []string{
		"prepare_data[python retrain.py prepare_data][]", "train_model[python retrain.py train_model][prepare_data]",
		"evaluate_model[python retrain.py evaluate_model][train_model]",
		"register_model[python retrain.py register_model][evaluate_model]",
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if want := "registry.example.com/gbc/risk/churn-model:3f2a9c1d"; d.Tasks[0].Image != want {
		t.Errorf("image %s, want %s", d.Tasks[0].Image, want)
	}
}

func renderAndParse(tb testing.TB, r generator.Request, m generator.Model) *dag.DAG {
	tb.Helper()
	got, err := generator.Render(r, m, loadTemplates(tb), generator.DefaultInstance())
	if err != nil {
		tb.Fatal(err)
	}
	dags, err := dag.Parse(got.Path, got.Content)
	if err != nil {
		tb.Fatal(err)
	}
	return dags[0]
}

func TestPathsAndImages(t *testing.T) {
	t.Parallel()
	set := loadTemplates(t)
	for _, tt := range []struct {
		project, branch, image string
		kind                   generator.Kind
		id, path, want         string
	}{
		{"gbc/x", "main", "", generator.Scoring, "x", "dags/gbc/x.yaml", "registry.example.com/gbc/x:3f2a9c1d"},
		{"gbc/a/b/x", "retrain", "", generator.Retrain, "x-retrain", "dags/gbc/a/b/x-retrain.yaml",
			"registry.example.com/gbc/a/b/x:3f2a9c1d"},
		// These two have one id; the store lets only the first have it.
		{"gbc/a/b/x-retrain", "main", "", generator.Scoring, "x-retrain", "dags/gbc/a/b/x-retrain.yaml",
			"registry.example.com/gbc/a/b/x-retrain:3f2a9c1d"},
		{"Gbc/My.Model_1", "feature/New_Loss", "r.example.com/{project}:{branch}-{sha}", generator.Scoring, "My.Model_1",
			"dags/Gbc/My.Model_1.yaml", "r.example.com/gbc/my.model_1:feature-new-loss-" + commit},
	} {
		m := generator.Model{Settings: taskSettings(generator.TaskSettings{Image: tt.image})}
		got, err := generator.Render(generator.Request{Project: tt.project, Branch: tt.branch, Commit: commit, Kind: tt.kind},
			m, set, generator.DefaultInstance())
		if err != nil {
			t.Errorf("%s: %v", tt.project, err)
			continue
		}
		if string(got.DAG) != tt.id || got.Path != tt.path || !strings.Contains(string(got.Content), `image: "`+tt.want+`"`) {
			t.Errorf("%s: DAG %s, path %s, want %s, %s, image %s in\n%s", tt.project, got.DAG, got.Path, tt.id, tt.path, tt.want,
				got.Content)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	set := loadTemplates(t)
	good := request("gbc/x", generator.Scoring)
	for name, change := range map[string]func(*generator.Request){
		"no group":       func(r *generator.Request) { r.Project = "x" },
		"no project":     func(r *generator.Request) { r.Project = "" },
		"parent folder":  func(r *generator.Request) { r.Project = "gbc/../x" },
		"dots":           func(r *generator.Request) { r.Project = "gbc/..." },
		"absolute":       func(r *generator.Request) { r.Project = "/gbc/x" },
		"git folder":     func(r *generator.Request) { r.Project = "gbc/.git/x" },
		"escape":         func(r *generator.Request) { r.Project = "gbc/%2Fx" },
		"unicode":        func(r *generator.Request) { r.Project = "gbc/модель" },
		"line break":     func(r *generator.Request) { r.Project = "gbc/x\nevil: 1" },
		"long project":   func(r *generator.Request) { r.Project = "gbc/" + strings.Repeat("x", 5000) },
		"long id":        func(r *generator.Request) { r.Project = "gbc/" + strings.Repeat("x", 251) },
		"short commit":   func(r *generator.Request) { r.Commit = "3f2a9c1" },
		"strange commit": func(r *generator.Request) { r.Commit = strings.Repeat("$", 40) },
		"no branch":      func(r *generator.Request) { r.Branch = "" },
		"strange branch": func(r *generator.Request) { r.Branch = "a\nb" },
		"kind":           func(r *generator.Request) { r.Kind = "serving" },
	} {
		r := good
		change(&r)
		_, err := generator.Render(r, generator.Model{}, set, generator.DefaultInstance())
		if !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%s: error %v, want dag.ErrInvalid", name, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

func TestBrokenTemplates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, want string }{
		"missing field": {"[[ toYaml .DAG ]]:\n  owner: [[ .Nope ]]", "x.yaml.tmpl:2: "},
		"no YAML":       {"a: [", "template x.yaml.tmpl"},
		"unknown key":   {"[[ toYaml .DAG ]]:\n  shedule: none\n", `dags/gbc/x.yaml:2:3: x.shedule: `},
		"other DAG":     {strings.ReplaceAll(spec, "NAME", "y"), "x.yaml.tmpl: it must define the DAG x and no other"},
		"two DAGs": {strings.ReplaceAll(spec, "NAME", "x") + strings.ReplaceAll(spec, "NAME", "y"),
			"it must define the DAG x and no other"},
		"no source": {strings.ReplaceAll(spec, "NAME", "x"), "must have the annotations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := templates.Load(fstest.MapFS{"x.yaml.tmpl": {Data: []byte(tt.source)}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = generator.Render(request("gbc/x", generator.Scoring), generator.Model{}, set, generator.DefaultInstance())
			if !errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

const spec = `NAME:
  tasks:
    - task_id: a
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: a
`

func TestScheduleIsChecked(t *testing.T) {
	t.Parallel()
	inst := generator.DefaultInstance()
	inst.CheckSchedule = func(s dag.Schedule) error {
		if s.Expr != "0 6 * * *" {
			return fmt.Errorf("wrong minute: %w", dag.ErrInvalid)
		}
		return nil
	}
	for schedule, ok := range map[string]bool{"": true, "none": true, "60 * * * *": false} {
		m := generator.Model{Scoring: generator.ScoringModel{Schedule: schedule}}
		_, err := generator.Render(request("gbc/x", generator.Scoring), m, loadTemplates(t), inst)
		if (err == nil) != ok || err != nil &&
			(!errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), "wrong minute")) {
			t.Errorf("schedule %q: %v", schedule, err)
		}
	}
}

// FuzzRender puts a hostile text into every field of a model that takes free
// text. What is read back from the spec must be the same text in the same field,
// and nothing else may have changed.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"plain", "", `"`, `'`, "a\nb: c", "\n  tasks: []", "{{ ds }}", "[[ .Commit ]]", "]]", "#", ": ", "- a", "&a", "*a",
		"!!str", "%", "@", "`",
		"$HOME", "${HOME}", "\\", "\t", "é", "\u0085", "\u2028", "\ufeff", "🎉", "no", "null", "~", "1e3", "012", "0x1",
		"12:30:00", "<<", "---", "{% raw %}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
		if len(s) > 5000 {
			return
		}
		m := generator.Model{
			Owner:    "o" + s,
			Settings: taskSettings(generator.TaskSettings{Env: []dag.EnvVar{{Name: "HOSTILE", Value: s}}}),
			Params: []dag.Param{{Name: "PLAIN", Default: s},
				{Name: "WITH_SCHEMA", Default: "p" + s, Description: "d" + s,
					Schema: map[string]any{"type": "string", "title": s, "enum": []any{s, "p" + s}}}},
			Scoring: generator.ScoringModel{Command: []string{"python", s}},
		}
		r := request("gbc/risk/churn-model", generator.Scoring)
		d := renderAndParse(t, r, m)
		calm := renderAndParse(t, r, generator.Model{
			Owner: "o", Settings: taskSettings(generator.TaskSettings{Env: []dag.EnvVar{{Name: "HOSTILE"}}}),
			Scoring: generator.ScoringModel{Command: []string{"python", ""}},
			Params: []dag.Param{{Name: "PLAIN", Default: ""},
				{Name: "WITH_SCHEMA", Default: "p", Description: "d",
					Schema: map[string]any{"type": "string", "title": "", "enum": []any{"", "p"}}}},
		})
		want := *calm
		want.Owner = m.Owner
		want.Params = m.Params
		want.Tasks = append([]dag.Task(nil), calm.Tasks...)
		task := &want.Tasks[0]
		task.Cmds, task.Owner = m.Scoring.Command, m.Owner
		task.Env = append([]dag.EnvVar(nil), task.Env...)
		for i := range task.Env {
			if task.Env[i].Name == "HOSTILE" {
				task.Env[i].Value = s
			}
		}
		if diff := cmp.Diff(&want, d); diff != "" {
			t.Errorf("%q changed more than its fields (-want +got):\n%s", s, diff)
		}
	})
}

func taskSettings(t generator.TaskSettings) generator.Settings {
	return generator.Settings{TaskSettings: t}
}

func BenchmarkRender(b *testing.B) {
	set := loadTemplates(b)
	m, err := generator.ParseModel(".dagwright.yml", []byte(fullModel), generator.DefaultInstance())
	if err != nil {
		b.Fatal(err)
	}
	r := request("gbc/risk/churn-model", generator.Scoring)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := generator.Render(r, m, set, generator.DefaultInstance()); err != nil {
			b.Fatal(err)
		}
	}
}
