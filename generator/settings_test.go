package generator_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/podspec"
)

// offering is an instance with profiles, volumes and arguments that models may choose.
func offering() generator.Instance {
	inst := generator.DefaultInstance()
	inst.Offers.Profiles = map[string]generator.Profile{
		"gpu-small": {
			Resources: generator.Resources{
				Requests: map[string]string{"cpu": "4", "memory": "16Gi"},
				Limits:   map[string]string{"memory": "16Gi", "nvidia.com/gpu": "1"},
			},
			NodeSelector: map[string]string{"pool": "gpu"}, RuntimeClassName: "nvidia", PriorityClassName: "batch",
			Tolerations: []generator.Toleration{{Key: "gpu", Operator: "Exists", Effect: "NoExecute", Seconds: 60}},
			Labels:      map[string]string{"team": "risk"},
		},
		"gpu-large": {NodeSelector: map[string]string{"pool": "gpu-large"}},
	}
	inst.Offers.Volumes = map[string]generator.Volume{
		"models": {Claim: "models", SubPath: "{project}"},
		"data":   {Claim: "data-2026", ReadOnly: true},
	}
	inst.Offers.AllowPod = []string{"affinity", "annotations", "init_containers", "tolerations", "volumes", "volume_mounts"}
	return inst
}

// pods is a policy under which everything that offering offers is allowed.
var pods = podspec.Config{Instance: "dev", Namespace: "models", Policy: podspec.Policy{
	PriorityClasses: []string{"batch"}, RuntimeClasses: []string{"nvidia"}, VolumeClaims: []string{"models", "data-2026"},
	Labels: []string{"team"}, Annotations: []string{"example.com/*"}, Secrets: []string{"churn-*"},
}}

// richModel says everything that a model's file can say.
const richModel = `description: Churn within 30 days
docs: docs/model.md
tags: [nightly, risk]
env: {MODEL_NAME: churn, STAGE: all}
secrets:
  DB_PASSWORD: churn-db/password
secret_files: {/secrets/tls: churn-tls}
volumes: {/models: models}
resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}}
retries: 2
retry_delay: 90s
timeout: 2h
run_timeout: 6h
max_active_runs: 3
catchup: true
start_date: 2026-01-01
scoring:
  schedule: ["0 6 * * *", "30 18 * * 1-5"]
  command: [python, main.py]
  env: {STAGE: scoring}
  tags: [hourly]
  pod:
    affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [
      {weight: 1, preference: {matchExpressions: [{key: disk, operator: In, values: [ssd]}]}}]}}
    annotations: {example.com/team: risk}
retrain:
  description: Trains the churn model
  schedule: null
  run_timeout: 3d
  env: {STAGE: retrain}
  tasks:
    - {task_id: prepare_data, timeout: 30m, volumes: {/data: data, /models: models}}
    - task_id: train_model
      needs: [prepare_data]
      profile: gpu-small
      image: "{project}/train:{short_sha}"
      env: {EPOCHS: "20", STAGE: train}
      retries: 0
      pod:
        tolerations: [{key: spot, operator: Exists}]
    - {task_id: fast_check, needs: [prepare_data], secrets: {API_TOKEN: churn-api/token, DB_PASSWORD: churn-ro/password}}
    - {task_id: evaluate_model, needs: [train_model, fast_check], trigger_rule: all_done, retry_delay: 0s}
    - {task_id: register_model, needs: [evaluate_model], command: [python, register.py, "{{ ds }}"]}
`

const richDocs = "# Churn\n\n| a | b |\n<script>alert(1)</script> costs $HOME\n"

