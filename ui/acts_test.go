package ui

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	"golang.org/x/net/html"

	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// failed makes a run of a → b → c that ended since b failed.
func (s *site) failed() dag.Run {
	s.Helper()
	s.save(newDAG("churn-model-retrain", "a", "b", "c"))
	r := s.run("churn-model-retrain", "one")
	s.start(r,
		dag.TaskInstance{Task: "a", State: dag.TaskSuccess, Try: 1, MaxTries: 1, QueuedAt: now.Add(-5 * time.Second),
			StartedAt: now.Add(-4 * time.Second), EndedAt: now.Add(-2 * time.Second)},
		dag.TaskInstance{Task: "b", State: dag.TaskFailed, Try: 1, MaxTries: 1, StartedAt: now.Add(-2 * time.Second),
			EndedAt: now, Reason: reason.New(reason.ExitCode, 3)},
		dag.TaskInstance{Task: "c", State: dag.TaskUpstreamFailed, MaxTries: 1})
	s.advance(r.DAG,
		store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: dag.RunFailed, At: now,
			Reason: reason.Of("task b failed")})
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
		{"clear a task and what follows", "/tasks/b/clear", url.Values{"downstream": {"1"}}, 303, "a=success b= c=",
			"2 tasks were cleared"},
		{"clear a task alone", "/tasks/a/clear", nil, 303, "a= b=failed c=upstream_failed", "1 task was cleared"},
		{"mark a task", "/tasks/b/state", url.Values{"state": {"success"}}, 303, "a=success b=success c=",
			"b was marked as success."},
		{"mark with a wrong state", "/tasks/b/state", url.Values{"state": {"odd"}}, 422,
			"a=success b=failed c=upstream_failed", ""},
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
	p.wants(t, "Cancel task", "Mark success", "Mark failed", "Rendered")
	w := s.post(taskURL(r.DAG, r.ID, "run_model")+"/cancel", nil, "")
	if w.Code != http.StatusSeeOther || s.states(r) != "run_model=runningcancel" {
		t.Fatalf("%d, states %q", w.Code, s.states(r))
	}
	s.get(http.StatusOK, taskURL(r.DAG, r.ID, "run_model")).wants(t, "is being stopped", "cancelled by alice")
	ended := s.failed()
	p = s.get(http.StatusOK, taskURL(ended.DAG, ended.ID, "b"))
	p.wants(t, "Mark success", "and everything after it", "exit code 3")
	p.lacks(t, "Cancel task", "Mark failed")
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
	s.server.Allow = func(_ echo.Context, right dag.Right, id dag.ID) error {
		asked = append(asked, string(right)+" "+string(id))
		return echo.NewHTTPError(http.StatusForbidden, "Only owners may do this.")
	}
	before := s.states(r)
	for _, a := range s.server.posts() {
		path := strings.NewReplacer(":dag", string(r.DAG), ":run", string(r.ID), ":task", "b", ":push", "1").Replace(a.path)
		w := s.post(path,
			url.Values{"act": {"pause"}, "dag": {string(r.DAG)}, "run": {"one"}, "paused": {"false"}, "state": {"success"}}, "")
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Ask the owner") {
			t.Errorf("%s gives %d, want 403 with what to do", path, w.Code)
		}
	}
	if len(asked) != len(s.server.posts()) || s.states(r) != before {
		t.Errorf("asked %q; states %q, want %q", asked, s.states(r), before)
	}
}

