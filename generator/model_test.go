package generator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dagwright/dag"
	"dagwright/generator"
)

const fullModel = `owner: risk-team
image: registry.example.com/gbc/churn:{branch}-{sha}
timezone: Europe/Moscow
env: {MODEL_NAME: churn, RATE: 0.50, DEBUG: true, PYTHONUNBUFFERED: 1, DATE: 2026-01-31}
resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi, nvidia.com/gpu: 1}}
params:
  SCORING_DATE: {type: string, format: date, description: Score this date, default: ""}
  THRESHOLD: {type: number, minimum: 0, maximum: 1, default: 0.5}
  SEGMENT: {enum: [retail, sme], default: retail}
  LIMIT: 10
  NOTE:
scoring: {schedule: "0 6 * * *", command: [python, main.py, 1]}
retrain:
  schedule: none
  tasks:
    - {task_id: prepare_data, command: [python, retrain.py, prepare_data]}
    - {task_id: train_model}
models: []
`

func TestParseModel(t *testing.T) {
	t.Parallel()
	want := generator.Model{
		Owner: "risk-team", OwnerAt: generator.Place{Line: 1, Column: 8},
		Timezone: "Europe/Moscow",
		Settings: generator.Settings{TaskSettings: generator.TaskSettings{
			Image: "registry.example.com/gbc/churn:{branch}-{sha}",
			Env: []dag.EnvVar{
				{Name: "MODEL_NAME", Value: "churn"}, {Name: "RATE", Value: "0.50"}, {Name: "DEBUG", Value: "true"},
				{Name: "PYTHONUNBUFFERED", Value: "1"}, {Name: "DATE", Value: "2026-01-31"},
			},
			Resources: generator.Resources{
				Requests: map[string]string{"cpu": "500m", "memory": "1Gi"},
				Limits:   map[string]string{"memory": "2Gi", "nvidia.com/gpu": "1"},
			},
		}},
		Params: []dag.Param{
			{Name: "SCORING_DATE", Default: "", Description: "Score this date",
				Schema: map[string]any{"type": "string", "format": "date"}},
			{Name: "THRESHOLD", Default: 0.5,
				Schema: map[string]any{"type": "number", "minimum": int64(0), "maximum": int64(1)}},
			{Name: "SEGMENT", Default: "retail", Schema: map[string]any{"type": "string", "enum": []any{"retail", "sme"}}},
			{Name: "LIMIT", Default: int64(10)},
			{Name: "NOTE", Default: ""},
		},
		Scoring: generator.ScoringModel{Schedule: "0 6 * * *", Command: []string{"python", "main.py", "1"}},
		Retrain: generator.RetrainModel{Schedule: "none", Steps: []generator.Step{
			{ID: "prepare_data", Command: []string{"python", "retrain.py", "prepare_data"}}, {ID: "train_model"},
		}},
	}
	got, err := generator.ParseModel(".dagwright.yml", []byte(fullModel), generator.DefaultInstance())
	if err != nil {
		t.Fatal(err)
	}
	if said := got.Said["env.RATE"]; said.Line != 4 || said.Path != "env.RATE" {
		t.Errorf("env.RATE is said at %+v", said)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(generator.TaskSettings{}, "Said")); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}

func TestParseModelThatSaysNothing(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"", "# nothing\n", "---\n", "null\n", "{}\n", "owner:\n"} {
		got, err := generator.ParseModel(".dagwright.yml", []byte(source), generator.DefaultInstance())
		if source == "owner:\n" {
			// A key without a value is more likely a slip than a wish.
			if err == nil {
				t.Errorf("%q: no error", source)
			}
			continue
		}
		if diff := cmp.Diff(generator.Model{}, got); err != nil || diff != "" {
			t.Errorf("%q: %v, %s", source, err, diff)
		}
	}
}

func TestParseModelFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, source, want string }{
		{"unknown key", "onwer: a", `.dagwright.yml:1:1: onwer: unknown key; did you mean "owner"?`},
		{"unknown key inside", "scoring:\n  schedul: x",
			`.dagwright.yml:2:3: scoring.schedul: unknown key; did you mean "schedule"?`},
		{"key of Airflow", "service_account_name: admin",
			".dagwright.yml:1:1: service_account_name: unknown key; there are catchup, description, docs, env, image, max_active_runs, models, owner"},
		{"a merge key", "a: &a {b: 1}\nscoring: {<<: *a}",
			".dagwright.yml:2:11: scoring: a key must be a plain text; merge keys (<<) are not read in this file: write the values out"},
		{"a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
			".dagwright.yml:1:1: is a pointer of Git LFS and not the file itself"},
		{"a non-breaking space", "\u00a0", ".dagwright.yml:1:1: there is a non-breaking space (U+00A0): write a plain space"},
		{"one after a colon", "owner:\u00a0risk\n", ".dagwright.yml:1:7: there is a non-breaking space (U+00A0)"},
		{"one as indentation", "scoring:\n\u00a0\u00a0schedule: none\n", ".dagwright.yml:2:1: there is a non-breaking space"},
		{"an invisible character", "own\u200ber: risk\n", ".dagwright.yml:1:4: there is an invisible character (U+200B)"},
		{"twice", "owner: a\nowner: b", ".dagwright.yml:2:1: owner: is there twice; first in line 1"},
		{"not YAML", "owner: a\n b: [", ".dagwright.yml:2: not YAML: "},
		{"not YAML behind other lines", "scoring:\n  schedule: \"0 8 * * *\"\n command: [python",
			".dagwright.yml:3: not YAML: did not find expected key"},
		{"not YAML in the first line", "owner: @a\ntimezone: UTC", ".dagwright.yml:1: not YAML: found character"},
		{"two documents", "owner: a\n---\nowner: b", "more than one document"},
		{"a list", "- a", ".dagwright.yml:1:1: must be a mapping, not a list"},
		{"merge key", "a: &a {owner: b}\n<<: *a", ".dagwright.yml:2:1: a key must be a plain text"},
		{"python tag", "owner: !!python/object/apply:os.system [ls]",
			`the tag "!!python/object/apply:os.system" is not supported`},
		{"owner", "owner: [a]", ".dagwright.yml:1:8: owner: must be a text, not a list"},
		{"owner of two lines", "owner: \"a\\nb\"", "has a character that cannot be shown"},
		{"timezone", "timezone: Europe/Moskau", `.dagwright.yml:1:11: timezone: there is no time zone "Europe/Moskau"`},
		{"local zone", "timezone: Local", "is not a time zone"},
		{"image placeholder", "image: a/b:{tag}", `.dagwright.yml:1:8: image: unknown placeholder "{tag}"`},
		{"image with Jinja", `image: "a/b:{{ params.x }}"`, "image: "},
		{"image with a space", `image: "a b"`, "is not an image"},
		{"env name", "env: {1A: x}", ".dagwright.yml:1:7: env.1A: is not a name for an environment variable"},
		{"env reserved", "env: {AIRFLOW_CTX_DAG_ID: x}", "is reserved"},
		{"env list", "env: {A: [1]}", "env.A: must be a text, not a list"},
		{"env null", "env: {A: }", "env.A: must be a text, not nothing"},
		{"quantity", "resources: {limits: {memory: lots}}",
			".dagwright.yml:1:30: resources.limits.memory: is not a quantity"},
		{"resource", "resources: {limits: {'a b': 1}}", "is not a resource"},
		{"request above its limit", "resources:\n  requests: {cpu: 1, memory: 4Gi}\n  limits: {memory: 1Gi, cpu: 1000m}",
			".dagwright.yml:2:30: resources.requests.memory: requests 4Gi of memory, but its limit is 1Gi; a request must not be above its limit"},
		{"type", "params: {A: {default: x, type: lots}}", `there is no type "lots"; there are array, `},
		{"command as text", "scoring: {command: python main.py}", "must be a list, such as [python, main.py]"},
		{"empty command", "scoring: {command: []}", "is empty; want a command"},
		{"task without id", "retrain: {tasks: [{command: [a]}]}",
			".dagwright.yml:1:19: retrain.tasks[0]: task_id is missing"},
		{"task twice", "retrain: {tasks: [{task_id: a}, {task_id: a}]}", `retrain.tasks[1]: task_id "a" is there twice`},
		{"task id", "retrain: {tasks: [{task_id: ../a}]}",
			"retrain.tasks[0].task_id: id \"../a\" has a character that is not allowed"},
		{"no task", "retrain: {tasks: []}", "want at least one task"},
		{"param name", "params: {LD_PRELOAD: x}", "params.LD_PRELOAD: cannot be the name of a param"},
		{"param with a quote", `params: {"a') }}": x}`, "cannot be the name of a param"},
		{"param key", "params: {A: {typ: string}}", `params.A.typ: unknown key; did you mean "type"?`},
		{"param type", "params: {A: {type: date}}", `params.A.type: there is no type "date"`},
		{"param default", "params: {A: {type: integer, default: x}}",
			".dagwright.yml:1:38: params.A.default: the default does not fit: "},
		{"param range", "params: {A: {minimum: 5, default: 3}}", "the number must be at least 5"},
		{"param pattern", "params: {A: {pattern: '['}}",
			".dagwright.yml:1:23: params.A.pattern: the pattern is not understood"},
		{"param items", "params: {A: {type: array, items: {type: text}}}",
			`.dagwright.yml:1:34: params.A.items: unknown type "text"`},
		{"param that is required", "params: {A: {required: true}}",
			".dagwright.yml:1:24: params.A.required: the keyword required must be a list of names"},
		{"param default and items", "params: {A: {type: array, items: {type: integer}, default: [x]}}",
			".dagwright.yml:1:60: params.A.default: the default does not fit: "},
		{"param and env", "params: {A: 1}\nenv: {A: 2}", ".dagwright.yml:1:13: params.A: is in env, too"},
		{"model without name", "models: [{path: a}]", ".dagwright.yml:1:10: models[0]: name is missing"},
		{"model twice", "models: [{name: a}, {name: a}]", `.dagwright.yml:1:21: models[1]: the name "a" is there twice`},
		{"model named as another's retraining", "models: [{name: a}, {name: a-retrain}]",
			`the name "a-retrain" is there twice`},
		{"model at an absolute path", "models: [{name: a, path: /etc}]",
			".dagwright.yml:1:26: models[0].path: is not a path within the repository"},
		{"model named like a flag", "models: [{name: -a}]",
			".dagwright.yml:1:17: models[0].name: begins with -, which commands take for a flag"},
		{"model outside", "models: [{name: a, path: ../x}]",
			".dagwright.yml:1:26: models[0].path: is not a path within the repository"},
		{"fault of a model", "models: [{name: a}, {name: b, onwer: x}]",
			`.dagwright.yml:1:31: models[1].onwer: unknown key; did you mean "owner"?`},
		{"param of all and env of one", "params: {A: 1}\nmodels: [{name: a, env: {A: 2}}]",
			".dagwright.yml:1:13: params.A: is in env, too"},
		{"wait for what", "wait_for: godot", ".dagwright.yml:1:11: wait_for: want pipeline, image or none"},
		{"all of them", "onwer: a\ntimezone: x\nscoring: 1\n", ".dagwright.yml:3:10: scoring: must be a mapping"},
		{"deep", strings.Repeat("[", 100) + strings.Repeat("]", 100),
			".dagwright.yml:1:18: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested deeper than 16 levels"},
		{"very deep", "owner: a\nmodels: " + strings.Repeat("[", 200_000), ".dagwright.yml:2: nested deeper than 16 levels"},
		{"deep mappings", strings.Repeat("{a: ", 60_000), ".dagwright.yml:1: nested deeper than 16 levels"},
		{"many", "models: [" + strings.Repeat("a, ", 30_000) + "]", "more than 10000 values"},
		{"aliases", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]",
			"more than 10000 values"},
		{"alias of itself", "a: &a [*a]", ".dagwright.yml:1"},
		{"long key", strings.Repeat("x", 300) + ": a", "has more than 250 bytes"},
		{"large", strings.Repeat("#", 300<<10), "262144 at most"},
		{"no UTF-8", "owner: \xff\xfe", "not YAML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := generator.ParseModel(".dagwright.yml", []byte(tt.source), generator.DefaultInstance())
			if err == nil {
				t.Fatal("no error")
			}
			if !errors.Is(err, dag.ErrInvalid) {
				t.Errorf("%v is not dag.ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %.500q does not say %q", err, tt.want)
			}
		})
	}
}