// renderRich renders a kind of a model that names docs.
func renderRich(tb testing.TB, source string, kind generator.Kind, inst generator.Instance) generator.Rendered {
	tb.Helper()
	m, err := generator.ParseModel(".dagwright.yml", []byte(source), inst)
	if err != nil {
		tb.Fatal(err)
	}
	r := request("gbc/rich-model", kind)
	if r.Docs, err = m.ReadDocs(kind, func(string) ([]byte, error) { return []byte(richDocs), nil }); err != nil {
		tb.Fatal(err)
	}
	got, err := generator.Render(r, m, loadTemplates(tb), inst)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// TestRichModel reads the specs of a model that says everything as the scheduler does, under a
// policy, and holds their bytes.
func TestRichModel(t *testing.T) {
	t.Parallel()
	inst := offering()
	inst.CheckTask = pods.Check
	for _, kind := range []generator.Kind{generator.Scoring, generator.Retrain} {
		got := renderRich(t, richModel, kind, inst)
		golden(t, filepath.Join("..", "testdata", "golden", string(got.DAG)+".yaml"), got.Content)
		if _, err := (dag.Parser{CheckTask: pods.Check}).Parse(got.Path, got.Content); err != nil {
			t.Error(err)
		}
	}
}

// TestSettingsReachTheDAG compares what the file says with the DAG that is read back.
func TestSettingsReachTheDAG(t *testing.T) {
	t.Parallel()
	dags := map[generator.Kind]*dag.DAG{}
	for _, kind := range []generator.Kind{generator.Scoring, generator.Retrain} {
		got := renderRich(t, richModel, kind, offering())
		parsed, err := dag.Parse(got.Path, got.Content)
		if err != nil {
			t.Fatal(err)
		}
		dags[kind] = parsed[0]
	}
	type facts struct {
		Description, Start, Docs  string
		Tags                      []string
		RunTimeout                time.Duration
		MaxActiveRuns             int
		Catchup                   bool
		Schedule                  string
		Retries, Delays, Timeouts []string
		Rules, Images, After      []string
	}
	read := func(d *dag.DAG) facts {
		f := facts{Description: d.Description, Start: d.StartDate.Format(time.DateOnly), Docs: d.DocMD, Tags: d.Tags,
			RunTimeout: d.RunTimeout, MaxActiveRuns: d.MaxActiveRuns, Catchup: d.Catchup, Schedule: d.Schedule.Summary()}
		for _, task := range d.Tasks {
			f.Retries = append(f.Retries, fmt.Sprint(task.Retries))
			f.Delays = append(f.Delays, task.RetryDelay.String())
			f.Timeouts = append(f.Timeouts, task.ExecutionTimeout.String())
			f.Rules = append(f.Rules, string(task.TriggerRule))
			f.Images = append(f.Images, task.Image)
			f.After = append(f.After, fmt.Sprint(task.Upstream))
		}
		return f
	}
	const image, train = "registry.example.com/gbc/rich-model:3f2a9c1d", "registry.example.com/gbc/rich-model/train:3f2a9c1d"
	for kind, want := range map[generator.Kind]facts{
		generator.Scoring: {
			"Churn within 30 days", "2026-01-01", richDocs, []string{"scoring", "rich-model", "hourly"}, 6 * time.Hour, 3,
			true, "0 6 * * *, 30 18 * * 1-5", []string{"2"}, []string{"1m30s"}, []string{"2h0m0s"}, []string{"all_success"},
			[]string{image}, []string{"[]"},
		},
		generator.Retrain: {
			"Trains the churn model", "2026-01-01", richDocs, []string{"retrain", "rich-model", "nightly", "risk"},
			72 * time.Hour, 3, true, "", []string{"2", "0", "2", "2", "2"},
			[]string{"1m30s", "1m30s", "1m30s", "0s", "1m30s"}, []string{"30m0s", "2h0m0s", "2h0m0s", "2h0m0s", "2h0m0s"},
			[]string{"all_success", "all_success", "all_success", "all_done", "all_success"},
			[]string{image, train, image, image, image},
			[]string{"[]", "[prepare_data]", "[prepare_data]", "[train_model fast_check]", "[evaluate_model]"},
		},
	} {
		if diff := cmp.Diff(want, read(dags[kind])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	wantPods(t, dags[generator.Retrain])
}

// wantPods compares the pods of the retraining's tasks.
func wantPods(t *testing.T, d *dag.DAG) {
	t.Helper()
	type anyList = []any
	type anyMap = map[string]any
	password := anyMap{"deploy_type": "env", "deploy_target": "DB_PASSWORD", "secret": "churn-db", "key": "password"}
	tls := anyMap{"deploy_type": "volume", "deploy_target": "/secrets/tls", "secret": "churn-tls"}
	models := anyMap{"name": "models", "persistentVolumeClaim": anyMap{"claimName": "models"}}
	atModels := anyMap{"name": "models", "mountPath": "/models", "subPath": "gbc/rich-model"}
	resources := anyMap{"requests": anyMap{"cpu": "500m", "memory": "1Gi"}, "limits": anyMap{"memory": "2Gi"}}
	want := map[dag.TaskID]anyMap{
		"prepare_data": {
			"secrets": anyList{password, tls}, "container_resources": resources,
			"volumes": anyList{models, anyMap{"name": "data",
				"persistentVolumeClaim": anyMap{"claimName": "data-2026", "readOnly": true}}},
			"volume_mounts": anyList{atModels, anyMap{"name": "data", "mountPath": "/data", "readOnly": true}},
		},
		"train_model": {
			"secrets": anyList{password, tls}, "volumes": anyList{models}, "volume_mounts": anyList{atModels},
			"container_resources": anyMap{"requests": anyMap{"cpu": "4", "memory": "16Gi"},
				"limits": anyMap{"memory": "16Gi", "nvidia.com/gpu": "1"}},
			"node_selector": anyMap{"pool": "gpu"}, "runtime_class_name": "nvidia", "priority_class_name": "batch",
			"labels": anyMap{"team": "risk"},
			"tolerations": anyList{
				anyMap{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
				anyMap{"key": "spot", "operator": "Exists"},
			},
		},
		"fast_check": {
			"secrets": anyList{
				anyMap{"deploy_type": "env", "deploy_target": "DB_PASSWORD", "secret": "churn-ro", "key": "password"},
				anyMap{"deploy_type": "env", "deploy_target": "API_TOKEN", "secret": "churn-api", "key": "token"}, tls,
			},
			"container_resources": resources, "volumes": anyList{models}, "volume_mounts": anyList{atModels},
		},
	}
	for id, pod := range want {
		task, _ := d.Task(id)
		got := cmp.Diff(map[string]any(pod), task.Pod, cmp.FilterPath(
			func(p cmp.Path) bool { return p.Last().String() == `["annotations"]` }, cmp.Ignore()))
		if got != "" {
			t.Errorf("pod of %s (-want +got):\n%s", id, got)
		}
	}
	task, _ := d.Task("train_model")
	stage := map[string]string{}
	for _, v := range task.Env {
		stage[v.Name] = v.Value
	}
	if stage["STAGE"] != "train" || stage["EPOCHS"] != "20" || stage["MODEL_NAME"] != "churn" {
		t.Errorf("environment of train_model: %v", stage)
	}
}

// TestLayers has each layer say a value, and expects the nearest one's.
func TestLayers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, source, retries, memory, env string }{
		{"nothing", "", "1", "", ""},
		{"top", "retries: 2\nenv: {A: top}\nresources: {limits: {memory: 2Gi}}", "2", "2Gi", "top"},
		{"kind", "retries: 2\nenv: {A: top}\nscoring: {retries: 3, env: {A: kind}}", "3", "", "kind"},
		{"other kind", "retries: 2\nretrain: {retries: 3, resources: {limits: {memory: 2Gi}}}", "2", "", ""},
		{"profile", "profile: gpu-small", "1", "16Gi", ""},
		{"profile nearer than resources", "resources: {limits: {memory: 2Gi}}\nscoring: {profile: gpu-small}",
			"1", "16Gi", ""},
		{"profile without resources", "resources: {limits: {memory: 2Gi}}\nscoring: {profile: gpu-large}", "1", "2Gi", ""},
		{"resources over profile", "profile: gpu-small\nscoring: {resources: {limits: {memory: 32Gi}}}", "1", "32Gi", ""},
		{"entry over top", "retries: 2\nenv: {A: top}\nmodels: [{name: rich-model, env: {A: entry}, retries: 4}]",
			"4", "", "entry"},
		{"entry over the kind of all", "scoring: {retries: 3}\nmodels: [{name: rich-model, retries: 4}]", "4", "", ""},
		{"kind of an entry", "retries: 2\nmodels: [{name: rich-model, retries: 4, scoring: {retries: 5}}]", "5", "", ""},
		{"kind of all for an entry", "scoring: {retries: 3}\nmodels: [{name: rich-model}]", "3", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := generator.ParseModel(".dagwright.yml", []byte(tt.source), offering())
			if err != nil {
				t.Fatal(err)
			}
			e := m.Split()[0]
			got, err := generator.Render(e.Request(request("gbc/rich-model", generator.Scoring)), e.Model,
				loadTemplates(t), offering())
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := dag.Parse(got.Path, got.Content)
			if err != nil {
				t.Fatal(err)
			}
			task := parsed[0].Tasks[0]
			resources, _ := task.Pod["container_resources"].(map[string]any)
			limits, _ := resources["limits"].(map[string]any)
			memory, _ := limits["memory"].(string)
			env := ""
			for _, v := range task.Env {
				if v.Name == "A" {
					env = v.Value
				}
			}
			if fmt.Sprint(task.Retries) != tt.retries || memory != tt.memory || env != tt.env {
				t.Errorf("retries %d, memory %q, A=%q; want %s, %q, %q", task.Retries, memory, env, tt.retries, tt.memory, tt.env)
			}
		})
	}
}

// TestLayersAreMerged finds the variables of all layers in a task.
func TestLayersAreMerged(t *testing.T) {
	t.Parallel()
	const source = `env: {A: top, B: top}
secrets: {P: a/top, Q: a/top}
volumes: {/a: models}
models:
  - name: rich-model
    env: {B: entry, C: entry}
    secrets: {Q: a/entry, R: a/entry}
    retrain:
      env: {C: kind, D: kind}
      secret_files: {/f: kind}
      tasks: [{task_id: x, env: {D: task, E: task}, volumes: {/b: data}, secrets: {R: a/task}, secret_files: {/g: task}}]
`
	m, err := generator.ParseModel(".dagwright.yml", []byte(source), offering())
	if err != nil {
		t.Fatal(err)
	}
	e := m.Split()[0]
	got, err := generator.Render(e.Request(request("gbc/x", generator.Retrain)), e.Model, loadTemplates(t), offering())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := dag.Parse(got.Path, got.Content)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range parsed[0].Tasks[0].Env {
		all = append(all, v.Name+"="+v.Value)
	}
	for _, s := range parsed[0].Tasks[0].Pod["secrets"].([]any) {
		m := s.(map[string]any)
		all = append(all, fmt.Sprint(m["deploy_target"], "=", m["secret"], m["key"]))
	}
	for _, v := range parsed[0].Tasks[0].Pod["volume_mounts"].([]any) {
		m := v.(map[string]any)
		all = append(all, fmt.Sprint(m["mountPath"], "=", m["name"]))
	}
	want := `LOGICAL_DATE={{ ds }} A=top B=entry C=kind D=task E=task DAG_RUN_CONF={{ dag_run.conf | tojson }} ` +
		`P=atop Q=aentry R=atask /f=kind<nil> /g=task<nil> /a=models /b=data`
	if diff := cmp.Diff(want, strings.Join(all, " ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDefaultsLeaveNoTrace holds that a file that says what counts anyway gives the bytes of
// one that says nothing.
func TestDefaultsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	inst := offering()
	for _, lines := range []string{
		"retries: 1", "retry_delay: 5m", "retry_delay: 300s", "timeout: 24h", "timeout: 1d", "max_active_runs: 1",
		"scoring: {schedule: ['0 6 * * *']}", "catchup: false", "start_date: 2024-01-01", "tags: []", "env: {}", "secrets: {}", "secret_files: {}", "volumes: {}",
		"resources: {}", "scoring: {pod: {}}", "retrain: {retries: 1, timeout: 24h}",
		"retrain: {tasks: [{task_id: prepare_data}, {task_id: train_model, retries: 1}, {task_id: evaluate_model}, {task_id: register_model, timeout: 1d}]}",
		"retrain: {tasks: [{task_id: prepare_data}, {task_id: train_model, needs: [prepare_data]}, {task_id: evaluate_model, needs: [train_model]}, {task_id: register_model, needs: [evaluate_model]}]}",
	} {
		m, err := generator.ParseModel(".dagwright.yml", []byte(lines), inst)
		if err != nil {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		for _, kind := range []generator.Kind{generator.Scoring, generator.Retrain} {
			got, err := generator.Render(request("gbc/x", kind), m, loadTemplates(t), inst)
			if err != nil {
				t.Fatal(err)
			}
			want, err := generator.Render(request("gbc/x", kind), generator.Model{}, loadTemplates(t), inst)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want.Content), string(got.Content)); diff != "" {
				t.Errorf("%s, %s (-nothing +got):\n%s", lines, kind, diff)
			}
		}
	}
}

// TestInstanceDefaults renders a model that says nothing with an instance's own defaults.
func TestInstanceDefaults(t *testing.T) {
	t.Parallel()
	inst := generator.DefaultInstance()
	inst.Offers.Defaults = generator.Defaults{Retries: 4, RunTimeout: generator.Duration(48 * time.Hour),
		Resources: generator.Resources{Limits: map[string]string{"memory": "1Gi"}}}
	got, err := generator.Render(request("gbc/x", generator.Scoring), generator.Model{}, loadTemplates(t), inst)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"retries: 4, retry_delay: 0}\n", "dagrun_timeout: {__type__: datetime.timedelta, hours: 48}",
		`container_resources: {limits: {memory: "1Gi"}}`} {
		if !strings.Contains(string(got.Content), want) {
			t.Errorf("the spec lacks %q:\n%s", want, got.Content)
		}
	}
	if strings.Contains(string(got.Content), "execution_timeout") {
		t.Errorf("a time of 0 is a limit:\n%s", got.Content)
	}
}

// TestSettingsFaults refuses each value that cannot work, with its place and what would be right.
func TestSettingsFaults(t *testing.T) {
	t.Parallel()
	task := func(keys string) string {
		return "retrain:\n  tasks:\n    - {task_id: a, " + keys + "}\n    - {task_id: b}"
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, source, want string }{
		{"profile", "profile: gpu-larg", `.dagwright.yml:1:10: profile: there is no profile "gpu-larg"; this instance has gpu-large, gpu-small`},
		{"profile of a task", task("profile: x"), `.dagwright.yml:3:29: retrain.tasks[0].profile: there is no profile "x"; this`},
		{"profile of an entry", "models: [{name: a, scoring: {profile: x}}]", `.dagwright.yml:1:39: models[0].scoring.profile: there is no profile "x"`},
		{"volume", "volumes: {/a: b}", `.dagwright.yml:1:15: volumes./a: there is no volume "b"; this instance has data, models`},
		{"mount path", "volumes: {a: models}", `volumes.a: is not a folder of the container; want a whole path such as /models`},
		{"mount path with a step up", "volumes: {/a/../b: models}", `is not a folder of the container`},
		{"mount path with a template", `volumes: {"/{{ ds }}": models}`, `is not a folder of the container`},
		{"root", "volumes: {/: models}", `is not a folder of the container`},
		{"volume and secret", "volumes: {/a: models}\nsecret_files: {/a: b}", `.dagwright.yml:2:20: secret_files./a: is in volumes, too; a folder can hold one of them`},
		{"secret without key", "secrets: {A: b}", `.dagwright.yml:1:14: secrets.A: want the name of a secret and one of its keys, such as churn-db/password`},
		{"secret with two keys", "secrets: {A: b/c/d}", `secrets.A: want the name of a secret`},
		{"secret's name", "secrets: {A: B_/c}", `secrets.A: want the name of a secret`},
		{"secret in small letters", "secrets: {a_b: c/d}", `.dagwright.yml:1:11: secrets.a_b: must be in capitals, since Airflow makes it so; write A_B`},
		{"reserved secret", "secrets: {AIRFLOW_CTX_DAG_ID: a/b}", "is reserved"},
		{"secret and variable", "env: {A: 1}\nscoring: {secrets: {A: b/c}}", `.dagwright.yml:2:24: scoring.secrets.A: is in env, too; one of them would be lost`},
		{"secret and param", "params: {A: 1}\nsecrets: {A: b/c}", `.dagwright.yml:2:14: secrets.A: is in params, too`},
		{"param and variable of a task", "params: {A: 1}\n" + task("env: {A: 1}"), `.dagwright.yml:1:13: params.A: is in env, too`},
		{"secret files", "secret_files: {/a: B}", `secret_files./a: is not the name of a secret; want something like churn-tls`},
		{"request above the limit of the profile", "profile: gpu-small\nresources: {limits: {memory: 8Gi}}",
			`.dagwright.yml:2:12: resources: with what profile gpu-small brings, requests 16Gi of memory, but its limit is 8Gi`},
		{"retries", "retries: many", ".dagwright.yml:1:10: retries: must be a whole number from 0 to 100"},
		{"negative retries", "retries: -1", "retries: must be a whole number from 0 to 100"},
		{"half a retry", "retries: 1.5", "retries: must be a whole number"},
		{"delay", "retry_delay: 300", `.dagwright.yml:1:14: retry_delay: "300" is not a time; want something like 90s, 5m, 2h or 1d`},
		{"timeout", task("timeout: 2 hours"), `.dagwright.yml:3:29: retrain.tasks[0].timeout: "2 hours" is not a time`},
		{"no timeout", "timeout: 0s", "timeout: must be longer than 0s"},
		{"long timeout", "run_timeout: 999999999d", `run_timeout: "999999999d" is too long; at most 366 days`},
		{"list as a time", "timeout: [1h]", "timeout: must be a time such as 90s, 5m, 2h or 1d, not a list"},
		{"runs", "max_active_runs: 0", "max_active_runs: must be a whole number from 1 to 1000"},
		{"catchup", "catchup: maybe", "catchup: must be true or false"},
		{"catchup from when", "catchup: true", ".dagwright.yml:1:10: catchup: needs start_date beside it: the day from which missed runs are made up"},
		{"schedule in a list", "scoring: {schedule: ['0 6 * * *', '@once']}",
			".dagwright.yml:1:35: scoring.schedule[1]: must be a cron expression: nothing else can stand in a list"},
		{"nothing in a list", "scoring: {schedule: ['0 6 * * *', null]}", "scoring.schedule[1]: must be a cron expression"},
		{"list in a list", "scoring: {schedule: [['0 6 * * *', '@daily']]}", "scoring.schedule[0]: must be a cron expression"},
		{"schedule twice", "scoring: {schedule: ['0 6 * * *', '0 6 * * *']}", `scoring.schedule[1]: "0 6 * * *" is there twice`},
		{"empty list", "scoring: {schedule: []}",
			".dagwright.yml:1:21: scoring.schedule: want from 1 to 20 cron expressions in a list; leave the value empty for no schedule"},
		{"long list", "scoring: {schedule: [" + many(21, "%d 6 * * *, ") + "]}", "want from 1 to 20 cron expressions"},
		{"one in a list", "scoring: {schedule: ['0 6 * * *']}", ""},
		{"catchup of a kind", "start_date: 2026-01-01\nmodels: [{name: a}]\nscoring: {catchup: true}", ""},
		{"start date", "start_date: 2026-1-1", ".dagwright.yml:1:13: start_date: is not a date; want one such as 2026-01-31"},
		{"no such date", "start_date: 2026-02-30", "is not a date"},
		{"relative date", "start_date: 2 days ago", "is not a date"},
		{"tag", "tags: [scoring]", `.dagwright.yml:1:8: tags[0]: "scoring" is reserved: dagwright sets it by the branch`},
		{"tag twice", "tags: [a, a]", `.dagwright.yml:1:11: tags[1]: "a" is there twice`},
		{"long tag", "tags: [" + strings.Repeat("a", 101) + "]", "tags[0]: has more than 100 bytes"},
		{"many tags", "tags: [" + many(21, "t%d, ") + "]", "21 tags are too many; 20 at most"},
		{"tag with a space", `tags: ["a "]`, "tags[0]: begins or ends with a space"},
		{"docs outside", "docs: ../x.md", ".dagwright.yml:1:7: docs: is not a path within the repository"},
		{"docs of another kind", "docs: main.py", ".dagwright.yml:1:7: docs: is not a Markdown file of the repository; want something like docs/model.md"},
		{"docs as a list", "docs: [a.md]", ".dagwright.yml:1:7: docs: must be a text, not a list"},
		{"many variables", "env: {" + many(201, "V%d: x, ") + "}", ".dagwright.yml:1:6: env: 201 entries are too many; 200 at most"},
		{"pod at the top", "pod: {affinity: {}}", ".dagwright.yml:1:1: pod: unknown key"},
		{"pod", "scoring:\n  pod:\n    hostnetwork: true", `.dagwright.yml:3:5: scoring.pod.hostnetwork: is not allowed (models.allow_pod); this instance allows affinity, annotations,`},
		{"pod's own key", "scoring: {pod: {container_resources: {}}}", "scoring.pod.container_resources: cannot stand here: write resources"},
		{"labels", "scoring: {pod: {labels: {a: b}}}", "cannot stand here: labels are the instance's: a profile may bring some"},
		{"no argument", "scoring: {pod: {afinity: {}}}", `scoring.pod.afinity: is not an argument of the operator that can stand here; did you mean "affinity"?`},
		{"pod of a class", task("pod: {affinity: {a: [{__type__: os.system}]}}"),
			"retrain.tasks[0].pod.affinity.a[0].__type__: cannot stand here: write a plain mapping with Kubernetes' own names"},
		{"annotation", "scoring: {pod: {annotations: {dagwright/project: other}}}",
			"scoring.pod.annotations.dagwright/project: is reserved: dagwright sets it"},
		{"no task", task("needs: [c]"), `.dagwright.yml:3:28: retrain.tasks[0].needs[0]: there is no task "c"`},
		{"misspelt task", "retrain: {tasks: [{task_id: train_model}, {task_id: b, needs: [trian_model]}]}",
			`there is no task "trian_model"; did you mean "train_model"?`},
		{"itself", task("needs: [a]"), `.dagwright.yml:3:28: retrain.tasks[0].needs[0]: the task needs itself`},
		{"need twice", task("needs: [b, b]"), `retrain.tasks[0].needs[1]: "b" is there twice`},
		{"circle", "retrain:\n  tasks:\n    - {task_id: a, needs: [c]}\n    - {task_id: b, needs: [a]}\n    - {task_id: c, needs: [b]}\n    - {task_id: d}",
			`.dagwright.yml:4:28: retrain.tasks[1].needs[0]: the tasks wait for each other in a circle: a needs c needs b needs a`},
		{"rule", task("trigger_rule: all_sucess"), `retrain.tasks[0].trigger_rule: there is no trigger rule "all_sucess"; there are all_success, all_failed`},
		{"rule at the top", "trigger_rule: all_done", "trigger_rule: unknown key"},
		{"needs of a text", task("needs: b"), "retrain.tasks[0].needs: must be a list, not a text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := generator.ParseModel(".dagwright.yml", []byte(tt.source), offering())
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if strings.Count(err.Error(), tt.want) > 1 {
				t.Errorf("said more than once: %v", err)
			}
		})
	}
}

