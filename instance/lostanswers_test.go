package instance

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/tasklog"
)

// unaffected are the routes that write nothing, or are proved elsewhere, with why.
var unaffected = map[string]string{
	"POST /api/v2/backfills/dry_run":                                                "only says what it would do",
	"POST /api/v2/dags/:dag_id/clearTaskInstances try":                              "only says what it would do",
	"POST /api/v2/dags/:dag_id/dagRuns/list":                                        "reads",
	"POST /api/v2/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/list":              "reads",
	"PATCH /api/v2/dags/:dag_id/dagRuns/:dag_run_id/taskInstances/:task_id/dry_run": "only says what it would do",
	"POST /api/v2/tokens":                                                           "needs a sign-in: package auth",
	"DELETE /api/v2/tokens/:token_id":                                               "needs a sign-in: package auth",
	"POST /tokens":                                                                  "needs a sign-in: package auth",
	"POST /tokens/:token/revoke":                                                    "needs a sign-in: package auth",
	"POST /sessions/:session/end":                                                   "needs a sign-in: package auth",
	"POST /login":                                                                   "writes nothing",
	"POST /logout":                                                                  "needs a sign-in: package auth",
	"POST /auth/token":                                                              "writes nothing",
	"POST /auth/token/cli":                                                          "writes nothing",
	"POST /auth/backchannel-logout":                                                 "needs a provider: package auth; it may send its token again",
	"POST /settings":                                                                "writes a cookie",
	"POST /hooks/gitlab":                                                            "needs a signature: package webhook",
}

// TestLostAnswersOverHTTP loses all answers to COMMIT during every request that acts: it
// is answered with 503 and Retry-After, and asked once more as that answer says, all is as
// after one request that was answered. A route without a row fails.
func TestLostAnswersOverHTTP(t *testing.T) {
	t.Parallel()
	l := openLossy(t)
	seen := map[string]bool{}
	for i, r := range requests(l.router.Routes()) {
		name := strings.TrimSpace(r.method + " " + r.route + " " + r.note)
		if r.method == http.MethodGet || strings.HasPrefix(r.route, "/api/*") || r.route == "/api" || r.route == "/*" {
			continue
		}
		if unaffected[name] != "" {
			seen[name] = true
			continue
		}
		lost, plain := fmt.Sprintf("lost-%d", i), fmt.Sprintf("plain-%d", i)
		want := l.send(l.request(r, l.prepare(plain, r)))
		l.proxy.LoseCommits(0)
		first := l.request(r, l.prepare(lost, r))
		l.proxy.LoseCommits(-1)
		answer := l.send(first)
		l.proxy.LoseCommits(0)
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %v with no answer of the database, want 503 with Retry-After (or a row in unaffected)\n%.300s",
				name, answer.Code, answer.Header(), answer.Body)
			continue
		}
		// Logs are removed by the process of the scheduler, which says so after the act.
		if want.Code >= 400 && !strings.HasSuffix(name, "DELETE /api/v2/dags/:dag_id/dagRuns/:dag_run_id") {
			t.Errorf("%s: the request itself is answered with %d: %.300s", name, want.Code, want.Body)
		}
		got := l.send(l.again(first, answer))
		if got.Code != want.Code {
			t.Errorf("%s: the repeat is answered with %d, want %d: %.300s", name, got.Code, want.Code, got.Body)
		}
		if diff := gocmp.Diff(l.state(plain), l.state(lost)); diff != "" {
			t.Errorf("%s: after the repeat (-as after one request, +got):\n%s", name, diff)
		}
	}
	for name := range unaffected {
		if !seen[name] {
			t.Errorf("there is no route %q any more", name)
		}
	}
}

// lossy is an instance whose database can lose its answers.
type lossy struct {
	*testing.T
	servedHouse
	proxy *storetest.Proxy
}

func openLossy(t *testing.T) *lossy {
	t.Helper()
	proxy := storetest.NewProxy(t, storetest.Postgres(t))
	s := Settings{Logs: tasklog.Config{Dir: t.TempDir()}, Promotion: promotionSettings{ToProject: "gbc/airflow-prod"}}
	return &lossy{t, serveHouse(t, proxy.DSN(), s), proxy}
}

// place is what a request's path may name.
type place struct {
	dag, former    dag.ID
	push, backfill int64
}

