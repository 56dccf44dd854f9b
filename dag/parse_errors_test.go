package dag_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

// wrong is a spec and the errors that Parse must give for it, one a line.
type wrong struct{ name, source, want string }

func head(lines string) string { return "d:\n" + lines + "  tasks:\n" + task }

func withTask(lines string) string {
	return "d:\n  tasks:\n    - task_id: a\n      operator: " + operator + "\n      image: i\n" + lines
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	cases := []wrong{
		{"empty", "", `s: the file is empty; it must map a DAG's id to the DAG`},
		{"list", "- a", `s:1:1: the file must map a DAG's id to the DAG, not be a list`},
		{"no DAG", "default: {}", `s:1:1: the file defines no DAG`},
		{"a schedule without quotes", "a:\n  schedule: * * * * *\n",
			`s:2: not YAML: did not find expected alphabetic or numeric character (a value that begins with * or &? put it in quotes)`},
		{"tab after a mapping", "a:\n  b: 1\n\tc: 1\n", `s:3: not YAML: found a tab character that violates indentation`},
		{"syntax", "a:\n  b: [1\n", `s:2: not YAML: did not find expected ',' or ']' (a "[" or "{" that is not closed?)`},
		{"tab", "a:\n\tb: 1\n",
			`s:2: not YAML: found character that cannot start any token (a tab? YAML wants spaces; a value that begins with @? put it in quotes)`},
		{"syntax behind other lines", "a:\n  b: 1\n c: [x", `s:3: not YAML: did not find expected key`},
		{"syntax in the first line", "a: 'x' y\nb: @\n", `s:1: not YAML: did not find expected key`},
		{"scanner in the first line", "a: @b\nc: 1\n",
			`s:1: not YAML: found character that cannot start any token (a tab? YAML wants spaces; a value that begins with @? put it in quotes)`},
		{"scanner in the second line", "c: 1\na: @b\n",
			`s:2: not YAML: found character that cannot start any token (a tab? YAML wants spaces; a value that begins with @? put it in quotes)`},
		{"no place", "a: 1\nb: \x01\n", `s: not YAML: control characters are not allowed`},
		{"two documents", "a: 1\n---\nb: 1\n",
			`s: not YAML: the file has more than one document; put everything into the first one`},
		{"python tag", "d: !!python/object/apply:os.system [ls]\n",
			`s:1:4: d: tag "!!python/object/apply:os.system" is not read; only plain YAML and {__type__: …} objects are
s:1:4: d: a DAG must be a mapping with tasks, not a list`},
		{"binary", head("  description: !!binary aGk=\n"),
			`s:2:16: d.description: tag "!!binary" is not read; only plain YAML and {__type__: …} objects are`},
		{"key twice", head("  catchup: true\n  catchup: true\n"),
			`s:3:3: d.catchup: key "catchup" stands twice in this mapping`},
		{"DAG twice", head("") + head(""), `s:4:1: d: key "d" stands twice in this mapping`},
		{"key is not a string", head("  1: true\n"), `s:2:3: d: key "1" is not a string; put it in quotes`},
		{"bad DAG id", "a/b:\n  tasks:\n" + task,
			`s:1:1: a/b: id "a/b" has a character that is not allowed; want letters, digits, '.', '-' and '_'`},
		{"DAG is not a mapping", "d: 5", `s:1:4: d: a DAG must be a mapping with tasks, not a number`},
		{"unknown DAG key", head("  scheduel: x\n"), `s:2:3: d.scheduel: unknown key "scheduel"; did you mean "schedule"?`},
		{"key of a task", head("  retries: 1\n"),
			`s:2:3: d.retries: retries is an argument of tasks; put it under default_args or into a task`},
		{"schedule_interval", head("  schedule_interval: x\n"),
			`s:2:3: d.schedule_interval: schedule_interval is no longer read; write schedule`},
		{"timetable", head("  timetable: x\n"), `s:2:3: d.timetable: timetable is not read; write schedule: {__type__: …}`},
		{"callback", head("  on_failure_callback: x\n"),
			`s:2:3: d.on_failure_callback: not supported by dagwright: callbacks, remove it`},
		{"fail_fast", head("  fail_fast: true\n"),
			`s:2:3: d.fail_fast: not supported by dagwright: failing a run at the first failed task; dag-factory drops this key without a word, remove it`},
		{"wrong kinds",
			head("  description: 5\n  catchup: 1\n  max_active_runs: 0\n  tags: x\n  dagrun_timeout: 0\n  default_args: []\n"),
			`s:2:16: d.description: must be a string, not a number; put it in quotes
s:3:12: d.catchup: must be true or false, not a number
s:4:20: d.max_active_runs: must be a whole number from 1 to 2147483647
s:5:9: d.tags: must be a list of strings, not a string
s:6:19: d.dagrun_timeout: must be longer than 0; leave it out for no limit
s:7:17: d.default_args: must be a mapping, not a list`},
		{"zone", head("  timezone: Mars/Base\n"),
			`s:2:13: d.timezone: unknown time zone "Mars/Base"; write its IANA name, such as UTC or Europe/Moscow`},
		{"local zone", head("  timezone: Local\n"),
			`s:2:13: d.timezone: "Local" is not a time zone; write its IANA name, such as UTC or Europe/Moscow`},
		{"empty zone", head("  timezone: ''\n"),
			`s:2:13: d.timezone: "" is not a time zone; write its IANA name, such as UTC or Europe/Moscow`},
		{"zone that is a path", head("  timezone: ../../etc/passwd\n"),
			`s:2:13: d.timezone: unknown time zone "../../etc/passwd"; write its IANA name, such as UTC or Europe/Moscow`},
		{"relative date", head("  start_date: 2 days\n"),
			`s:2:15: d.start_date: "2 days" is relative to today and changes every day; write a date such as "2026-01-31"`},
		{"no date", head("  start_date: soon\n"),
			`s:2:15: d.start_date: "soon" is not a date; write one such as "2026-01-31" or "2026-01-31T05:00:00"`},
		{"no such day", head("  start_date: {__type__: datetime.datetime, year: 2026, month: 2, day: 30}\n"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"end before start", head("  start_date: 2026-02-01\n  end_date: 2026-01-01\n"),
			`s:3:13: d.end_date: end_date lies before start_date`},
		{"schedule of another kind", head("  schedule: [a]\n"),
			`s:2:13: d.schedule: not supported by dagwright: a schedule by assets; write a cron expression or, for several, {__type__: airflow.sdk.MultipleCronTriggerTimetable, __args__: ["0 6 * * *", …], timezone: UTC}`},
		{"schedule that is a number", head("  schedule: 5\n"),
			`s:2:13: d.schedule: must be a cron expression in quotes, a preset such as "@daily", none, or a timetable object, not a number`},
		{"other timetable", head("  schedule: {__type__: airflow.timetables.events.EventsTimetable}\n"),
			`s:2:24: d.schedule.__type__: "airflow.timetables.events.EventsTimetable" is not a timetable that dagwright has; known are airflow.sdk.CronTriggerTimetable, airflow.sdk.MultipleCronTriggerTimetable, airflow.sdk.DeltaTriggerTimetable, airflow.sdk.CronDataIntervalTimetable`},
		{"timetable without cron", head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable, kron: x}\n"),
			`s:2:58: d.schedule.kron: airflow.sdk.CronTriggerTimetable has no argument "kron"; did you mean "cron"?`},
		{"continuous", head("  schedule: '@continuous'\n"),
			`s:2:13: d.schedule: a DAG with schedule @continuous must have max_active_runs: 1`},
		{"duration", head("  dagrun_timeout: 1h\n"),
			`s:2:19: d.dagrun_timeout: must be a number of seconds or {__type__: datetime.timedelta, minutes: …}, not a string`},
		{"negative duration", head("  dagrun_timeout: -5\n"), `s:2:19: d.dagrun_timeout: must be between 0 and 100 years`},
		{"endless duration", head("  dagrun_timeout: .inf\n"),
			`s:2:19: d.dagrun_timeout: must be a number of seconds or {__type__: datetime.timedelta, minutes: …}, not a number`},
		{"no tasks", "d:\n  description: x\n", `s:2:3: d: a DAG needs tasks: a list of {task_id, operator, …}`},
		{"task is not a mapping", "d:\n  tasks: [x]\n",
			`s:2:11: d.tasks[0]: a task must be a mapping {task_id, operator, …}, not a string`},
		{"task lacks all", "d:\n  tasks: [{}]\n", `s:2:11: d.tasks[0]: a task needs a task_id
s:2:11: d.tasks[0]: a task needs an operator; write operator: ` + operator + `
s:2:11: d.tasks[0]: a task needs an image`},
		{"misspelt operator", "d:\n  tasks:\n    - task_id: a\n      operater: x\n      image: i\n",
			`s:4:7: d.tasks[0].operater: unknown key "operater"; did you mean "operator"?`},
		{"other operator", "d:\n  tasks:\n    - {task_id: a, image: i, operator: airflow.operators.bash.BashOperator}\n",
			`s:3:40: d.tasks[0].operator: operator "airflow.operators.bash.BashOperator" is not supported by dagwright; known are ` +
				operator + " and " + dag.EmptyOperator},
		{"key of the DAG", withTask("      schedule: x\n"),
			`s:6:7: d.tasks[0].schedule: schedule is a key of the DAG, not of a task`},
		{"xcom", withTask("      do_xcom_push: true\n"),
			`s:6:7: d.tasks[0].do_xcom_push: not supported by dagwright: XCom; remove it or write false`},
		{"pool", withTask("      pool: gpu\n"),
			`s:6:7: d.tasks[0].pool: not supported by dagwright: pools; remove it or write default_pool`},
		{"template file", withTask("      pod_template_file: /x\n"),
			`s:6:7: d.tasks[0].pod_template_file: not supported by dagwright: pod templates in other files (write it as pod_template_dict), remove it`},
		{"trigger rule", withTask("      trigger_rule: all_sucess\n"),
			`s:6:21: d.tasks[0].trigger_rule: "all_sucess" is none of all_success, all_failed, all_done, all_done_min_one_success, all_done_setup_success, one_success, one_failed, one_done, none_failed, none_skipped, always, none_failed_min_one_success, all_skipped; did you mean "all_success"?`},
		{"env name", withTask("      env_vars: {A B: x, C: [1]}\n"),
			`s:6:18: d.tasks[0].env_vars.A B: "A B" is not a name for an environment variable: use letters, digits, "_", "-" and ".", not beginning with a digit, at most 250 characters
s:6:29: d.tasks[0].env_vars.C: must be a string, not a list`},
		{"NUL", withTask("      cmds: [\"a\\0b\"]\n"),
			`s:6:14: d.tasks[0].cmds[0]: the string has a NUL character, which no program can be given`},
		{"unknown class", withTask("      affinity: {__type__: os.system}\n"),
			`s:6:28: d.tasks[0].affinity.__type__: "os.system" is not a class that is allowed here; known are datetime.timedelta, datetime.datetime, pendulum.datetime, builtins.list, airflow.providers.cncf.kubernetes.secret.Secret, airflow.sdk.Param, airflow.sdk.CronTriggerTimetable, airflow.sdk.CronDataIntervalTimetable, airflow.timetables.trigger.CronTriggerTimetable, airflow.timetables.interval.CronDataIntervalTimetable, kubernetes.client.models.V1…`},
		{"task twice", "d:\n  tasks:\n" + task + task,
			`s:4:17: d.tasks[1].task_id: task id "a" stands here a second time; the first is in line 3`},
		{"depends on itself", withTask("      dependencies: [a]\n"),
			`s:6:22: d.tasks[0].dependencies[0]: task "a" depends on itself`},
		{"unknown dependency",
			withTask("      dependencies: [lood]\n    - {task_id: load, image: i, operator: " + operator + "}\n"),
			`s:6:22: d.tasks[0].dependencies[0]: there is no task or task group "lood"; did you mean "load"?`},
		{"cycle", cycle("a", "b", "c"),
			`s:3:` + fmt.Sprint(strings.Index(cycleTask("a", "c"), "[c]")+1) +
				`: d.tasks[0].dependencies: the tasks wait for each other in a cycle: a → b → c → a`},
		{"default_args once",
			"d:\n  default_args: {retries: -1, retris: 1, task_id: x}\n  tasks:\n" + task + strings.Replace(task, "a,", "b,", 1),
			`s:2:27: d.default_args.retries: must be a whole number from 0 to 2147483647
s:2:42: d.default_args.task_id: task_id belongs to a single task, not to default_args`},
		{"group", "d:\n  task_groups: [{group_name: a.b}, {group_name: g, dependencies: [modle]}]\n  tasks:\n    - {task_id: model, task_group_name: gg, image: i, operator: " +
			operator + "}\n",
			`s:2:17: d.task_groups[0]: group name "a.b" is wrong: use letters, digits, "-" and "_", at most 250
s:2:67: d.task_groups[1].dependencies[0]: there is no task or task group "modle"; did you mean "model"?
s:4:41: d.tasks[0].task_group_name: there is no task group "gg"; did you mean "g"?`},
		{"param", head("  params: {p: {__type__: airflow.sdk.Param, default: x, type: number}}\n"),
			`s:2:54: d.params.p.default: the default is not of the type number`},
		{"self alias", "d: &a {tasks: *a}\n", `s:1:15: alias *a stands inside what it stands for`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dags, err := dag.Parse("s", []byte(c.source))
			if err == nil {
				t.Fatalf("Parse gave %d DAGs and no error", len(dags))
			}
			if !errors.Is(err, dag.ErrInvalid) || dags != nil {
				t.Errorf("error is not an ErrInvalid or DAGs came with it: %v", dags)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func cycleTask(id, upstream string) string {
	return "    - {task_id: " + id + ", image: i, operator: " + operator + ", dependencies: [" + upstream + "]}\n"
}

func cycle(a, b, c string) string {
	return "d:\n  tasks:\n" + cycleTask(a, c) + cycleTask(b, a) + cycleTask(c, b)
}

func TestParseNamesTheDefaultsFile(t *testing.T) {
	t.Parallel()
	_, err := dag.Parse("dags/s.yaml", []byte(head("")),
		dag.Defaults{File: "dags/defaults.yml",
			Source: []byte("tasks: []\nmax_active_run: 1\ndefault_args:\n  retries: x\n")},
		dag.Defaults{File: "defaults.yml", Source: []byte("a: [")})
	want := `dags/defaults.yml:1:1: tasks: tasks cannot stand in a defaults file
dags/defaults.yml:2:1: max_active_run: unknown key "max_active_run"; did you mean "max_active_runs"?
dags/defaults.yml:4:12: default_args.retries: must be a whole number, not a string
defaults.yml:1: not YAML: did not find expected node content (a "[" or "{" that is not closed?)`
	if err == nil {
		t.Fatal("Parse gave no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// TestParseRefusesHostileFiles names the limit that stops each file.
func TestParseRefusesHostileFiles(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var aliases, merges strings.Builder
	aliases.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	merges.WriteString("a0: &a0 {k0: 1}\n")
	for i := 1; i < 1000; i++ {
		last := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&aliases, "a%d: &a%d [%s]\n", i, i, strings.Repeat(last+", ", 10))
		fmt.Fprintf(&merges, "a%d: &a%d {<<: %s, k%d: 1}\n", i, i, last, i)
	}
	for _, c := range []wrong{
		{"large", "a: " + strings.Repeat("x", size), "1 MiB is the limit"},
		{"lists", fill("["), "s:1: nested deeper than 32"},
		{"mappings", fill("{a: "), "s:1: nested deeper than 32"},
		{"50,000 lists", strings.Repeat("[", 50_000), "s:1: nested deeper than 32"},
		{"20,000 mappings", "b: 1\n\na: " + strings.Repeat("{a: ", 20_000), "s:3: nested deeper than 32"},
		{"20,000 block lists", "b: 1\na:\n" + strings.Repeat("- ", 20_000), "s:2: nested deeper than 32"},
		{"wide", "b: 1\na: [" + strings.Repeat("x, ", 200_000) + "]", "s:2: the file has more than 100000 values"},
		{"8,000 lists", strings.Repeat("[", 8_000) + strings.Repeat("]", 8_000), "nested deeper than 32"},
		{"block lists", strings.Repeat("- ", 8_000) + "x", "nested deeper than 32"},
		{"aliases", aliases.String(), "more than 100000 values, with aliases"},
		{"merge keys", merges.String(), "more than 100000 values, with aliases"},
		{"lines", fill("\n"), "s:100001: the file has more than 100000 values"},
		{"NUL", fill("\x00"), "NUL"},
		{"UTF-16", "\xff\xfea\x00:\x00", "NUL"},
		{"unknown anchor", "a: *" + strings.Repeat("x", 1000), "xxx…"},
		{"tasks", "d:\n  tasks: [" + strings.Repeat("{}, ", 1001) + "]", "1001 tasks are too many; 1000 is the limit"},
		{"defaults for many DAGs", manyDAGs(), "values, defaults included"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := dag.Parse("s", []byte(c.source))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %.300v, want %q in it", err, c.want)
			}
		})
	}
}

func manyDAGs() string {
	var b strings.Builder
	b.WriteString("default:\n  params:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "    p%d: 1\n", i)
	}
	for i := range 200 {
		fmt.Fprintf(&b, "d%d:\n  tasks:\n%s", i, task)
	}
	return b.String()
}

func TestParseTellsAHundredFaultsAndThatThereAreMore(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "d%d: 1\n", i)
	}
	_, err := dag.Parse("s", []byte(b.String()))
	var all dag.SpecErrors
	if !errors.As(err, &all) || len(all) != 101 {
		t.Fatalf("Parse gave %d faults, want 101", len(all))
	}
	if got := all[100].Error(); got != "s: more than 100 faults; the others are not shown" {
		t.Errorf("last fault = %q", got)
	}
}

func TestParseNeverPutsInTheEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PARSER", "leak")
	d := parseOne(t, withTask("      env_vars: {A: $SECRET_OF_THE_PARSER, B: \"${SECRET_OF_THE_PARSER}\"}\n"))
	want := []dag.EnvVar{{Name: "A", Value: "$SECRET_OF_THE_PARSER"}, {Name: "B", Value: "${SECRET_OF_THE_PARSER}"}}
	if diff := cmp.Diff(want, d.Tasks[0].Env); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
}