// TestOffersThatAreNotThere says what an instance without offers has, and that an unknown one's
// are not known.
func TestOffersThatAreNotThere(t *testing.T) {
	t.Parallel()
	for unknown, want := range map[bool]string{
		false: `there is no profile "x"; this instance has none`,
		true:  `there is no profile "x"; what an instance has is known with its configuration (--config) alone`,
	} {
		inst := generator.DefaultInstance()
		inst.Offers.Unknown = unknown
		_, err := generator.ParseModel(".dagwright.yml", []byte("profile: x"), inst)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestLargeModels reads files as large as they may be, of what is checked against each other.
func TestLargeModels(t *testing.T) {
	t.Parallel()
	var env, steps, entries, secrets strings.Builder
	for i := range 200 {
		fmt.Fprintf(&env, "  V%d: %s\n", i, strings.Repeat("x", 200))
		fmt.Fprintf(&secrets, "  S%d: a/b\n", i)
	}
	for i := range 50 {
		fmt.Fprintf(&steps, "    - {task_id: t%d, retries: 2, env: {V%d: y}, needs: [", i, i)
		for j := range i {
			fmt.Fprintf(&steps, "t%d, ", j)
		}
		steps.WriteString("]}\n")
	}
	for i := range 100 {
		fmt.Fprintf(&entries, "  - {name: m%d, env: {V%d: z}}\n", i, i)
	}
	source := "env:\n" + env.String() + "secrets:\n" + secrets.String() + "retrain:\n  tasks:\n" + steps.String() +
		"models:\n" + entries.String()
	m, err := generator.ParseModel(".dagwright.yml", []byte(source), generator.DefaultInstance())
	if err != nil {
		t.Fatal(err)
	}
	e := m.Split()[99]
	if _, err := generator.Render(e.Request(request("gbc/x", generator.Retrain)), e.Model, loadTemplates(t),
		generator.DefaultInstance()); err != nil && !errors.Is(err, dag.ErrInvalid) {
		t.Fatal(err)
	}
}
