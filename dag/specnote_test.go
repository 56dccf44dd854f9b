package dag_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

// What does no harm is a note with its place, also when the file has faults, and once where
// several tasks inherit it.
func TestReadGivesNotes(t *testing.T) {
	t.Parallel()
	const spec = `d:
  orientation: LR
  default_args:
    email: [a@example.com]
    email_on_failure: false
    email_on_retry: false
    retris: 3
    schedule: "@daily"
  tags: [1]
  render_template_as_native_obj: true
  tasks:
    a: {task_id: b, image: i, operator: ` + operator + `, execution_timeout: 60}
    c: {image: i, operator: ` + operator + `, secrets: [{deploy_type: env, secret: s}]}
`
	want := strings.TrimPrefix(`
left_out s:2:3: d.orientation: left out: the direction of the graph; Airflow 3 has no such setting either
left_out s:4:12: d.default_args.email: left out: no mail is sent, as both flags say
left_out s:7:5: d.default_args.retris: left out: no task here has an argument "retris"; did you mean "retries"?
left_out s:8:5: d.default_args.schedule: left out: schedule is a key of the DAG and means nothing in default_args, in Airflow neither
airflow s:9:10: d.tags[0]: Airflow would refuse this: a tag must be a string; put it in quotes
left_out s:10:3: d.render_template_as_native_obj: left out: there is no template that it could change
left_out s:12:18: d.tasks.a.task_id: left out: the key "a" is the task's id, in Airflow too
airflow s:12:131: d.tasks.a.execution_timeout: Airflow would refuse this: it takes no number of seconds here; write {__type__: datetime.timedelta, seconds: 60}
airflow s:13:110: d.tasks.c.secrets[0]: Airflow would refuse this: it takes no plain mapping here; write {__type__: airflow.providers.cncf.kubernetes.secret.Secret, …}`, "\n")
	for _, c := range []struct{ source, fault string }{{spec, ""}, {spec + "    e: {}\n", "s:14:8"}} {
		r, err := dag.Parser{}.Read("s", []byte(c.source))
		if (err != nil) != (c.fault != "") || (err == nil) != (len(r.DAGs) == 1) {
			t.Errorf("error %v, %d DAGs", err, len(r.DAGs))
		}
		var got []string
		for _, n := range r.Notes {
			got = append(got, string(n.Kind)+" "+n.At.Error())
		}
		if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
	}
}

// Notes are bounded as faults are.
func TestReadGivesAHundredNotes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("d:\n  default_args:\n")
	for i := range 500 {
		b.WriteString("    k" + strings.Repeat("x", i) + ": 1\n")
	}
	r, err := dag.Parser{}.Read("s", []byte(b.String()+"  tasks:\n"+task))
	if err != nil || len(r.Notes) != 100 {
		t.Errorf("%d notes, %v", len(r.Notes), err)
	}
}

// E-mail is refused where one would be sent.
func TestParseRefusesMail(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"{email_on_failure: true}": "",
		"{email: []}":              "",
		"{email: a@example.com, email_on_failure: false, email_on_retry: no}": "",
		"{email: a@example.com}":                                                       "email: not supported by dagwright: e-mail, remove it or write email_on_failure: false",
		"{email: a@example.com, email_on_failure: false}":                              "remove it or write email_on_retry: false",
		"{email: a@example.com, email_on_failure: false, email_on_retry: true}":        "email_on_retry: not supported by dagwright: e-mail, remove it or write false",
		"{email: a@example.com, email_on_failure: 'false', email_on_retry: false}":     "email_on_failure: not supported",
		"{email: a@example.com, email_on_failure: false, email_on_retry: [not, bool]}": "must be true or false",
	} {
		_, err := dag.Parse("s", []byte("d:\n  default_args: "+args+"\n  tasks:\n"+task))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// A param without a default is asked for, whatever its type; a DAG that runs by itself must
// not have one.
func TestParamsWithoutDefault(t *testing.T) {
	t.Parallel()
	const params = "  params: {A: {__type__: airflow.sdk.Param}, B: {__type__: airflow.sdk.Param, type: [string, 'null']}, " +
		"C: {__type__: airflow.sdk.Param, default: null}}\n"
	d := parseOne(t, "d:\n"+params+"  tasks:\n"+task)
	for i, want := range []bool{true, true, false} {
		if p := d.Params[i]; p.Required() != want {
			t.Errorf("%s: required %v", p.Name, !want)
		}
	}
	if err := dag.CheckParams(d.Params, map[string]any{"A": 1}); err == nil || !strings.Contains(err.Error(), "param \"B\"") {
		t.Errorf("a conf without B: %v", err)
	}
	if err := dag.CheckParams(d.Params, map[string]any{"A": 1, "B": "x"}); err != nil {
		t.Error(err)
	}
	_, err := dag.Parse("s", []byte("d:\n  schedule: '@daily'\n"+params+"  tasks:\n"+task))
	if err == nil || strings.Count(err.Error(), "needs a default") != 2 {
		t.Errorf("a scheduled DAG: %v", err)
	}
}

// An empty task takes no argument of a pod, and inherits none.
func TestParseEmptyTasks(t *testing.T) {
	t.Parallel()
	const source = "d:\n  default_args: {image: i, retries: 2, namespace: n}\n  tasks:\n" +
		"    - {task_id: a, operator: airflow.operators.dummy.DummyOperator}\n"
	d := parseOne(t, source)
	if a := d.Tasks[0]; !a.Empty() || a.Image != "" || a.Pod != nil || a.Retries != 2 {
		t.Errorf("task %+v", a)
	}
	_, err := dag.Parse("s", []byte(strings.Replace(source, "DummyOperator", "DummyOperator, cmds: [x]", 1)))
	if err == nil || !strings.Contains(err.Error(), "has no argument cmds: it runs nothing") {
		t.Errorf("error %v", err)
	}
}