// TestParseModelChecksSchedules wants a wrong cron expression at its place in the
// model's file, meant in the zone that counts there.
func TestParseModelChecksSchedules(t *testing.T) {
	t.Parallel()
	const file = ".dagwright.yml"
	inst := generator.DefaultInstance()
	inst.Timezone = "Asia/Tokyo"
	inst.CheckSchedule = func(s dag.Schedule) error {
		return fmt.Errorf("%s in %s is wrong: %w", s.Expr, s.Timezone, dag.ErrInvalid)
	}
	for _, tt := range []struct{ name, source, want string }{
		{"scoring", "scoring:\n  schedule: 61 7 * * *\n",
			".dagwright.yml:2:13: scoring.schedule: 61 7 * * * in Asia/Tokyo is wrong"},
		{"one of several", "scoring: {schedule: ['0 6 * * *', 61 7 * * *]}\n",
			".dagwright.yml:1:22: scoring.schedule[0]: 0 6 * * * in Asia/Tokyo is wrong\n.dagwright.yml:1:35: scoring.schedule[1]: 61 7 * * * in Asia/Tokyo is wrong"},
		{"retrain with a zone", "retrain: {schedule: '@dayly'}\ntimezone: Europe/Moscow\n",
			".dagwright.yml:1:21: retrain.schedule: @dayly in Europe/Moscow is wrong"},
		{"wrong zone", "timezone: Nowhere\nscoring: {schedule: x}\n",
			".dagwright.yml:1:11: timezone: there is no time zone \"Nowhere\"; want an IANA name such as Europe/Moscow\n.dagwright.yml:2:21: scoring.schedule: x in Asia/Tokyo is wrong"},
		{"no expression", "scoring: {schedule: none}\nretrain: {schedule: '@once'}\n", ""},
		{"null", "scoring: {schedule: }\n", ""},
		{"the instance's", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := generator.ParseModel(file, []byte(tt.source), inst)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseModelReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := generator.ParseModel(".dagwright.yml",
		[]byte("onwer: a\ntimezone: x\nscoring: {schedule: 1, command: a}\nenv: {1: 2}\n"), generator.DefaultInstance())
	var faults dag.SpecErrors
	if !errors.As(err, &faults) || len(faults) != 5 {
		t.Fatalf("faults %v, want 5", err)
	}
	for i, line := range []int{1, 2, 3, 3, 4} {
		if faults[i].Line != line || faults[i].Column == 0 {
			t.Errorf("fault %d is at %d:%d, want line %d", i, faults[i].Line, faults[i].Column, line)
		}
	}
}

// FuzzParseModel feeds the parser with bytes from outside: it must return a
// model that renders or say why not.
func FuzzParseModel(f *testing.F) {
	f.Add([]byte(fullModel))
	f.Add([]byte(richModel))
	inst := offering()
	inst.Offers.AllowPod = nil // whose values are read with the spec
	for _, s := range []string{"", "a: &a [*a]", "params: {A: {enum: [1], default: 1}}", "env: {A: !!binary aGk=}",
		"? [a]\n: b", "params: {A: .nan}", "params: {A: 99999999999999999999}"} {
		f.Add([]byte(s))
	}
	set := loadTemplates(f)
	f.Fuzz(func(t *testing.T, source []byte) {
		m, err := generator.ParseModel(".dagwright.yml", source, inst)
		if err != nil {
			if !errors.Is(err, dag.ErrInvalid) {
				t.Errorf("%v is not dag.ErrInvalid", err)
			}
			return
		}
		for _, kind := range []generator.Kind{generator.Scoring, generator.Retrain} {
			if _, err := generator.Render(request("gbc/risk/churn-model", kind), m, set, inst); err != nil {
				t.Errorf("a model that was parsed does not render: %v", err)
			}
		}
	})
}
