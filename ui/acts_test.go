package ui

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// failed makes a run of a → b → c that ended since b failed.
func (s *site) failed() dag.Run {
	s.Helper()
	s.save(newDAG("churn-model-retrain", "a", "b", "c"))
	r := s.run("churn-model-retrain", "one")
	s.start(r,
		dag.TaskInstance{Task: "a", State: dag.TaskSuccess, Try: 1, MaxTries: 1, QueuedAt: now.Add(-5 * time.Second), StartedAt: now.Add(-4 * time.Second), EndedAt: now.Add(-2 * time.Second)},
		dag.TaskInstance{Task: "b", State: dag.TaskFailed, Try: 1, MaxTries: 1, StartedAt: now.Add(-2 * time.Second), EndedAt: now, Reason: "exit code 3"},
		dag.TaskInstance{Task: "c", State: dag.TaskUpstreamFailed, MaxTries: 1})
	s.advance(r.DAG, store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: dag.RunFailed, At: now, Reason: "task b failed"})
	return r
}

func (s *site) states(r dag.Run) string {
	s.Helper()
	tasks, err := s.store.TaskInstances(s.Context(), r.DAG, r.ID)
	if err != nil {
		s.Fatal(err)
	}
	var states []string
	for _, ti := range tasks {
		states = append(states, string(ti.Task)+"="+string(ti.State)+string(ti.Wish))
	}
	return strings.Join(states, " ")
}

// told is the notice that an answer leaves for the next page.
func told(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if c.Name == noticeCookie {
			text, err := base64.RawURLEncoding.DecodeString(c.Value)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	return ""
}

func TestTaskWindowActs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path string
		form       url.Values
		status     int
		states     string
		told       string
	}{
		{"clear a task and what follows", "/tasks/b/clear", url.Values{"downstream": {"1"}}, 303, "a=success b= c=", "2 tasks were cleared"},
		{"clear a task alone", "/tasks/a/clear", nil, 303, "a= b=failed c=upstream_failed", "1 task was cleared"},
		{"mark a task", "/tasks/b/state", url.Values{"state": {"success"}}, 303, "a=success b=success c=", "b was marked."},
		{"mark with a wrong state", "/tasks/b/state", url.Values{"state": {"odd"}}, 422, "a=success b=failed c=upstream_failed", ""},
		{"cancel what does not run", "/tasks/b/cancel", nil, 409, "a=success b=failed c=upstream_failed", ""},
		{"clear an unknown task", "/tasks/x/clear", nil, 404, "a=success b=failed c=upstream_failed", ""},
		{"clear a run", "/clear", nil, 303, "a= b= c=", "3 tasks were cleared"},
		{"clear what failed", "/clear", url.Values{"only_failed": {"1"}}, 303, "a=success b= c=", "2 tasks were cleared"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r := s.failed()
			w := s.post(runURL(r.DAG, r.ID)+test.path, test.form, "")
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if diff := cmp.Diff(test.states, s.states(r)); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
			if got := told(t, w); got != test.told {
				t.Errorf("told %q, want %q", got, test.told)
			}
		})
	}
}

func TestTaskWindowOffersWhatIsPossible(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	p := s.get(http.StatusOK, taskURL(r.DAG, r.ID, "run_model"))
	p.wants(t, "Cancel", "Mark success", "Mark failed", "Rendered")
	w := s.post(taskURL(r.DAG, r.ID, "run_model")+"/cancel", nil, "")
	if w.Code != http.StatusSeeOther || s.states(r) != "run_model=runningcancel" {
		t.Fatalf("%d, states %q", w.Code, s.states(r))
	}
	s.get(http.StatusOK, taskURL(r.DAG, r.ID, "run_model")).wants(t, "is being stopped", "cancelled by alice")
	ended := s.failed()
	p = s.get(http.StatusOK, taskURL(ended.DAG, ended.ID, "b"))
	p.wants(t, "Mark success", "and everything after it", "exit code 3")
	p.lacks(t, "Cancel", "Mark failed")
}

func TestNoticeIsToldOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := newGet("/")
	r.Header.Set("Cookie", noticeCookie+"="+base64.RawURLEncoding.EncodeToString([]byte("<b>2 tasks were cleared</b>")))
	w := s.do(r)
	p := checkPage(t, "/", w)
	p.wants(t, "<b>2 tasks were cleared</b>")
	if strings.Contains(p.source, "<b>2") {
		t.Error("the notice came out as HTML")
	}
	if got := strings.Join(w.Header().Values("Set-Cookie"), ""); !strings.Contains(got, noticeCookie+"=;") {
		t.Errorf("the notice is not forgotten: %q", got)
	}
}

