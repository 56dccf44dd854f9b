package dag_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

const operator = "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator"

// task is a minimal good task at four spaces.
const task = "    - {task_id: a, operator: " + operator + ", image: i}\n"

func parseOne(t *testing.T, source string, defaults ...dag.Defaults) *dag.DAG {
	t.Helper()
	dags, err := dag.Parse("spec.yaml", []byte(source), defaults...)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	if len(dags) != 1 {
		t.Fatalf("Parse gave %d DAGs, want 1", len(dags))
	}
	return dags[0]
}

func TestParseFillsInAirflowsDefaults(t *testing.T) {
	t.Parallel()
	got := parseOne(t, "nightly:\n  tasks:\n"+task)
	want := &dag.DAG{
		ID: "nightly", Schedule: dag.Schedule{Kind: dag.ScheduleNone}, Timezone: "UTC",
		PausedUponCreation: true, MaxActiveRuns: 16, MaxActiveTasks: 16, Owner: "airflow",
		Tasks: []dag.Task{{
			ID: "a", Operator: operator, Owner: "airflow", TriggerRule: dag.AllSuccess,
			PriorityWeight: 1, RetryDelay: 5 * time.Minute, Image: "i",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestParseReadsEveryKindOfValue(t *testing.T) {
	t.Parallel()
	got := parseOne(t, `
fraud:
  description: Scores
  dag_display_name: Fraud
  doc_md: "# Fraud"
  schedule: "0 6 * * *"
  start_date: 2026-01-01
  end_date: "2026-12-31T23:00:00+09:00"
  timezone: Europe/Moscow
  catchup: yes
  is_paused_upon_creation: false
  max_active_runs: 2
  concurrency: 3
  dagrun_timeout: {__type__: datetime.timedelta, hours: 12, minutes: 30}
  tags: [scoring, fraud, scoring]
  default_args:
    owner: risk
    retries: 2
    retry_delay: {__type__: datetime.timedelta, __args__: [0, 90]}
    env_vars: {SHARED: "1"}
  params:
    date: ""
    plain: {default: 5, type: text}
    threshold: {__type__: airflow.sdk.Param, default: 0.5, type: number, minimum: 0, description: Cut}
    level: {__type__: airflow.models.param.Param, __args__: [low], enum: [low, high]}
  tasks:
    load:
      operator: `+operator+`
      image: r/load:1
      cmds: [python, -m, load]
      arguments: [--n, 5, --on, yes, --ratio, 1.50]
      env_vars: {A: 5, B: true, C: 1.50, D: 2026-01-01, E: , F: "{{ ds }}", G: 0644}
      annotations: {dagwright/project: gbc/fraud, dagwright/ref: main, dagwright/commit: 0a1b}
      retry_exponential_backoff: true
      max_retry_delay: 3600.5
      execution_timeout: 600
      trigger_rule: none_failed
      priority_weight: 7
      depends_on_past: false
      in_cluster: true
      do_xcom_push: false
      pool: default_pool
      skip_on_exit_code: 99
      image_pull_secrets: one, two
    score:
      operator: `+operator+`
      image: r/score:1
      retries: 0
      env_vars:
        - {name: X, value: 1}
        - __type__: kubernetes.client.models.V1EnvVar
          name: Y
          value_from:
            __type__: kubernetes.client.models.V1EnvVarSource
            field_ref: {__type__: kubernetes.client.models.V1ObjectFieldSelector, field_path: status.podIP}
      dependencies: [load]
`)
	moscow := time.FixedZone("MSK", 3*3600)
	want := &dag.DAG{
		ID: "fraud", DisplayName: "Fraud", Description: "Scores", DocMD: "# Fraud",
		Schedule:  dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "Europe/Moscow"},
		StartDate: time.Date(2026, 1, 1, 0, 0, 0, 0, moscow),
		EndDate:   time.Date(2026, 12, 31, 23, 0, 0, 0, moscow),
		Timezone:  "Europe/Moscow", Catchup: true, MaxActiveRuns: 2, MaxActiveTasks: 3,
		RunTimeout: 12*time.Hour + 30*time.Minute, Owner: "risk", Tags: []string{"scoring", "fraud"},
		Params: []dag.Param{
			{Name: "date", Default: ""},
			{Name: "plain", Default: map[string]any{"default": 5, "type": "text"}},
			{Name: "threshold", Default: 0.5, Description: "Cut", Schema: map[string]any{"type": "number", "minimum": 0}},
			{Name: "level", Default: "low", Schema: map[string]any{"enum": []any{"low", "high"}}},
		},
		Source: dag.Source{Project: "gbc/fraud", Branch: "main", Commit: "0a1b"},
		Tasks: []dag.Task{
			{
				ID: "load", Operator: operator, Owner: "risk", TriggerRule: dag.NoneFailed,
				PriorityWeight: 7, Retries: 2, RetryDelay: 90 * time.Second, RetryBackoff: 2,
				MaxRetryDelay: 3600500 * time.Millisecond, ExecutionTimeout: 10 * time.Minute,
				Image: "r/load:1", Cmds: []string{"python", "-m", "load"},
				Arguments: []string{"--n", "5", "--on", "yes", "--ratio", "1.50"},
				Env: []dag.EnvVar{
					{Name: "A", Value: "5"}, {Name: "B", Value: "true"}, {Name: "C", Value: "1.50"},
					{Name: "D", Value: "2026-01-01"}, {Name: "E", Value: ""}, {Name: "F", Value: "{{ ds }}"},
					{Name: "G", Value: "0644"},
				},
				Pod: map[string]any{
					"annotations": map[string]any{"dagwright/project": "gbc/fraud", "dagwright/ref": "main",
						"dagwright/commit": "0a1b"},
					"skip_on_exit_code":  []any{99},
					"image_pull_secrets": []any{map[string]any{"name": "one"}, map[string]any{"name": "two"}},
				},
			},
			{
				ID: "score", Operator: operator, Owner: "risk", Upstream: []dag.TaskID{"load"},
				TriggerRule: dag.AllSuccess, PriorityWeight: 1, RetryDelay: 90 * time.Second, Image: "r/score:1",
				Env: []dag.EnvVar{{Name: "X", Value: "1"}},
				Pod: map[string]any{"env_vars": []any{map[string]any{
					"name":      "Y",
					"valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "status.podIP"}},
				}}},
			},
		},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestParseTurnsKubernetesModelsIntoTheirPlainForm(t *testing.T) {
	t.Parallel()
	got := parseOne(t, `
k:
  tasks:
    - task_id: a
      operator: `+operator+`
      image: i
      security_context: {__type__: kubernetes.client.models.V1PodSecurityContext, fs_group: 5, run_as_user: 6}
      host_aliases: [{__type__: kubernetes.client.V1HostAlias, ip: 10.0.0.1, hostnames: [db]}]
      ports: [{__type__: kubernetes.client.models.v1_container_port.V1ContainerPort, container_port: 80, host_ip: 10.0.0.2}]
      tolerations: [{key: gpu, operator: Exists, tolerationSeconds: 60}]
      affinity:
        __type__: kubernetes.client.models.V1Affinity
        pod_affinity: {labelSelector: {matchLabels: {my_team: a}}}
      volumes:
        __type__: builtins.list
        items:
          - {__type__: kubernetes.client.models.V1Volume, name: m, config_map: {__type__: kubernetes.client.models.V1ConfigMapVolumeSource, name: c, default_mode: 0400}}
          - {__type__: kubernetes.client.models.V1Volume, name: d, downward_api: {__type__: kubernetes.client.models.V1DownwardAPIVolumeSource}}
      secrets: [{deploy_type: volume, deploy_target: /s, secret: s}]
      pod_template_dict: {spec: {hostUsers: false, priority: 0.5, at: 2026-01-01}}
`)
	want := map[string]any{
		"security_context": map[string]any{"fsGroup": 5, "runAsUser": 6},
		"host_aliases":     []any{map[string]any{"ip": "10.0.0.1", "hostnames": []any{"db"}}},
		"ports":            []any{map[string]any{"containerPort": 80, "hostIP": "10.0.0.2"}},
		"tolerations":      []any{map[string]any{"key": "gpu", "operator": "Exists", "tolerationSeconds": 60}},
		"affinity": map[string]any{"podAffinity": map[string]any{
			"labelSelector": map[string]any{"matchLabels": map[string]any{"my_team": "a"}},
		}},
		"volumes": []any{
			map[string]any{"name": "m", "configMap": map[string]any{"name": "c", "defaultMode": 256}},
			map[string]any{"name": "d", "downwardAPI": map[string]any{}},
		},
		"secrets":           []any{map[string]any{"deploy_type": "volume", "deploy_target": "/s", "secret": "s"}},
		"pod_template_dict": map[string]any{"spec": map[string]any{"hostUsers": false, "priority": 0.5, "at": "2026-01-01"}},
	}
	if diff := cmp.Diff(want, got.Tasks[0].Pod); diff != "" {
		t.Errorf("Pod (-want +got):\n%s", diff)
	}
}

func TestParseSchedules(t *testing.T) {
	t.Parallel()
	berlin := "Europe/Berlin"
	for _, c := range []struct {
		name, yaml string
		want       dag.Schedule
	}{
		{"absent", "description: x", dag.Schedule{Kind: dag.ScheduleNone}},
		{"null", "schedule:", dag.Schedule{Kind: dag.ScheduleNone}},
		{"none", "schedule: none", dag.Schedule{Kind: dag.ScheduleNone}},
		{"once", "schedule: '@once'", dag.Schedule{Kind: dag.ScheduleOnce}},
		{"continuous", "{schedule: '@continuous', max_active_runs: 1}", dag.Schedule{Kind: dag.ScheduleContinuous}},
		{"preset as written", "schedule: '@Daily'",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "@Daily", Timezone: "UTC"}},
		{"zone of the DAG", "{schedule: 0 1 * * *, timezone: Europe/Berlin}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: berlin}},
		{"zone in default_args", "{schedule: 0 1 * * *, default_args: {timezone: Europe/Berlin}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: berlin}},
		{
			"interval", "{schedule: {__type__: airflow.timetables.interval.CronDataIntervalTimetable, cron: 0 1 * * *, timezone: Europe/Berlin}}",
			dag.Schedule{Kind: dag.ScheduleCronInterval, Expr: "0 1 * * *", Timezone: berlin},
		},
		{
			"sdk by position",
			"{timezone: Asia/Tokyo, schedule: {__type__: airflow.sdk.CronTriggerTimetable, __args__: [0 1 * * *, Europe/Berlin]}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: berlin},
		},
		{
			"several", "{schedule: {__type__: airflow.timetables.trigger.MultipleCronTriggerTimetable, __args__: [0 6 * * *, '@monthly'], timezone: Europe/Berlin}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *\n@monthly", Timezone: berlin},
		},
		{
			"several of the sdk, with extras",
			"schedule: {__type__: airflow.sdk.MultipleCronTriggerTimetable, __args__: [0 6 * * *, 0 9 * * *], timezone: UTC, interval: {__type__: datetime.timedelta, hours: 3}, run_immediately: true}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *\n0 9 * * *", Timezone: "UTC", Interval: 3 * time.Hour,
				Late: 100 * 365 * 24 * time.Hour},
		},
		{
			"zone as an object",
			"schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: 0 1 * * *, timezone: {__type__: pendulum.timezone, __args__: [Europe/Berlin]}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: berlin},
		},
		{
			"run_immediately within a time",
			"schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: 0 1 * * *, run_immediately: {__type__: datetime.timedelta, hours: 2}, interval: {__type__: dateutil.relativedelta.relativedelta, days: 1}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: "UTC", Interval: 24 * time.Hour,
				Late: 2 * time.Hour},
		},
		{
			"run_immediately within no time",
			"schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: 0 1 * * *, run_immediately: {__type__: datetime.timedelta}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: "UTC", Late: -1},
		},
		{"timedelta", "{timezone: Europe/Berlin, schedule: {__type__: datetime.timedelta, hours: 6}}",
			dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 6 * time.Hour}, Timezone: "UTC"}},
		{"relativedelta", "schedule: {__type__: dateutil.relativedelta.relativedelta, years: 1, months: 2, days: 3}",
			dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Months: 14, Duration: 72 * time.Hour}, Timezone: "UTC"}},
		{
			"delta timetable",
			"schedule: {__type__: airflow.timetables.trigger.DeltaTriggerTimetable, delta: {__type__: datetime.timedelta, days: 1}, interval: {__type__: datetime.timedelta, hours: 1}}",
			dag.Schedule{Kind: dag.ScheduleDelta, Every: dag.Delta{Duration: 24 * time.Hour}, Timezone: "UTC", Interval: time.Hour},
		},
		{"lines within an expression", "schedule: |\n  0 6\n  * * *\n",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "UTC"}},
		{
			"timetable without a zone",
			"{timezone: Europe/Berlin, schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: 0 1 * * *}}",
			dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 1 * * *", Timezone: berlin},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := parseOne(t, "base: &b\n  tasks:\n"+task+"default: {}\n",
				dag.Defaults{File: "defaults.yml", Source: []byte(c.yaml)})
			if diff := cmp.Diff(c.want, got.Schedule); diff != "" {
				t.Errorf("Schedule (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, zone, want string }{
		{"date", "2026-01-31", "UTC", "2026-01-31T00:00:00Z"},
		{"text", `"2026-01-31"`, "Asia/Tokyo", "2026-01-30T15:00:00Z"},
		{"with time", `"2026-01-31T05:06:07"`, "UTC", "2026-01-31T05:06:07Z"},
		{"offset dropped", `"2026-01-31T05:00:00+03:00"`, "UTC", "2026-01-31T05:00:00Z"},
		{"Z dropped", "2026-01-31T05:00:00Z", "Asia/Tokyo", "2026-01-30T20:00:00Z"},
		{"YAML's blank", "2026-01-31 05:00:00 -5", "UTC", "2026-01-31T05:00:00Z"},
		{"datetime", "{__type__: datetime.datetime, year: 2026, month: 1, day: 31, hour: 5}", "UTC", "2026-01-31T05:00:00Z"},
		{"pendulum", "{__type__: pendulum.datetime, __args__: [2026, 1, 31], tz: Asia/Tokyo}", "UTC", "2026-01-31T00:00:00Z"},
		{"skipped by the clock", `"2026-03-29T02:30:00"`, "Europe/Berlin", "2026-03-29T01:30:00Z"},
		{"shown twice by the clock", `"2026-10-25T02:30:00"`, "Europe/Berlin", "2026-10-25T00:30:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parseOne(t, "d:\n  timezone: "+c.zone+"\n  default_args: {start_date: "+c.value+"}\n  tasks:\n"+task)
			if got := d.StartDate.UTC().Format(time.RFC3339); got != c.want {
				t.Errorf("StartDate = %s, want %s", got, c.want)
			}
		})
	}
}