// TestActsLeadBack clears a task that was opened from a page, which is where one is
// afterwards, with the same run.
func TestActsLeadBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	for tab, back := range map[string]string{
		"graph":                     dagURL(r.DAG, "graph") + "?run=" + string(r.ID),
		"graph?run=" + string(r.ID): dagURL(r.DAG, "graph") + "?run=" + string(r.ID),
		"gantt":                     dagURL(r.DAG, "gantt") + "?run=" + string(r.ID),
		"grid?runs=50":              dagURL(r.DAG, "grid") + "?runs=50",
	} {
		href := withBack(taskURL(r.DAG, r.ID, "b"), back)
		if !slices.Contains(s.get(http.StatusOK, dagURL(r.DAG, tab)).links(), href) {
			t.Errorf("%s does not lead to %s", tab, href)
		}
		task := s.get(http.StatusOK, href)
		if n, acts := strings.Count(html.UnescapeString(task.source),
			`name="back" value="`+back+`"`), strings.Count(task.source, `name="ask"`); n != acts || acts < 2 {
			t.Errorf("%s: %d of %d acts lead back", tab, n, acts)
		}
		confirm := s.asked(taskURL(r.DAG, r.ID, "b")+"/clear", url.Values{"back": {back}})
		confirm.wants(t, `name="back" value="`+back+`"`)
	}
	s.posted(taskURL(r.DAG, r.ID, "b")+"/state",
		url.Values{"state": {"success"}, "back": {dagURL(r.DAG, "gantt") + "?run=one"}}, dagURL(r.DAG, "gantt")+"?run=one")
	// Another site's address leads nowhere.
	evil := s.get(http.StatusOK, withBack(taskURL(r.DAG, r.ID, "a"), "https://evil.example.com/"))
	if strings.Contains(evil.source, `name="back" value="https`) {
		t.Error("the page leads to another site")
	}
}

// TestBulkTriggerIsRepeated confirms a trigger of several DAGs twice.
func TestBulkTriggerIsRepeated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"), newDAG("fraud-model", "run_model"))
	form := url.Values{"act": {"trigger"}, "dag": {"churn-model", "fraud-model"}}
	p := s.asked("/dags", form)
	found := formKey.FindStringSubmatch(p.source)
	if found == nil || found[1] == "" {
		t.Fatal("the form has no key")
	}
	form.Set(keyField, found[1])
	form.Set("shown", p.shown())
	for range 2 {
		s.posted("/dags", form, "/")
	}
	if _, total, err := s.store.Runs(t.Context(), store.RunFilter{}); err != nil || total != 2 {
		t.Errorf("%d runs, %v; want one of each DAG", total, err)
	}
}