func TestBulkDAGs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	needy := newDAG("needy", "run_model")
	needy.Params = []dag.Param{{Name: "DATE", Schema: map[string]any{"type": "string"}}}
	s.save(newDAG("churn-model", "run_model"), newDAG("fraud-model", "run_model"), needy)
	all := url.Values{"dag": {"churn-model", "fraud-model", "needy"}, "back": {"/?state=paused"}}
	post := func(act string) *httptest.ResponseRecorder {
		form := url.Values{"act": {act}}
		for k, v := range all {
			form[k] = v
		}
		return s.post("/dags", form, "")
	}
	w := post("unpause")
	if w.Header().Get("Location") != "/?state=paused" || told(t, w) != "3 DAGs changed" {
		t.Errorf("led to %q and told %q", w.Header().Get("Location"), told(t, w))
	}
	s.get(http.StatusOK, "/").wants(t, "Active 3", "Paused 0")
	if got := told(t, post("pause")); got != "3 DAGs changed" {
		t.Errorf("told %q", got)
	}
	if got := told(t, post("trigger")); got != "2 runs were started\nneedy: The param DATE needs a value." {
		t.Errorf("told %q", got)
	}
	if w := post("odd"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an odd act gives %d, want 422", w.Code)
	}
	if w := s.post("/dags", url.Values{"act": {"pause"}}, ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("no DAG gives %d, want 422", w.Code)
	}
}

func TestBulkRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	queued := s.run(r.DAG, "two")
	w := s.post(dagURL(r.DAG, "runs"), url.Values{"run": {"one", "two"}, "act": {"failed"}}, "")
	if got := told(t, w); !strings.HasPrefix(got, "1 run changed\none: ") {
		t.Errorf("told %q", got)
	}
	w = s.post(dagURL(r.DAG, "runs"), url.Values{"run": {"one", "two"}, "act": {"clear"}}, "")
	if got := told(t, w); got != "2 runs changed" {
		t.Errorf("told %q", got)
	}
	if got := s.states(queued); got != "a= b= c=" {
		t.Errorf("states %q", got)
	}
}

// TestEveryActAsksForRights refuses everything and tries every act.
func TestEveryActAsksForRights(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	var asked []string
	s.server.Allow = func(_ echo.Context, act dag.Act, id dag.ID) error {
		asked = append(asked, string(act)+" "+string(id))
		return echo.NewHTTPError(http.StatusForbidden, "Only owners may do this.")
	}
	before := s.states(r)
	for _, a := range s.server.acts() {
		path := strings.NewReplacer(":dag", string(r.DAG), ":run", string(r.ID), ":task", "b", ":push", "1").Replace(a.path)
		w := s.post(path, url.Values{"act": {"pause"}, "dag": {string(r.DAG)}, "run": {"one"}, "paused": {"false"}, "state": {"success"}}, "")
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Ask the owner") {
			t.Errorf("%s gives %d, want 403 with what to do", path, w.Code)
		}
	}
	if len(asked) != len(s.server.acts()) || s.states(r) != before {
		t.Errorf("asked %q; states %q, want %q", asked, s.states(r), before)
	}
}

func TestGridGanttAndRendered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("empty", "a"))
	for _, tab := range []string{"grid", "gantt", "graph"} {
		s.get(http.StatusOK, "/dags/empty/"+tab).wants(t, "has not run yet", "Trigger it")
	}
	r := s.failed()
	second := s.run(r.DAG, "two")
	grid := s.get(http.StatusOK, "/dags/churn-model-retrain/grid")
	grid.wants(t, "one · b: failed", taskURL(r.DAG, r.ID, "c"), runURL(r.DAG, second.ID), `class="cell s-upstream-failed"`)
	gantt := s.get(http.StatusOK, "/dags/churn-model-retrain/gantt?run=one")
	gantt.wants(t, "a: queued 1.00 s", "a: success 2.00 s", "b: failed 2.00 s", `class="s-failed"`)
	s.get(http.StatusNotFound, "/dags/churn-model-retrain/gantt?run=absent")

	d := newDAG("templated", "run_model")
	d.Tasks[0].Env = []dag.EnvVar{{Name: "DAY", Value: "{{ ds }}"}, {Name: "CONF", Value: "{{ dag_run.conf['N'] }}"}}
	s.save(d)
	if _, err := s.store.TriggerRun(t.Context(), store.Trigger{DAG: "templated", Run: "x", LogicalDate: now, Conf: map[string]any{"N": 7}}); err != nil {
		t.Fatal(err)
	}
	s.get(http.StatusOK, taskURL("templated", "x", "run_model")+"/spec").wants(t, "2026-03-01", "AIRFLOW_CTX_DAG_ID", "registry.example.com/churn:3f2a9c1", "python main.py")
	s.run("templated", "y") // without N, which the template asks for
	s.get(http.StatusOK, taskURL("templated", "y", "run_model")+"/spec").wants(t, "env_vars")
}