// prepare makes a DAG with a run whose task is running, as far as the request's act needs
// no other.
func (l *lossy) prepare(id string, r asked) place {
	l.Helper()
	ctx, must := l.Context(), func(err error) {
		l.Helper()
		if err != nil {
			l.Fatalf("prepare %s %s: %v", r.method, r.route, err)
		}
	}
	p := place{dag: dag.ID(id), former: dag.ID(id)}
	file := "dags/gbc/" + id + ".yaml"
	project, _ := strconv.ParseInt(strings.Join(regexp.MustCompile(`\d`).FindAllString(id, -1), ""), 10, 64)
	if project = 2*project + 1; strings.HasPrefix(id, "lost") {
		project++
	}
	push := store.Push{ProjectID: project, Project: "gbc/" + id, Branch: "main", Commit: strings.Repeat("a", 40),
		ReceivedAt: time.Now()}
	var err error
	p.push, _, err = l.store.RecordPush(ctx, push)
	must(err)
	spec := store.Spec{DAG: p.dag, ProjectID: project, Path: file,
		Source: dag.Source{Project: push.Project, Branch: "main", Commit: push.Commit}}
	must(l.store.FinishPushes(ctx,
		[]store.PushResult{{ID: p.push, State: store.PushRendered, DAG: p.dag, Specs: []store.Spec{spec}}}))
	d := &dag.DAG{
		ID: p.dag, Timezone: "UTC", MaxActiveRuns: 1, MaxActiveTasks: 1, PausedUponCreation: true,
		Schedule: dag.Schedule{Kind: dag.ScheduleCronInterval, Expr: "@daily"},
		Tasks: []dag.Task{{ID: "run_model", Operator: dag.KubernetesPodOperator, TriggerRule: dag.AllSuccess,
			Image: "example", Retries: 1}},
	}
	save := func(path string) {
		_, err = l.store.SaveDAGs(ctx,
			store.Sync{Commit: path, Changed: []store.SpecFile{{Path: path, Blob: path, Source: path, DAGs: []*dag.DAG{d}}}})
		must(err)
	}
	save(file)
	run, err := l.store.TriggerRun(ctx, store.Trigger{DAG: p.dag, Run: "one"})
	must(err)
	if strings.Contains(r.route, "backfill_id") {
		b, err := l.store.CreateBackfill(ctx, store.BackfillRequest{
			DAG: p.dag, Dates: []store.NextRun{{LogicalDate: time.Unix(1e9, 0), RunAfter: time.Unix(1e9, 0)}},
			Reprocess: store.ReprocessNone, MaxActiveRuns: 1,
		})
		must(err)
		p.backfill = b.ID
	}
	if needsNoRun(r) {
		must(l.store.SetRunState(ctx, store.Actor{}, p.dag, run.ID, dag.RunFailed))
	} else {
		ti := dag.TaskInstance{DAG: p.dag, Run: run.ID, Task: "run_model", State: dag.TaskRunning, Try: 1, MaxTries: 2,
			QueuedAt: time.Now(), StartedAt: time.Now()}
		_, err = l.store.Advance(ctx, []dag.ID{p.dag}, func(store.Snapshot) []store.Action {
			return []store.Action{store.StartRun{DAG: p.dag, Run: run.ID, At: time.Now(), Tasks: []dag.TaskInstance{ti}}}
		})
		must(err)
	}
	if !needsNoFile(r) {
		return p
	}
	takenOver := strings.Contains(r.route, "take")
	if takenOver {
		must(l.store.ReleaseSpec(ctx, p.dag))
	}
	_, err = l.store.SaveDAGs(ctx, store.Sync{Commit: "gone", Removed: []string{file}})
	must(err)
	if takenOver { // by another project
		spec.ProjectID, spec.Path, spec.Source.Project = project+1e6, "dags/other/"+id+".yaml", "other/"+id
		must(l.store.ClaimSpec(ctx, spec))
		save(spec.Path)
		p.former = dag.FormerID(p.dag, 0)
		return p
	}
	must(l.store.ClaimSpec(ctx, spec)) // its branch is still there
	return p
}

// needsNoRun says that the act is refused while a run goes on.
func needsNoRun(r asked) bool {
	return needsNoFile(r) || r.method == http.MethodDelete && strings.Contains(r.route, "dag_run_id")
}

// needsNoFile says that the act is about a DAG whose file is gone.
func needsNoFile(r asked) bool {
	return strings.HasSuffix(r.route, "/restore") || strings.HasSuffix(r.route, "/delete-history") ||
		strings.Contains(r.route, "/take")
}

// sent is a request that can be sent again.
type sent struct {
	method, path, body, kind, key string
}

