package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"dagwright/dag"
	"dagwright/store"
)

// Forgetful is a store whose database loses answers to COMMIT.
type Forgetful struct {
	*store.Store
	// DSN is that of the database itself.
	DSN string
	// Lose loses the answers to the next n COMMITs, or to all with a negative n.
	// What they commit is committed.
	Lose func(n int)
}

// RunLostAnswers loses the answers to every write of a store: each number in lost, of
// COMMITs, is tried. open gives an empty store, whose clock is [Standing].
//
// An answer that is lost once is not noticed. One that stays lost is an error that is
// store.ErrUnknown, and the same write again leaves everything as if it had been done
// once; it may be refused in a way that says so.
func RunLostAnswers(t *testing.T, open func(t *testing.T) Forgetful, lost ...int) {
	for _, w := range doubtfulWrites() {
		t.Run(w.method, func(t *testing.T) {
			t.Parallel()
			want := doubt(t, answering, w, 0)
			for _, n := range lost {
				if diff := cmp.Diff(want, doubt(t, open, w, n)); diff != "" {
					t.Errorf("%d answers lost: the database is not as after one write that was answered (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

// answering opens a database that loses no answer.
func answering(t *testing.T) Forgetful {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "dagwright.db")
	return Forgetful{Store: Open(t, store.Config{DSN: dsn, Now: Standing}), DSN: dsn, Lose: func(int) {}}
}

// doubt does a write whose answers are lost, once more when that was noticed, and
// returns all that is in the database then.
func doubt(t *testing.T, open func(t *testing.T) Forgetful, w doubtfulWrite, lost int) []string {
	t.Helper()
	s := open(t)
	f := fixture{T: t, Store: s.Store}
	write := w.prepare(f, makeTeam(f, "risk", 1))
	ctx := store.WithKey(f.ctx(), "a key", "a request")
	s.Lose(lost)
	err := write(ctx)
	s.Lose(0)
	noticed := lost < 0 || lost > 0 && w.notices
	if noticed {
		f.is(err, store.ErrUnknown)
		f.is(err, store.ErrUnavailable)
		err = write(ctx)
	}
	if !noticed || w.again == nil || err != nil && !errors.Is(err, w.again) {
		f.ok(err)
	}
	return contents(t, s.DSN)
}

// Standing is a clock that stands still, so that two databases can be compared.
func Standing() time.Time { return someTime.Add(time.Hour) }

// contents are all rows of a database except for the acts that it remembers and its random
// name.
func contents(t *testing.T, dsn string) (rows []string) {
	t.Helper()
	driver, tables := "pgx", `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name`
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn, tables = "sqlite", path, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range texts(t, db, tables) {
		if table == "act" || table == "database_identity" || strings.HasPrefix(table, "goose") || strings.HasPrefix(table, "sqlite") {
			continue
		}
		found := texts(t, db, `SELECT * FROM `+table)
		for i := range found {
			found[i] = table + ": " + found[i]
		}
		slices.Sort(found)
		rows = append(rows, found...)
	}
	return rows
}

// texts are the rows of a query, each as one text.
func texts(t *testing.T, db *sql.DB, query string) (rows []string) {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := found.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var fields []string
		for i, v := range values {
			if columns[i] == "trigger_key" || columns[i] == "rev" {
				continue // made at random
			}
			text := fmt.Sprint(*v.(*any))
			if len(columns) > 1 {
				text = columns[i] + "=" + text
			}
			fields = append(fields, text)
		}
		slices.Sort(fields) // the databases have them in different orders
		rows = append(rows, strings.Join(fields, " "))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// doubtfulWrite is one write of the store, of the team "risk".
type doubtfulWrite struct {
	method string
	// prepare makes what the write is about, and returns the write.
	prepare func(f fixture, tm team) func(context.Context) error
	// again is how a repeat may be refused, which says that it was done.
	again error
	// notices says that even the first lost answer is an error: the writer decides
	// again.
	notices bool
}

// DoubtfulWrites are the methods that RunLostAnswers tries.
func DoubtfulWrites() (methods []string) {
	for _, w := range doubtfulWrites() {
		methods = append(methods, w.method)
	}
	return methods
}

func doubtfulWrites() []doubtfulWrite {
	return slices.Concat(doubtfulActs(), doubtfulRunActs(), doubtfulSteps(), doubtfulPushes(), doubtfulProjects(),
		doubtfulSignIns())
}

// plainly is a write that needs no more than the team.
func plainly(method string, write func(ctx context.Context, f fixture, tm team) error) doubtfulWrite {
	return doubtfulWrite{method: method, prepare: func(f fixture, tm team) func(context.Context) error {
		return func(ctx context.Context) error { return write(ctx, f, tm) }
	}}
}

// doubtfulActs are acts of people on DAGs and pushes.
func doubtfulActs() []doubtfulWrite {
	return []doubtfulWrite{
		plainly("SetPaused",
			func(ctx context.Context, f fixture, tm team) error { return f.SetPaused(ctx, alice, tm.dag, false) }),
		plainly("PauseAll", func(ctx context.Context, f fixture, tm team) error {
			changed, err := f.PauseAll(ctx, alice, []dag.ID{tm.dag}, false)
			if err == nil {
				f.equal(changed, []dag.ID{tm.dag})
			}
			return err
		}),
		plainly("RequestPromotion", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.RequestPromotion(ctx, alice, tm.dag, 0, false)
			return err
		}),
		{method: "RequestRemoval", prepare: func(f fixture, tm team) func(context.Context) error {
			twin := dag.ID(tm.name + "-twin")
			return func(ctx context.Context) error { return f.RequestRemoval(ctx, alice, twin) }
		}},
		{method: "RequestRestore", prepare: func(f fixture, tm team) func(context.Context) error {
			settleRuns(f, tm)
			f.remove("dags/gbc/risk/risk-churn.yaml")
			spec := store.Spec{DAG: tm.dag, ProjectID: 1, Path: "dags/gbc/risk/risk-churn.yaml",
				Source: dag.Source{Project: tm.project, Branch: "main", Commit: "c"}}
			f.ok(f.ClaimSpec(f.ctx(), spec))
			return func(ctx context.Context) error {
				_, err := f.RequestRestore(ctx, alice, tm.dag)
				return err
			}
		}},
		{method: "DeleteDAG", prepare: func(f fixture, tm team) func(context.Context) error {
			settleRuns(f, tm)
			f.remove("dags/gbc/risk/risk-churn.yaml")
			return func(ctx context.Context) error { return f.DeleteDAG(ctx, alice, tm.dag) }
		}},
		{method: "TakeOver", prepare: func(f fixture, tm team) func(context.Context) error {
			settleRuns(f, tm)
			f.ok(f.ReleaseSpec(f.ctx(), tm.dag))
			f.remove("dags/gbc/risk/risk-churn.yaml")
			const path = "dags/gbc/fraud/fraud-churn.yaml"
			f.own(tm.dag, 2, "gbc/fraud/fraud-churn", path)
			f.save(file(path, "fraud", newDAG(tm.dag, "t")))
			return func(ctx context.Context) error { return f.TakeOver(ctx, alice, dag.FormerID(tm.dag, 0)) }
		}},
		plainly("ReplayPush", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.ReplayPush(ctx, alice, tm.push)
			return err
		}),
		plainly("RerenderPushes", func(ctx context.Context, f fixture, tm team) error {
			pushes, err := f.RerenderPushes(ctx, alice, []dag.ID{tm.dag}, store.ViaRerender)
			if err == nil {
				f.equal(len(pushes), 1)
			}
			return err
		}),
		plainly("Note", func(ctx context.Context, f fixture, tm team) error {
			return f.Note(ctx, store.AuditEntry{By: alice, Event: "refused", DAG: tm.dag})
		}),
	}
}

// settleRuns ends all runs of the team's DAG.
func settleRuns(f fixture, tm team) {
	f.Helper()
	f.ok(f.SetRunState(f.ctx(), alice, tm.dag, tm.run, dag.RunFailed))
	f.endAttempts(tm.dag)
}

// doubtfulRunActs are acts of people on runs, tasks and backfills.
func doubtfulRunActs() []doubtfulWrite {
	return []doubtfulWrite{
		plainly("TriggerRun", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.TriggerRun(ctx, store.Trigger{DAG: tm.dag, Conf: map[string]any{"n": 1}, Unpause: true, By: alice})
			return err
		}),
		plainly("SetRunState", func(ctx context.Context, f fixture, tm team) error {
			return f.SetRunState(ctx, alice, tm.dag, tm.run, dag.RunFailed)
		}),
		plainly("SetRunNote", func(ctx context.Context, f fixture, tm team) error {
			return f.SetRunNote(ctx, alice, tm.dag, tm.run, "a new note")
		}),
		{method: "DeleteRun", prepare: func(f fixture, tm team) func(context.Context) error {
			settleRuns(f, tm)
			return func(ctx context.Context) error {
				place, err := f.DeleteRun(ctx, alice, tm.dag, tm.run)
				if err == nil {
					f.equal(place, tm.dag)
				}
				return err
			}
		}},
		{method: "ClearTasks", prepare: func(f fixture, tm team) func(context.Context) error {
			settleRuns(f, tm)
			return func(ctx context.Context) error {
				cleared, err := f.ClearTasks(ctx, store.Clear{DAG: tm.dag, Run: tm.run, By: alice})
				if err == nil {
					f.equal(len(cleared), 2)
				}
				return err
			}
		}},
		plainly("ClearRuns", func(ctx context.Context, f fixture, tm team) error {
			chosen, err := f.ClearRuns(ctx, store.Clear{DAG: tm.dag, By: alice}, []dag.RunID{tm.run})
			if err == nil {
				f.equal([]any{len(chosen), chosen[0].Wish}, []any{2, dag.WishClear})
			}
			return err
		}),
		plainly("MarkTask", func(ctx context.Context, f fixture, tm team) error {
			return f.MarkTask(ctx, alice, dag.AttemptKey{DAG: tm.dag, Run: tm.run, Task: "second"}, dag.TaskSuccess)
		}),
		plainly("MarkTasks", func(ctx context.Context, f fixture, tm team) error {
			marked, err := f.MarkTasks(ctx, marking(tm))
			if err == nil {
				f.equal(len(marked), 1)
			}
			return err
		}),
		plainly("CancelTask", func(ctx context.Context, f fixture, tm team) error {
			return f.CancelTask(ctx, alice, dag.AttemptKey{DAG: tm.dag, Run: tm.run, Task: "risk-task"})
		}),
		plainly("CreateBackfill", func(ctx context.Context, f fixture, tm team) error {
			b, err := f.CreateBackfill(ctx, store.BackfillRequest{
				DAG: tm.dag, Dates: days(3), Conf: map[string]any{"n": 1}, Reprocess: store.ReprocessNone,
				MaxActiveRuns: 1, By: alice,
			})
			if err == nil {
				f.equal([]any{b.DAG, b.User}, []any{tm.dag, "alice"})
			}
			return err
		}),
		ofBackfill("PauseBackfill", func(ctx context.Context, f fixture, id int64) (store.Backfill, error) {
			return f.PauseBackfill(ctx, alice, id, true)
		}),
		ofBackfill("CancelBackfill", func(ctx context.Context, f fixture, id int64) (store.Backfill, error) {
			return f.CancelBackfill(ctx, alice, id)
		}),
	}
}

func ofBackfill(method string,
	do func(ctx context.Context, f fixture, id int64) (store.Backfill, error)) doubtfulWrite {
	return doubtfulWrite{method: method, prepare: func(f fixture, tm team) func(context.Context) error {
		b, err := f.CreateBackfill(f.ctx(),
			store.BackfillRequest{DAG: tm.dag, Dates: days(3), Reprocess: store.ReprocessNone, MaxActiveRuns: 1, By: alice})
		f.ok(err)
		return func(ctx context.Context) error {
			got, err := do(ctx, f, b.ID)
			if err == nil {
				f.equal([]any{got.ID, got.Paused}, []any{b.ID, true})
			}
			return err
		}
	}}
}

// doubtfulSteps are the scheduler's writes.
func doubtfulSteps() []doubtfulWrite {
	return []doubtfulWrite{
		{method: "Advance", notices: true, prepare: func(f fixture, tm team) func(context.Context) error {
			run := f.trigger(tm.dag)
			ti := dag.TaskInstance{DAG: tm.dag, Run: run.ID, Task: "second", State: dag.TaskQueued, Try: 1, MaxTries: 1,
				QueuedAt: someTime}
			step := []store.Action{store.StartRun{DAG: tm.dag, Run: run.ID, At: someTime, Tasks: []dag.TaskInstance{ti}}}
			return func(ctx context.Context) error {
				_, err := f.Advance(ctx, []dag.ID{tm.dag}, func(store.Snapshot) []store.Action { return step })
				return err
			}
		}},
		plainly("SaveDAGs", func(ctx context.Context, f fixture, tm team) error {
			_, err := f.SaveDAGs(ctx,
				store.Sync{Commit: "c7", Removed: []string{"dags/gbc/risk/risk-twin.yaml"}, Changed: []store.SpecFile{
					file("dags/gbc/risk/risk-churn.yaml", "new", newDAG(tm.dag, "t")),
					file("dags/gbc/risk/more.yaml", "more", newDAG("more", "t")),
					{Path: "broken.yaml", Blob: "b", Errors: dag.SpecErrors{{File: "broken.yaml", Reason: "broken"}}},
				}})
			return err
		}),
		plainly("SetUnplanned", func(ctx context.Context, f fixture, tm team) error {
			return f.SetUnplanned(ctx, dag.ID(tm.name+"-twin"), "its schedule ends")
		}),
		{method: "ClearUnplanned", prepare: func(f fixture, tm team) func(context.Context) error {
			twin := dag.ID(tm.name + "-twin")
			f.ok(f.SetUnplanned(f.ctx(), twin, "its schedule ends"))
			return func(ctx context.Context) error { return f.ClearUnplanned(ctx, twin) }
		}},
		plainly("SetRepositoryFault", func(ctx context.Context, f fixture, _ team) error {
			return f.SetRepositoryFault(ctx, "the branch is gone")
		}),
		plainly("WantSync", func(ctx context.Context, f fixture, _ team) error { return f.WantSync(ctx) }),
	}
}

// doubtfulPushes are writes about pushes and what comes of them.
func doubtfulPushes() []doubtfulWrite {
	ofPush := func(method string, write func(ctx context.Context, f fixture, push int64) error) doubtfulWrite {
		return doubtfulWrite{method: method, prepare: func(f fixture, _ team) func(context.Context) error {
			id, _ := f.record(push("main", "c1", "delivery"))
			return func(ctx context.Context) error { return write(ctx, f, id) }
		}}
	}
	return []doubtfulWrite{
		plainly("RecordPush", func(ctx context.Context, f fixture, _ team) error {
			_, _, err := f.RecordPush(ctx, push("main", "c1", "delivery"))
			return err
		}),
		plainly("RecordSkip", func(ctx context.Context, f fixture, _ team) error {
			p := push("main", "c1", "delivery")
			p.Reason = "[skip ci]"
			_, _, err := f.RecordSkip(ctx, p)
			return err
		}),
		ofPush("FinishPushes", func(ctx context.Context, f fixture, id int64) error {
			return f.FinishPushes(ctx,
				[]store.PushResult{{ID: id, State: store.PushPending, RetryAt: someTime.Add(time.Minute),
					Reason: "GitLab is away"}})
		}),
		{method: "WakePushes", prepare: func(f fixture, _ team) func(context.Context) error {
			id, _ := f.record(push("main", "c1", "delivery"))
			waits := store.PushResult{ID: id, State: store.PushPending, RetryAt: someTime.Add(time.Minute),
				WaitsFor: store.WaitsForPipeline}
			f.ok(f.FinishPushes(f.ctx(), []store.PushResult{waits}))
			return func(ctx context.Context) error {
				woken, err := f.WakePushes(ctx, 7, "c1")
				if err == nil {
					f.equal(woken, int64(1))
				}
				return err
			}
		}},
		ofPush("WriteReports", func(ctx context.Context, f fixture, id int64) error {
			return f.WriteReports(ctx, []store.Report{{ID: id, Failed: true}})
		}),
		plainly("ClaimSpec", func(ctx context.Context, f fixture, _ team) error {
			return f.ClaimSpec(ctx,
				store.Spec{DAG: "more", ProjectID: 7, Path: "dags/more.yaml",
					Source: dag.Source{Project: "g/more", Branch: "main"}})
		}),
		plainly("ReleaseSpec", func(ctx context.Context, f fixture, tm team) error { return f.ReleaseSpec(ctx, tm.dag) }),
		plainly("FinishRemoval", func(ctx context.Context, f fixture, tm team) error {
			return f.FinishRemoval(ctx, store.RemovalResult{DAG: tm.dag, MergeRequest: "https://gitlab/mr/1"})
		}),
		{method: "FinishPromotion", prepare: func(f fixture, tm team) func(context.Context) error {
			id, err := f.RequestPromotion(f.ctx(), alice, tm.dag, 0, false)
			f.ok(err)
			return func(ctx context.Context) error {
				return f.FinishPromotion(ctx,
					store.PromotionResult{ID: id, State: store.PromotionPending, Reason: "GitLab is away", RetryAt: someTime})
			}
		}},
		plainly("WantPreview", func(ctx context.Context, f fixture, _ team) error { return f.WantPreview(ctx, preview) }),
		{method: "FinishPreview", prepare: func(f fixture, _ team) func(context.Context) error {
			f.ok(f.WantPreview(f.ctx(), preview))
			return func(ctx context.Context) error { return f.FinishPreview(ctx, preview, someTime, "GitLab is away") }
		}},
	}
}

var preview = store.Preview{ProjectID: 7, MergeRequest: 1, Project: "g/p", Target: "main", Commit: "c1"}

// doubtfulProjects are writes about the projects of GitLab.
func doubtfulProjects() []doubtfulWrite {
	return []doubtfulWrite{
		plainly("TouchProject", func(ctx context.Context, f fixture, tm team) error {
			known, err := f.TouchProject(ctx, tm.id, tm.project, false)
			if err == nil {
				f.equal(known, true)
			}
			return err
		}),
		{method: "TakeProject", prepare: func(f fixture, tm team) func(context.Context) error {
			_, err := f.TouchProject(f.ctx(), tm.id, tm.project, false)
			f.ok(err)
			return func(ctx context.Context) error {
				p, found, err := f.TakeProject(ctx, tm.id)
				if err == nil {
					f.equal([]any{p.Path, found}, []any{tm.project, true})
				}
				return err
			}
		}},
		plainly("SaveProject", func(ctx context.Context, f fixture, tm team) error {
			return f.SaveProject(ctx,
				store.ModelProject{ID: tm.id, Path: "g/moved", State: store.ProjectArchived, CheckedAt: someTime})
		}),
	}
}

// doubtfulSignIns are writes about people, their sessions and tokens.
func doubtfulSignIns() []doubtfulWrite {
	at := Standing()
	session := store.Session{
		Hash: "hash", ID: "id", Person: ada, SID: "sid", Agent: "Firefox", IDToken: "sealed", RefreshToken: "sealed too",
		CreatedAt: at, SeenAt: at, IdleUntil: at.Add(time.Hour), ExpiresAt: at.Add(10 * time.Hour),
		RefreshAt: at.Add(5 * time.Minute),
	}
	inSession := func(method string, write func(ctx context.Context, f fixture) error) doubtfulWrite {
		return doubtfulWrite{method: method, prepare: func(f fixture, _ team) func(context.Context) error {
			f.ok(f.StartSession(f.ctx(), session, ""))
			return func(ctx context.Context) error { return write(ctx, f) }
		}}
	}
	token := store.APIToken{ID: "t", Hash: "h", Name: "mine", Owner: ada, ExpiresAt: at.Add(time.Hour)}
	withToken := func(method string, write func(ctx context.Context, f fixture) error) doubtfulWrite {
		return doubtfulWrite{method: method, prepare: func(f fixture, _ team) func(context.Context) error {
			f.ok(f.makeToken(alice, token))
			return func(ctx context.Context) error { return write(ctx, f) }
		}}
	}
	return []doubtfulWrite{
		inSession("StartSession", func(ctx context.Context, f fixture) error {
			next := session
			next.Hash, next.ID = "next", "next"
			return f.StartSession(ctx, next, session.Hash)
		}),
		inSession("SavePerson", func(ctx context.Context, f fixture) error {
			p := ada
			p.Claims, p.ClaimedAt = `{}`, at
			return f.SavePerson(ctx, p)
		}),
		inSession("UseSession", func(ctx context.Context, f fixture) error {
			return f.UseSession(ctx, session.Hash, at.Add(time.Minute), at.Add(2*time.Hour))
		}),
		inSession("ClaimRefresh", func(ctx context.Context, f fixture) error {
			_, err := f.ClaimRefresh(ctx, session.Hash, session.RefreshAt, at.Add(10*time.Minute))
			return err
		}),
		inSession("RefreshSession", func(ctx context.Context, f fixture) error {
			next := session
			next.RefreshToken, next.RefreshAt = "rotated", at.Add(time.Hour)
			return f.RefreshSession(ctx, next)
		}),
		inSession("EndSession", func(ctx context.Context, f fixture) error {
			return f.EndSession(ctx, alice, "end_session", session.ID, "", "")
		}),
		inSession("EndSessionsOf", func(ctx context.Context, f fixture) error {
			_, err := f.EndSessionsOf(ctx,
				store.Logout{Issuer: ada.Issuer, Subject: ada.Subject, TokenID: "1", Expires: at.Add(time.Hour)})
			return err
		}),
		plainly("CreateToken", func(ctx context.Context, f fixture, _ team) error {
			_, err := f.CreateToken(ctx, alice, token)
			return err
		}),
		withToken("UseToken", func(ctx context.Context, f fixture) error { return f.UseToken(ctx, token.ID, at) }),
		withToken("RevokeToken",
			func(ctx context.Context, f fixture) error { return f.RevokeToken(ctx, alice, token.ID, "", "") }),
	}
}