func TestTriggerPreviewAndRecentConfigs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := paramDAG()
	d.Tasks[0].Env = []dag.EnvVar{{Name: "DAY", Value: "{{ ds }}"}}
	s.save(d)
	form := defaults()
	form.Set("mode", "preview")
	form.Set("conf", `{"EXTRA": "x1"}`)
	form.Set("param.LIMIT", "50")
	form.Set("logical_date", "2026-01-31T06:00")
	w := s.post("/dags/churn-model/trigger", form, "")
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	p := checkPage(t, "preview", w)
	p.wants(t, "What the containers will get", "EXTRA", "x1", "LIMIT", "50", "2026-01-31")
	if s.lastRun() != nil {
		t.Fatal("a preview made a run")
	}
	form.Set("conf", "{")
	p = checkPage(t, "preview", s.post("/dags/churn-model/trigger", form, ""))
	if line := p.attr("error-conf", "data-line"); line != "1" {
		t.Errorf("the fault is at line %q, want 1", line)
	}

	for i, conf := range []map[string]any{{"EXTRA": "old"}, {"LIMIT": 5, "DRY_RUN": false, "EXTRA": "new"}, {"EXTRA": "old"}, nil} {
		_, err := s.store.TriggerRun(t.Context(), store.Trigger{DAG: d.ID, Run: dag.RunID("r" + string(rune('0'+i))), Conf: conf, LogicalDate: now.AddDate(0, 0, i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	p = s.get(http.StatusOK, "/dags/churn-model/trigger")
	if n := strings.Count(p.source, "/dags/churn-model/trigger?from="); n != 2 {
		t.Errorf("%d recent configs, want the 2 different ones", n)
	}
	p = s.get(http.StatusOK, "/dags/churn-model/trigger?from=r1")
	p.wants(t, `"EXTRA": "new"`, "The config of r1 was taken over.")
	if v := p.attr("param.LIMIT", "value"); v != "5" {
		t.Errorf("LIMIT is %q, want 5", v)
	}
	s.get(http.StatusNotFound, "/dags/churn-model/trigger?from=absent")
}

func TestCodeDiff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("churn-model", "run_model")
	s.save(d)
	s.save(d)
	p := s.get(http.StatusOK, "/dags/churn-model/code?version=2&diff=1")
	p.wants(t, "Version 2 compared with version 1", "-# made by a test, 1", "+# made by a test, 2")
	s.get(http.StatusOK, "/dags/churn-model/code?version=2&diff=2").wants(t, "The files are the same.")
	s.get(http.StatusOK, "/dags/churn-model/code").wants(t, "What changed in this version")
	s.get(http.StatusNotFound, "/dags/churn-model/code?diff=9")
	s.get(http.StatusNotFound, "/dags/churn-model/code?diff=x")
}

func TestReplayPush(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, _, err := s.store.RecordPush(t.Context(), store.Push{ProjectID: 7, Project: "gbc/churn-model", Branch: "main", Commit: "abc", ReceivedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	path := "/models/" + strconv.FormatInt(id, 10) + "/replay"
	if w := s.post(path, nil, ""); w.Code != http.StatusConflict {
		t.Errorf("replaying a pending push gives %d, want 409", w.Code)
	}
	if err := s.store.FinishPushes(t.Context(), []store.PushResult{{ID: id, State: store.PushRefused, Reason: "no main.py"}}); err != nil {
		t.Fatal(err)
	}
	s.get(http.StatusOK, "/models").wants(t, "Replay", path)
	s.posted(path, url.Values{"back": {"/models?state=refused"}}, "/models?state=refused")
	pushes, err := s.store.Pushes(t.Context(), store.PushFilter{})
	if err != nil || len(pushes) != 2 || pushes[0].User != "alice" || pushes[0].State != store.PushPending {
		t.Errorf("pushes are %+v, %v; want a new pending one by alice", pushes, err)
	}
	for _, wrong := range []string{"/models/99/replay", "/models/x/replay"} {
		if w := s.post(wrong, nil, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s gives %d, want 404", wrong, w.Code)
		}
	}
}
