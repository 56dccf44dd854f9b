package scheduler

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"dagwright/dag"
	"dagwright/macro"
	"dagwright/store"
)

// greedy is a template that takes all that a task may, step by step, and fails.
const greedy = "{% set x = 'ä' * 200000 %}{% for i in range(10000) %}{% for j in range(10000) %}{% set y = x|length %}{% endfor %}{% endfor %}"

// hostileSpec has 30 tasks at once, all of them greedy.
func hostileSpec() string {
	var b strings.Builder
	b.WriteString("hostile:\n  max_active_tasks: 30\n  tasks:\n")
	for i := range 30 {
		fmt.Fprintf(&b,
			"    - task_id: t%d\n      operator: %s\n      image: registry.example.com/x:1\n      env_vars: {B: %q}\n",
			i, dag.KubernetesPodOperator, greedy)
	}
	return b.String()
}

// count is how many tasks of a run are in one of the states, and one of them.
func (w *world) count(id dag.ID, run dag.RunID, states ...dag.TaskState) (n int, one dag.TaskInstance) {
	w.t.Helper()
	tasks, err := w.store.TaskInstances(w.t.Context(), id, run)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, ti := range tasks {
		for _, state := range states {
			if ti.State == state {
				n, one = n+1, ti
			}
		}
	}
	return n, one
}

func (w *world) awaitQueued(id dag.ID, run dag.RunID, want int) {
	w.t.Helper()
	w.until(func() string {
		if n, _ := w.count(id, run, dag.TaskQueued, dag.TaskRunning, dag.TaskFailed); n < want {
			return fmt.Sprintf("%d tasks of %d are queued", n, want)
		}
		return ""
	})
}

// TestHostileTemplates holds that the attempts of one DAG, whose templates take all
// they may, hold neither another DAG's run nor a cancel, the scheduler's end or the
// next one's start.
func TestHostileTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/hostile.yaml": hostileSpec(),
		"dags/good.yaml": shell("good", "", "echo {{ ds_nodash }}")})
	w.awaitDAG("hostile")
	w.awaitDAG("good")
	bad := w.trigger("hostile", nil)
	w.awaitQueued("hostile", bad, 30)
	good := w.trigger("good", nil)
	w.awaitRun("good", good, dag.RunSuccess)
	if n, _ := w.count("hostile", bad, dag.TaskQueued); n == 0 {
		t.Error("the other DAG had to wait until every hostile attempt was rendered")
	}

	w.down()
	if n, _ := w.count("hostile", bad, dag.TaskQueued); n == 0 {
		t.Error("the scheduler ended after it had rendered every attempt")
	}
	if err := w.store.SetRunState(t.Context(), store.Actor{User: "ada", Via: "ui"}, "hostile", bad,
		dag.RunFailed); err != nil {
		t.Fatal(err)
	}
	left, one := w.count("hostile", bad, dag.TaskQueued)
	w.up()
	w.until(func() string {
		if n, _ := w.count("hostile", bad, dag.TaskQueued, dag.TaskRunning); n > 0 {
			return fmt.Sprintf("%d attempts of %d go on after the run was ended", n, left)
		}
		return ""
	})
	if text := w.log("hostile", bad, one.Task, 1); !strings.Contains(text, "stopped before it was started") {
		t.Errorf("log of an attempt that was stopped while the scheduler was down: %q, want that it was not started", text)
	}

	bad = w.trigger("hostile", nil)
	w.awaitQueued("hostile", bad, 30)
	if err := w.store.SetRunState(t.Context(), store.Actor{User: "ada", Via: "ui"}, "hostile", bad,
		dag.RunFailed); err != nil {
		t.Fatal(err)
	}
	dropped := 0
	w.until(func() string {
		if n, _ := w.count("hostile", bad, dag.TaskQueued, dag.TaskRunning); n > 0 {
			return fmt.Sprintf("%d attempts go on after the run was ended", n)
		}
		return ""
	})
	for i := range 30 {
		if strings.Contains(w.log("hostile", bad, dag.TaskID(fmt.Sprint("t", i)), 1), "stopped before it was started") {
			dropped++
		}
	}
	if dropped == 0 {
		t.Error("every attempt was rendered though its run had been ended")
	}
}

// TestHostileTemplateFailsInWords ends the attempt with the field and the limit. The
// template goes beyond it in one step, so that the time which it may take is none.
func TestHostileTemplateFailsInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up()
	w.commit(map[string]string{"dags/hostile.yaml": fmt.Sprintf(
		"hostile:\n  tasks:\n    - task_id: t\n      operator: %s\n      image: registry.example.com/x:1\n      env_vars: {B: %q}\n",
		dag.KubernetesPodOperator, "{{ 'x' * 100000000 }}")})
	w.awaitDAG("hostile")
	r := w.awaitRun("hostile", w.trigger("hostile", nil), dag.RunFailed)
	if want := "env_vars.B: the task's templates make more than 16777216 bytes of values"; !strings.Contains(
		r.Reason.String(), want) {
		t.Errorf("reason %q, want %q in it", r.Reason, want)
	}
}

// TestTemplatesAreCheckedWhenASpecIsLoaded shows a template that fails in every run as
// an import error with its place, and keeps the last good version.
func TestTemplatesAreCheckedWhenASpecIsLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.check = macro.New().Check
	w.up()
	w.commit(map[string]string{"dags/a.yaml": shell("a", "", "echo {{ ds }}")})
	w.awaitDAG("a")
	w.commit(map[string]string{"dags/a.yaml": shell("a", "", "echo {{ dss }}")})
	w.awaitImportErrors("dags/a.yaml:6:22: a.tasks[0].cmds[2]: dss is not defined")
	w.awaitRun("a", w.trigger("a", nil), dag.RunSuccess)
}

// TestVariablesOfOthersAreImportErrors shows a variable that a DAG may not read as an import
// error with its place, until the version of the rules changes; and gives a task the value
// of one that it may read. What is only made at the start fails there, by name.
func TestVariablesOfOthersAreImportErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var open atomic.Bool
	w.variables = func(_ *dag.DAG, name string) (string, error) {
		if name == "bucket" || name == "limits" && open.Load() {
			return "of-" + name, nil
		}
		return "", fmt.Errorf("variable %s is not for this DAG", name)
	}
	templates := macro.New()
	w.claims = func(d *dag.DAG) error { return templates.CheckVariables(d, w.variables) }
	w.version = func() string { return fmt.Sprint(open.Load()) }
	w.up()
	w.commit(map[string]string{"dags/a.yaml": shell("a", "", "echo {{ var.value.limits }}")})
	w.awaitImportErrors("dags/a.yaml:6:22: a.tasks[0].cmds[2]: variable limits is not for this DAG")
	open.Store(true)
	w.wantSync()
	w.awaitImportErrors()
	w.awaitDAG("a")
	w.commit(map[string]string{"dags/b.yaml": shell("b", "", "test {{ var.value['buc' ~ 'ket'] }} = of-bucket")})
	w.awaitDAG("b")
	w.awaitRun("b", w.trigger("b", nil), dag.RunSuccess)
	w.commit(map[string]string{"dags/c.yaml": shell("c", "", "echo {{ var.value['no' ~ 'body'] }}")})
	w.awaitDAG("c")
	r := w.awaitRun("c", w.trigger("c", nil), dag.RunFailed)
	if !strings.Contains(r.Reason.String(), "variable nobody is not for this DAG") {
		t.Errorf("reason %q", r.Reason)
	}
}