// request is the row's request about a place.
func (l *lossy) request(r asked, p place) sent {
	about := p.dag
	if strings.Contains(r.route, "/take") {
		about = p.former
	}
	values := map[string]string{
		"dag": string(about), "dag_id": string(about), "run": "one", "dag_run_id": "one", "task": "run_model",
		"task_id": "run_model",
		"push":    strconv.FormatInt(p.push, 10), "push_id": strconv.FormatInt(p.push, 10),
		"backfill_id": strconv.FormatInt(p.backfill, 10),
	}
	parts := strings.Split(r.route, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = url.PathEscape(values[name])
		}
	}
	named := strings.NewReplacer("risk-churn", string(p.dag), "%25", string(p.dag))
	s := sent{r.method, strings.Join(parts, "/") + "?" + named.Replace(r.query), named.Replace(cmp.Or(r.form, r.json)),
		"application/x-www-form-urlencoded", ""}
	if r.json != "" || strings.HasPrefix(r.route, "/api/") {
		s.kind = "application/json"
	}
	if s.body == "" && strings.HasSuffix(r.route, "/promote") {
		s.body = "version=1&step=propose"
		if s.kind == "application/json" {
			s.body = `{"version_number": 1}`
		}
	}
	return s
}

func (l *lossy) send(s sent) *httptest.ResponseRecorder {
	l.Helper()
	admin := auth.Identity{Name: "ada", Grants: []auth.Grant{{Role: dag.RoleAdmin, Scope: store.Scope{All: true}}}}
	var body io.Reader
	if s.body != "" {
		body = strings.NewReader(s.body)
	}
	req := httptest.NewRequestWithContext(auth.With(l.Context(), admin), s.method, s.path, body)
	if s.body != "" {
		req.Header.Set("Content-Type", s.kind)
	}
	if s.key != "" {
		req.Header.Set("Idempotency-Key", s.key)
	}
	w := httptest.NewRecorder()
	l.router.ServeHTTP(w, req)
	return w
}

var keptField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// again is the request once more, as its answer says: with the key of the header, or by
// the form of the page.
func (l *lossy) again(s sent, answer *httptest.ResponseRecorder) sent {
	l.Helper()
	if strings.HasPrefix(s.path, "/api/") {
		if s.key = answer.Header().Get("Idempotency-Key"); s.key == "" {
			l.Errorf("%s %s: the answer has no Idempotency-Key: %v", s.method, s.path, answer.Header())
		}
		return s
	}
	_, form, found := strings.Cut(answer.Body.String(), `action="`+html.EscapeString(s.path)+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	fields := url.Values{}
	for _, m := range keptField.FindAllStringSubmatch(form, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if !found || fields.Get("idempotency_key") == "" {
		l.Errorf("%s %s: the page has no form to ask again: %.2000s", s.method, s.path, answer.Body)
	}
	s.body = fields.Encode()
	return s
}

// state is what there is of a DAG, without its id: acts, runs, tasks, pushes, backfills
// and promotions.
func (l *lossy) state(id string) (all []string) {
	l.Helper()
	add := func(what string, args ...any) {
		all = append(all, strings.ReplaceAll(fmt.Sprintf(what, args...), id, "ID"))
	}
	ctx, d := l.Context(), dag.ID(id)
	entries, _, err := l.store.Audit(ctx, store.AuditFilter{DAG: d, Limit: 1000})
	add("audit %v", err)
	for _, e := range entries {
		add("%s by %s of %s", e.Event, e.By.User, e.Task)
	}
	row, err := l.store.DAG(ctx, d)
	add("paused %t, archived %t, %v", row.Paused, row.Archived, err)
	runs, _, err := l.store.Runs(ctx, store.RunFilter{DAG: d})
	add("runs %v", err)
	for _, r := range runs {
		add("run %s %s %q", r.Type, r.State, r.Note)
		tasks, err := l.store.TaskInstances(ctx, d, r.ID)
		add("tasks %v", err)
		for _, ti := range tasks {
			add("%s %s try %d of %d wish %s", ti.Task, ti.State, ti.Try, ti.MaxTries, ti.Wish)
		}
	}
	pushes, err := l.store.Pushes(ctx, store.PushFilter{Project: "gbc/" + id, Limit: 100})
	add("pushes %v", err)
	for _, p := range pushes {
		if p.Project == "gbc/"+id {
			add("push %s %s", p.Via, p.State)
		}
	}
	backfills, _, err := l.store.Backfills(ctx, d, 10, 0)
	add("%d backfills %v", len(backfills), err)
	promotions, err := l.store.Promotions(ctx, d, 10)
	add("%d promotions %v", len(promotions), err)
	removals, err := l.store.PendingRemovals(ctx)
	for _, m := range removals {
		if m.DAG == d {
			add("removal of %s", m.Path)
		}
	}
	add("removals %v", err)
	return all
}