// TestGanttShowsTheWaitForTurn looks at runs that wait, or waited, until another ends.
func TestGanttShowsTheWaitForTurn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	first, second := s.run("churn-model", "first"), s.run("churn-model", "second")
	asked := first.QueuedAt
	later := func(n int) time.Time { return asked.Add(time.Duration(n) * time.Minute) }
	s.server.Now = func() time.Time { return later(30) }
	s.advance(first.DAG, store.StartRun{DAG: first.DAG, Run: first.ID, At: later(10), Tasks: []dag.TaskInstance{{
		DAG: first.DAG, Run: first.ID, Task: "run_model", State: dag.TaskRunning, QueuedAt: later(10), StartedAt: later(12),
		Try: 1, MaxTries: 1,
	}}})
	p := s.get(http.StatusOK, "/dags/churn-model/gantt?run=first")
	p.wants(t, "Whole run: queued 10 min", `data-says="Whole run: running"`, "Whole run: running 20 min",
		"run_model: queued 2 min", "run_model: running 18 min")
	p = s.get(http.StatusOK, "/dags/churn-model/gantt?run=second")
	p.wants(t, `data-says="Whole run: queued"`, `href="`+runURL(second.DAG, second.ID)+`"`,
		"waiting for an active run to end")
	p.lacks(t, "Whole run: running")
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
	if _, err := s.store.TriggerRun(t.Context(),
		store.Trigger{DAG: "templated", Run: "x", LogicalDate: now, Conf: map[string]any{"N": 7}}); err != nil {
		t.Fatal(err)
	}
	s.get(http.StatusOK, taskURL("templated", "x", "run_model")+"/spec").wants(t, "2026-03-01", "AIRFLOW_CTX_DAG_ID",
		"registry.example.com/churn:3f2a9c1", "python main.py")
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

	for i, conf := range []map[string]any{{"EXTRA": "old"}, {"LIMIT": 5, "DRY_RUN": false, "EXTRA": "new"},
		{"EXTRA": "old"}, nil} {
		_, err := s.store.TriggerRun(t.Context(),
			store.Trigger{DAG: d.ID, Run: dag.RunID("r" + string(rune('0'+i))), Conf: conf, LogicalDate: now.AddDate(0, 0, i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	p = s.get(http.StatusOK, "/dags/churn-model/trigger")
	if n := strings.Count(p.source, "/dags/churn-model/trigger?from="); n != 2 {
		t.Errorf("%d recent configs, want the 2 different ones", n)
	}
	p = s.get(http.StatusOK, "/dags/churn-model/trigger?from=r1")
	p.wants(t, `"EXTRA": "new"`, "The config of r1 was filled in.")
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
	id, _, err := s.store.RecordPush(t.Context(),
		store.Push{ProjectID: 7, Project: "gbc/churn-model", Branch: "main", Commit: "abc", ReceivedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	path := "/models/" + strconv.FormatInt(id, 10) + "/replay"
	if w := s.post(path, nil, ""); w.Code != http.StatusConflict {
		t.Errorf("replaying a pending push gives %d, want 409", w.Code)
	}
	if err := s.store.FinishPushes(t.Context(),
		[]store.PushResult{{ID: id, State: store.PushRefused, Reason: "no main.py"}}); err != nil {
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

// asked sends an act as the buttons of pages do, and wants to be shown what it
// would touch.
func (s *site) asked(path string, form url.Values) page {
	s.Helper()
	ask := url.Values{"ask": {"1"}}
	for key, values := range form {
		ask[key] = values
	}
	w := s.post(path, ask, "")
	if w.Code != http.StatusOK {
		s.Fatalf("POST %s: status %d, want 200\n%s", path, w.Code, w.Body)
	}
	return checkPage(s.T, path, w)
}

func TestActsSayFirstWhatTheyWouldTouch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path string
		form       url.Values
		wants      []string
		states     string // after it is confirmed
	}{
		{
			"clear a task and what follows", "/tasks/b/clear", url.Values{"downstream": {"1"}},
			[]string{"Clear 2 tasks?", "b", "c", "will run again"}, "a=success b= c=",
		},
		{"clear a run", "/clear", nil, []string{"Clear 3 tasks?", "a", "b", "c"}, "a= b= c="},
		{"clear what failed", "/clear", url.Values{"only_failed": {"1"}}, []string{"Clear 2 tasks?"}, "a=success b= c="},
		{
			"mark a task", "/tasks/b/state", url.Values{"state": {"success"}},
			[]string{"Mark task b as success?", "will be marked as success", "c", "will run after it"}, "a=success b=success c=",
		},
		{
			"mark a task as failed", "/tasks/a/state", url.Values{"state": {"failed"}},
			[]string{"Mark task a as failed?", "will be marked as failed"}, "a=failed b=failed c=upstream_failed",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r := s.failed()
			before := s.states(r)
			p := s.asked(runURL(r.DAG, r.ID)+test.path, test.form)
			p.wants(t, append(test.wants, "Back")...)
			if got := s.states(r); got != before {
				t.Fatalf("asking changed the states to %q", got)
			}
			form := url.Values{"shown": {p.shown()}}
			for key, values := range test.form {
				form[key] = values
			}
			s.posted(runURL(r.DAG, r.ID)+test.path, form, runURL(r.DAG, r.ID))
			if diff := cmp.Diff(test.states, s.states(r)); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

// stopped is a run that was marked failed while its first task ran.
func (s *site) stopped() dag.Run {
	s.Helper()
	s.save(newDAG("churn-model-retrain", "a", "b", "c"))
	r := s.run("churn-model-retrain", "one")
	a := dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: "a", State: dag.TaskRunning, Try: 1, MaxTries: 1, QueuedAt: now,
		StartedAt: now}
	s.start(r, a, dag.TaskInstance{Task: "b", MaxTries: 1}, dag.TaskInstance{Task: "c", MaxTries: 1})
	if err := s.store.SetRunState(s.Context(), store.Actor{User: "alice"}, r.DAG, r.ID, dag.RunFailed); err != nil {
		s.Fatal(err)
	}
	end := a
	end.State, end.EndedAt = dag.TaskFailed, now
	s.advance(r.DAG, store.UpdateTask{From: a.State, FromTry: 1, Task: end})
	return r
}

// TestActsBringBackWhatAMarkedRunLeft clears and marks tasks of a run that was marked
// failed: those that were skipped for it come back.
func TestActsBringBackWhatAMarkedRunLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path   string
		form   url.Values
		wants  string
		states string
	}{
		{"/clear", url.Values{"only_failed": {"1"}}, "Clear 3 tasks?", "a= b= c="},
		{"/tasks/a/clear", url.Values{"downstream": {"1"}}, "Clear 3 tasks?", "a= b= c="},
		{"/tasks/a/state", url.Values{"state": {"success"}}, "will run after it", "a=success b= c="},
	} {
		s := newSite(t)
		r := s.stopped()
		p := s.asked(runURL(r.DAG, r.ID)+test.path, test.form)
		p.wants(t, test.wants, "b", "c")
		test.form.Set("shown", p.shown())
		s.posted(runURL(r.DAG, r.ID)+test.path, test.form, runURL(r.DAG, r.ID))
		if got := s.states(r); got != test.states {
			t.Errorf("%s: states %q, want %q", test.path, got, test.states)
		}
	}
}

// TestEndedRunCanBeMarked wants the button for the other state on the run's page.
func TestEndedRunCanBeMarked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	p := s.get(http.StatusOK, runURL(r.DAG, r.ID))
	p.wants(t, `id="run-success"`)
	p.lacks(t, `id="run-failed"`)
	s.posted(runURL(r.DAG, r.ID)+"/state", url.Values{"state": {"success"}}, runURL(r.DAG, r.ID))
	p = s.get(http.StatusOK, runURL(r.DAG, r.ID))
	p.wants(t, `id="run-failed"`)
	p.lacks(t, `id="run-success"`)
}

// TestRussianSaysWhoMarkedARun wants the gender of a run, not of a task.
func TestRussianSaysWhoMarkedARun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.stopped()
	for _, path := range []string{runURL(r.DAG, r.ID), dagURL(r.DAG, "runs"), dagURL(r.DAG, "graph")} {
		p := s.russian(path)
		p.wants(t, "запуск помечен как упавший")
		p.lacks(t, "помечена")
	}
	s.russian(dagURL(r.DAG, "code")).wants(t, "создана из gbc/risk/churn model (main) по коммиту 3f2a9c1d")
}

// TestGraphSaysStatesInShort wants no state that is cut within its box.
func TestGraphSaysStatesInShort(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	s.russian(dagURL(r.DAG, "graph")).wants(t, ">не запущена</text>", "c: не запущена: ошибка в предыдущей таске")
	s.get(http.StatusOK, dagURL(r.DAG, "graph")).wants(t, ">upstream failed</text>")
}

// TestGanttShowsWhatRanBeforeAClear wants the whole run to begin with its first task.
func TestGanttShowsWhatRanBeforeAClear(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	s.posted(runURL(r.DAG, r.ID)+"/clear", url.Values{"only_failed": {"1"}}, runURL(r.DAG, r.ID))
	s.get(http.StatusOK, dagURL(r.DAG, "gantt")).wants(t, "Whole run: before it was cleared 5.00 s")
}

// TestClearSaysWhatTheTriggerRuleEnds clears a task that cannot run for what is before it.
func TestClearSaysWhatTheTriggerRuleEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.stopped()
	c := runURL(r.DAG, r.ID) + "/tasks/c/clear"
	s.asked(c, nil).wants(t, "will be skipped again: trigger rule all_success cannot be met: b (skipped)")
	s.asked(runURL(r.DAG, r.ID)+"/tasks/b/clear", nil).wants(t,
		"will not run: trigger rule all_success cannot be met: a (failed)")
	p := s.asked(runURL(r.DAG, r.ID)+"/clear", nil)
	p.wants(t, "will run again")
	p.lacks(t, "will be skipped")
}

// shown is the list that a page would confirm.
func (p page) shown() string {
	_, rest, _ := strings.Cut(p.source, `name="shown" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestActIsNotDoneToWhatWasNotShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	path := runURL(r.DAG, r.ID) + "/clear"
	form := url.Values{"only_failed": {"1"}, "shown": {s.asked(path, url.Values{"only_failed": {"1"}}).shown()}}
	s.posted(taskURL(r.DAG, r.ID, "a")+"/state", url.Values{"state": {"failed"}}, runURL(r.DAG, r.ID))
	w := s.post(path, form, "")
	if w.Code != http.StatusConflict {
		t.Fatalf("status %d, want 409", w.Code)
	}
	p := checkPage(t, path, w)
	p.wants(t, "Something has changed since this list was made", "Clear 3 tasks?")
	if got := s.states(r); got != "a=failed b=failed c=upstream_failed" {
		t.Errorf("states %q", got)
	}
	form.Set("shown", p.shown())
	s.posted(path, form, runURL(r.DAG, r.ID))
	if w := s.post(path, url.Values{"ask": {"1"}}, ""); w.Code != http.StatusConflict ||
		!strings.Contains(w.Body.String(), "There is nothing to clear.") {
		t.Errorf("clearing what is clear: status %d, want 409 and why", w.Code)
	}
}

func TestMarkingARunSaysWhatBecomesOfItsTasks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model-retrain", "a", "b"))
	r := s.run("churn-model-retrain", "one")
	s.start(r, dag.TaskInstance{Task: "a", State: dag.TaskRunning, Try: 1, MaxTries: 1, QueuedAt: now, StartedAt: now},
		dag.TaskInstance{Task: "b", MaxTries: 1})
	p := s.asked(runURL(r.DAG, r.ID)+"/state", url.Values{"state": {"failed"}})
	p.wants(t, "Mark run as failed?", "will be marked as failed", "will be stopped", "will be skipped")
	s.posted(runURL(r.DAG, r.ID)+"/state", url.Values{"state": {"failed"}, "shown": {p.shown()}}, runURL(r.DAG, r.ID))
	if w := s.post(runURL(r.DAG, r.ID)+"/state", url.Values{"state": {"failed"}, "ask": {"1"}},
		""); w.Code != http.StatusConflict {
		t.Errorf("marking an ended run: status %d, want 409", w.Code)
	}
}

// TestMarkingATaskThatRuns previews the marks of a task that another one waits for.
func TestMarkingATaskThatRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model-retrain", "a", "b"))
	r := s.run("churn-model-retrain", "one")
	s.start(r, dag.TaskInstance{Task: "a", State: dag.TaskRunning, Try: 1, MaxTries: 1, QueuedAt: now, StartedAt: now},
		dag.TaskInstance{Task: "b", MaxTries: 1})
	path := taskURL(r.DAG, r.ID, "a") + "/state"
	p := s.asked(path, url.Values{"state": {"success"}})
	p.wants(t, "will be stopped and marked as success")
	p.lacks(t, "will not run")
	s.asked(path, url.Values{"state": {"failed"}}).wants(t, "will be stopped and marked as failed",
		"will not run: trigger rule all_success cannot be met: a (failed)")
}

// TestClearSaysThatTheRunKeepsItsVersion clears a run of a DAG that has changed since.
func TestClearSaysThatTheRunKeepsItsVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	const kept = "The run keeps version 1 of the DAG; the newest is 2."
	s.asked(runURL(r.DAG, r.ID)+"/clear", nil).lacks(t, "newest")
	s.get(http.StatusOK, runURL(r.DAG, r.ID)).lacks(t, "newest")
	s.save(newDAG(r.DAG, "a", "b", "c", "d"))
	s.asked(runURL(r.DAG, r.ID)+"/clear", nil).wants(t, kept)
	s.asked(runURL(r.DAG, r.ID)+"/clear", url.Values{"only_failed": {"1"}}).wants(t, kept)
	s.asked(taskURL(r.DAG, r.ID, "b")+"/clear", nil).wants(t, kept)
	s.get(http.StatusOK, runURL(r.DAG, r.ID)).wants(t, "the newest is 2")
}

func TestCancelNamesWhatWouldBeStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	path := taskURL(r.DAG, r.ID, "run_model") + "/cancel"
	p := s.asked(path, nil)
	p.wants(t, "Cancel task run_model?", "will be stopped and not retried")
	s.posted(path, url.Values{"shown": {p.shown()}}, runURL(r.DAG, r.ID))
	if got := s.states(r); got != "run_model=runningcancel" {
		t.Errorf("states %q", got)
	}
	if strings.Contains(s.get(http.StatusOK, taskURL(r.DAG, r.ID, "run_model")).source, `id="act-cancel"`) {
		t.Error("an attempt that is being stopped can be cancelled once more")
	}
}

func TestBulkActsSayFirstWhatTheyWouldTouch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	needy := newDAG("needy", "run_model")
	needy.Params = []dag.Param{{Name: "DATE", Schema: map[string]any{"type": "string"}}}
	r := s.failed()
	s.save(newDAG("churn-model", "run_model"), needy)
	if err := s.store.SetPaused(t.Context(), store.Actor{User: "a"}, "churn-model", false); err != nil {
		t.Fatal(err)
	}
	dags := []string{"churn-model", "churn-model-retrain", "needy"}
	p := s.asked("/dags", url.Values{"act": {"unpause"}, "dag": dags, "back": {"/?state=paused"}})
	p.wants(t, "Un-pause 2 DAGs?", "Not affected", "It is in this state already.", `href="/?state=paused"`)
	p = s.asked("/dags", url.Values{"act": {"trigger"}, "dag": dags})
	p.wants(t, "Trigger 2 DAGs?", "a run will start", "The param DATE needs a value.", "Un-pause these DAGs")
	s.posted("/dags", url.Values{"act": {"trigger"}, "dag": dags, "shown": {p.shown()}}, "/")
	if row, err := s.store.DAG(t.Context(), r.DAG); err != nil || !row.Paused {
		t.Errorf("the DAG is active (%v), want paused: the tick was taken away", err)
	}
	s.posted("/dags", url.Values{"act": {"trigger"}, "dag": dags}, "/")
	if row, err := s.store.DAG(t.Context(), r.DAG); err != nil || row.Paused {
		t.Errorf("the DAG is paused (%v), want active as after the trigger of a single one", err)
	}

	queued := s.run(r.DAG, "two")
	runs := url.Values{"run": {"one", "two", "absent"}, "act": {"failed"}}
	p = s.asked(dagURL(r.DAG, "runs"), runs)
	p.wants(t, "Mark 1 run as failed?", "The run has this state already.", "absent")
	runs.Set("act", "clear")
	p = s.asked(dagURL(r.DAG, "runs"), runs)
	p.wants(t, "Clear 3 tasks?", "will run again: a, b, c", "There is nothing to clear.")
	runs.Set("shown", p.shown())
	s.posted(dagURL(r.DAG, "runs"), runs, dagURL(r.DAG, "runs"))
	if got := s.states(r) + s.states(queued); got != "a= b= c=a= b= c=" {
		t.Errorf("states %q", got)
	}
}

// TestArchivedDAGOffersOnlyWhatIsPossible looks for acts that the store refuses.
func TestArchivedDAGOffersOnlyWhatIsPossible(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.failed()
	s.sync(store.Sync{Commit: "gone", Removed: []string{"dags/churn-model-retrain.yaml"}})
	s.get(http.StatusOK, taskURL(r.DAG, r.ID, "b")).lacks(t, "Clear", "Mark success")
	s.get(http.StatusOK, runURL(r.DAG, r.ID)).lacks(t, "Clear", "Trigger again")
	s.get(http.StatusOK, dagURL(r.DAG, "trigger")).lacks(t, "Trigger DAG", "Preview")
	s.get(http.StatusOK, dagURL(r.DAG, "graph")).wants(t, "Delete")
}

// TestBulkClearNamesWhatItStops clears a run of which a task runs.
func TestBulkClearNamesWhatItStops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.running()
	p := s.asked(dagURL(r.DAG, "runs"), url.Values{"run": {string(r.ID)}, "act": {"clear"}})
	p.wants(t, "Clear 1 task?", "will be stopped and run again: run_model")
	p.lacks(t, "will run again:")
}
