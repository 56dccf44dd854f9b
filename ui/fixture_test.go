package ui

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// site is the pages over a real store and real logs.
type site struct {
	*testing.T
	store  *store.Store
	logs   *tasklog.Dir
	server *server
	echo   *echo.Echo
	done   chan struct{}
	commit int
}

func newSite(t *testing.T) *site {
	t.Helper()
	logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, store: storetest.OpenTest(t), logs: logs, echo: echo.New(), done: make(chan struct{})}
	s.server = register(s.echo, Config{
		Store: s.store, Logs: logs, Now: func() time.Time { return now }, Environment: "DEV",
		User:      func(c echo.Context) string { return "alice" },
		GitLabURL: "https://gitlab.example.com", Done: s.done, PromotesTo: "gbc/airflow-prod", DAGProject: "gbc/airflow-dev",
	})
	return s
}

func newDAG(id dag.ID, tasks ...dag.TaskID) *dag.DAG {
	d := &dag.DAG{
		ID: id, Description: "Nightly scoring", Timezone: "Europe/Moscow", PausedUponCreation: true, MaxActiveRuns: 1,
		MaxActiveTasks: 16,
		Schedule:       dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "0 6 * * *", Timezone: "Europe/Moscow"},
		Owner:          "risk-team", Tags: []string{"scoring", string(id)},
		Source: dag.Source{Project: "gbc/risk/churn model", Branch: "main",
			Commit: "3f2a9c1d00000000000000000000000000000000"},
	}
	for i, task := range tasks {
		t := dag.Task{
			ID: task, Operator: dag.KubernetesPodOperator, TriggerRule: dag.AllSuccess, Retries: 1, RetryDelay: 5 * time.Minute,
			Image: "registry.example.com/churn:3f2a9c1", Cmds: []string{"python", "main.py"}, Arguments: []string{"a b"},
		}
		if i > 0 {
			t.Upstream = []dag.TaskID{tasks[i-1]}
		}
		d.Tasks = append(d.Tasks, t)
	}
	return d
}

// save puts each DAG into the store as a file of its own.
func (s *site) save(dags ...*dag.DAG) {
	s.Helper()
	s.commit++
	sync := store.Sync{Commit: fmt.Sprintf("dag-repo-commit-%d", s.commit)}
	for _, d := range dags {
		source := fmt.Sprintf("# made by a test, %d\n%s:\n  schedule: \"0 6 * * *\"\n", s.commit, d.ID)
		sync.Changed = append(sync.Changed,
			store.SpecFile{Path: "dags/" + string(d.ID) + ".yaml", Blob: source, Source: source, DAGs: []*dag.DAG{d}})
	}
	s.sync(sync)
}

func (s *site) sync(sync store.Sync) {
	s.Helper()
	if _, err := s.store.SaveDAGs(s.Context(), sync); err != nil {
		s.Fatal(err)
	}
}

// run triggers a run.
func (s *site) run(id dag.ID, run dag.RunID) dag.Run {
	s.Helper()
	r, err := s.store.TriggerRun(s.Context(), store.Trigger{DAG: id, Run: run, By: store.Actor{User: "bob", Via: "cli"}})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// start moves a run to running, with its tasks as given.
func (s *site) start(r dag.Run, tasks ...dag.TaskInstance) {
	s.Helper()
	for i := range tasks {
		tasks[i].DAG, tasks[i].Run = r.DAG, r.ID
	}
	s.advance(r.DAG, store.StartRun{DAG: r.DAG, Run: r.ID, At: now, Tasks: tasks})
}

func (s *site) advance(id dag.ID, actions ...store.Action) {
	s.Helper()
	took, err := s.store.Advance(s.Context(), []dag.ID{id}, func(store.Snapshot) []store.Action { return actions })
	if err != nil || len(took) != len(actions) {
		s.Fatalf("%d of %d actions took effect: %v", len(took), len(actions), err)
	}
}

// write appends to the log of the first try and seals it if wanted.
func (s *site) write(r dag.Run, task dag.TaskID, text string, seal bool) {
	s.Helper()
	key := dag.AttemptKey{DAG: r.DAG, Run: r.ID, Task: task, Try: 1}
	f, err := s.logs.File(key)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, text); err != nil {
		s.Fatal(err)
	}
	if seal {
		if err := s.logs.Seal(key); err != nil {
			s.Fatal(err)
		}
	}
}

// do sends a request to the handlers and returns the answer.
func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, r)
	return w
}

func newGet(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

// get reads a page that must be good HTML, and gives its text and source.
func (s *site) get(status int, path string) page {
	s.Helper()
	w := s.do(httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != status {
		s.Fatalf("GET %s: status %d, want %d\n%s", path, w.Code, status, w.Body)
	}
	return checkPage(s.T, path, w)
}

// russian reads a page as somebody whose browser is Russian.
func (s *site) russian(path string) page {
	s.Helper()
	r := newGet(path)
	r.Header.Set("Accept-Language", "ru")
	return checkPage(s.T, path, s.do(r))
}

// post sends a form.
func (s *site) post(path string, form url.Values, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return s.do(r)
}

// posted sends a form and wants to be led to a page.
func (s *site) posted(path string, form url.Values, next string) {
	s.Helper()
	w := s.post(path, form, "")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != next {
		s.Fatalf("POST %s: %d to %q, want 303 to %q\n%s", path, w.Code, w.Header().Get("Location"), next, w.Body)
	}
}

// page is an answer that was read as HTML.
type page struct {
	source, text string
	root         *html.Node
}

// checkPage reads a page and fails when it breaks a rule of every page: no
// inline script, style or handler, no id twice, and the security headers.
func checkPage(t *testing.T, path string, w *httptest.ResponseRecorder) page {
	t.Helper()
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"} {
		if w.Header().Get(name) == "" {
			t.Errorf("%s: no header %s", path, name)
		}
	}
	p := page{source: w.Body.String()}
	root, err := html.Parse(strings.NewReader(p.source))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	p.root = root
	ids := map[string]bool{}
	var text strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data + " ")
		}
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%s: inline <%s>", path, n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("%s: attribute %s=%q", path, a.Key, a.Val)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("%s: the id %q stands twice", path, a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	p.text = strings.Join(strings.Fields(text.String()), " ")
	return p
}

// attr returns an attribute of the element with the given id.
func (p page) attr(id, name string) string {
	for n := range p.root.Descendants() {
		found, value := false, ""
		for _, a := range n.Attr {
			found = found || a.Key == "id" && a.Val == id
			if a.Key == name {
				value = a.Val
			}
		}
		if found {
			return value
		}
	}
	return ""
}

// links lists the addresses that a page leads to.
func (p page) links() []string {
	var all []string
	for n := range p.root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "href" && n.Data == "a" {
				all = append(all, a.Val)
			}
		}
	}
	return all
}

// wants fails for every text that the page lacks.
func (p page) wants(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.text, text) && !strings.Contains(html.UnescapeString(p.source), text) {
			t.Errorf("the page lacks %q:\n%s", text, p.text)
		}
	}
}

// lacks fails for every text that the page has.
func (p page) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.text, text) {
			t.Errorf("the page should lack %q:\n%s", text, p.text)
		}
	}
}