func TestParseLaysDefaultsUnderTheDAG(t *testing.T) {
	t.Parallel()
	near := dag.Defaults{File: "a/defaults.yml",
		Source: []byte("tags: [near]\ndescription: near\ndefault_args: {owner: near}\n")}
	far := dag.Defaults{File: "defaults.yml",
		Source: []byte("tags: [far, near]\ndescription: far\nmax_active_runs: 3\ndefault_args: {owner: far, retries: 9}\n")}

	got := parseOne(t, "default:\n  default_args: {retries: 4}\nd:\n  tasks:\n"+task, near, far)
	type view struct {
		Description, Owner string
		Runs, Retries      int
		Tags               []string
	}
	show := func(d *dag.DAG) view {
		return view{d.Description, d.Tasks[0].Owner, d.MaxActiveRuns, d.Tasks[0].Retries, d.Tags}
	}
	if diff := cmp.Diff(view{"near", "near", 3, 4, []string{"near", "far"}}, show(got)); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	got = parseOne(t, "d:\n  tags: [own]\n  default_args: {owner: own}\n  tasks:\n"+task, near, far)
	if diff := cmp.Diff(view{"near", "own", 3, 9, []string{"own"}}, show(got)); diff != "" {
		t.Errorf("own keys (-want +got):\n%s", diff)
	}
}

func TestParseTaskGroups(t *testing.T) {
	t.Parallel()
	op := "operator: " + operator + ", image: i"
	got := parseOne(t, `
d:
  task_groups:
    - {group_name: features, tooltip: All of them, default_args: {retries: 3}}
    - {group_name: models, dependencies: [features]}
    - {group_name: bare, prefix_group_id: false, parent_group_name: models}
  tasks:
    - {task_id: load, task_group_name: features, `+op+`}
    - {task_id: clean, task_group_name: features, dependencies: [load], `+op+`}
    - {task_id: train, task_group_name: models, `+op+`}
    - {task_id: check, task_group_name: bare, dependencies: [train], `+op+`}
    - {task_id: report, dependencies: [models, features.load], `+op+`}
`)
	edges := map[dag.TaskID][]dag.TaskID{}
	for _, task := range got.Tasks {
		edges[task.ID] = task.Upstream
	}
	want := map[dag.TaskID][]dag.TaskID{
		"features.load": nil, "features.clean": {"features.load"}, "models.train": {"features.clean"},
		"models.check": {"models.train"}, "report": {"models.check", "features.load"},
	}
	if diff := cmp.Diff(want, edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	groups := []dag.TaskGroup{{Name: "features", Tooltip: "All of them"}, {Name: "models"}, {Name: "models.bare"}}
	if diff := cmp.Diff(groups, got.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got.Tasks[0].Retries != 3 || got.Tasks[2].Retries != 0 {
		t.Errorf("retries = %d and %d, want the group's 3 and 0", got.Tasks[0].Retries, got.Tasks[2].Retries)
	}
}

func TestParserAsksForTheSchedule(t *testing.T) {
	t.Parallel()
	p := dag.Parser{CheckSchedule: func(s dag.Schedule) error {
		if s.Expr == "60 * * * *" {
			return dag.ErrInvalid
		}
		return nil
	}}
	_, err := p.Parse("spec.yaml", []byte("d:\n  schedule: 60 * * * *\n  tasks:\n"+task))
	if err == nil || err.Error() != "spec.yaml:2:13: d.schedule: invalid" {
		t.Errorf("Parse = %v", err)
	}
	if _, err := p.Parse("spec.yaml", []byte("d:\n  schedule: 6 * * * *\n  tasks:\n"+task)); err != nil {
		t.Errorf("Parse = %v", err)
	}
}
