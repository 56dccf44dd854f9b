package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"dagwright/dag"
)

// PushState is the outcome of a push of a model repository.
type PushState string

// The states of a push. All but PushPending are final.
const (
	PushPending    PushState = "pending"    // recorded, not rendered yet
	PushRendered   PushState = "rendered"   // committed to the DAG repository
	PushUnchanged  PushState = "unchanged"  // rendered to the bytes that were there
	PushSuperseded PushState = "superseded" // a newer push of the branch took its place
	PushRefused    PushState = "refused"    // cannot become a DAG; Reason says why
	PushRemoved    PushState = "removed"    // the branch was deleted; its DAG file was removed
	PushProposed   PushState = "proposed"   // on a branch of the DAG repository, as a merge request
	PushCompared   PushState = "compared"   // a dry run: Reason says what would change, nothing was written
	PushSkipped    PushState = "skipped"    // asked not to be rendered; the branch counts as what it was before
)

// The values of Push.Via: who reported a push.
const (
	ViaWebhook    = "webhook"
	ViaReconciler = "reconciler" // found at the head of a branch
	ViaCI         = "ci"         // a job of the model's pipeline asked
	ViaReplay     = "replay"     // somebody asked to do it again
	ViaRerender   = "rerender"   // somebody asked to render the fleet again
	ViaOverwrite  = "overwrite"  // ... and to write over what was edited by hand
	ViaDryRun     = "dry_run"    // ... and to write nothing
)

// The values of Push.WaitsFor.
const (
	WaitsForPipeline = "pipeline" // the commit's pipeline has not built the image, or has failed to
	WaitsForImage    = "image"    // the registry does not have the image
)

// Push is one push to a branch of a model repository, as a webhook reported it
// or the reconciler found it.
type Push struct {
	ID        int64
	ProjectID int64
	Project   string // path_with_namespace
	Branch    string
	Before    string // commit
	Commit    string // commit after the push; zeros when the branch was deleted
	Deleted   bool
	// Delivery is GitLab's Idempotency-Key, "" when there was none.
	Delivery   string
	User       string
	Title      string // of the head commit
	ReceivedAt time.Time
	Via        string // ViaWebhook and its like; "" when unknown

	State      PushState
	FinishedAt time.Time
	Tries      int       // failed tries to finish it
	RetryAt    time.Time // of a pending push that could not be finished
	Reason     string    // of a refusal, or of the last failed try
	DAG        dag.ID
	DAGCommit  string // commit of the DAG repository that holds the result
	// WaitsFor is WaitsForPipeline, WaitsForImage or "".
	WaitsFor string
	// Repeats counts how often it was reported again while it was pending.
	Repeats int
	// MergeRequest is the URL of the merge request that proposes the result.
	MergeRequest string
}

const pushColumns = `id, project_id, project, branch, before_commit, after_commit, is_deleted, delivery, user_name,
	title, received_at, via, state, finished_at, tries, retry_at, reason, dag_id, dag_commit, waits_for, merge_request, repeats`

func scanPush(r scanner) (Push, error) {
	var p Push
	err := r.Scan(&p.ID, &p.ProjectID, &p.Project, &p.Branch, &p.Before, &p.Commit, &p.Deleted, &p.Delivery, &p.User,
		&p.Title, at(&p.ReceivedAt), &p.Via, &p.State, at(&p.FinishedAt), &p.Tries, at(&p.RetryAt), &p.Reason, &p.DAG,
		&p.DAGCommit,
		&p.WaitsFor, &p.MergeRequest, &p.Repeats)
	return p, err
}

// RecordPush records a push before it is processed. It is a repeat, and created
// false, when its Delivery was seen already or when the same project, path and
// branch has a pending push of the same commit, or has none that is pending and was
// brought to that commit last, whatever became of it; the id is then that of the
// earlier one. The push begins as PushPending, received now when ReceivedAt is zero.
func (s *Store) RecordPush(ctx context.Context, p Push) (id int64, created bool, err error) {
	// Most repeats write nothing: they need not wait for their turn to write.
	if id, err = s.knownPush(ctx, p); err != nil || id != 0 {
		return id, false, err
	}
	err = s.write(ctx, func(t *tx) error {
		if err := lockBranch(t, p.ProjectID, p.Branch); err != nil {
			return fmt.Errorf("lock branch: %w", err)
		}
		created = false
		if id, err = earlierPush(t, p); err != nil {
			return err
		}
		if id != 0 {
			return nameAuthor(t, id, p)
		}
		id, err = insertPush(t, p)
		created = err == nil
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return id, created, nil
}

// knownPush returns the id of the push that p repeats when that is known without
// writing, else 0.
func (s *Store) knownPush(ctx context.Context, p Push) (id int64, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		if id, err = deliveredPush(t, p.Delivery); err != nil || id != 0 {
			return err
		}
		if id, err = repeatedPush(t, p); err != nil || id == 0 {
			return err
		}
		if lacks, err := lacksAuthor(t, id, p); err != nil || !lacks {
			return err
		}
		id = 0
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("look for an earlier push: %w", err)
	}
	return id, nil
}

// lacksAuthor reports whether p knows whose push id is and what it is called, which the
// reconciler did not when it found the commit before the hook came.
func lacksAuthor(t *tx, id int64, p Push) (lacks bool, err error) {
	if p.User == "" && p.Title == "" {
		return false, nil
	}
	return t.row(`SELECT id FROM push WHERE id = $1 AND user_name = '' AND title = ''`, []any{id}, new(int64))
}

// nameAuthor writes whose push it is, and what it is called, where nobody knew.
func nameAuthor(t *tx, id int64, p Push) error {
	if p.User == "" && p.Title == "" {
		return nil
	}
	var state PushState
	named, err := t.row(`UPDATE push SET user_name = $2, title = $3 WHERE id = $1 AND user_name = '' AND title = ''
		RETURNING state`, []any{id, p.User, p.Title}, &state)
	if err != nil {
		return fmt.Errorf("write the author of push %d: %w", id, err)
	}
	if !named {
		return nil
	}
	t.announce(Change{Kind: ChangePush, Project: p.Project, State: string(state)})
	return nil
}

// insertPush writes a pending push.
func insertPush(t *tx, p Push) (id int64, err error) {
	p.State, p.FinishedAt, p.Reason = PushPending, time.Time{}, ""
	return insertPushAs(t, p)
}

// insertPushAs writes a push in the state that it has.
func insertPushAs(t *tx, p Push) (id int64, err error) {
	if p.ReceivedAt.IsZero() {
		p.ReceivedAt = t.now
	}
	_, err = t.row(`INSERT INTO push (project_id, project, branch, before_commit, after_commit, is_deleted, delivery,
			user_name, title, received_at, via, state, finished_at, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id`,
		[]any{p.ProjectID, p.Project, p.Branch, p.Before, p.Commit, p.Deleted, p.Delivery,
			p.User, p.Title, p.ReceivedAt, p.Via, p.State, p.FinishedAt, p.Reason}, &id)
	if err != nil {
		return 0, fmt.Errorf("write push: %w", err)
	}
	t.announce(Change{Kind: ChangePush, Project: p.Project, State: string(p.State)})
	return id, nil
}

// lockBranch lets pushes of one branch take turns.
func lockBranch(t *tx, project int64, branch string) error {
	return t.lockName(fmt.Sprintf("push %d %s", project, branch))
}

// lockName lets transactions about one thing take turns. It is an advisory lock, for
// things of which there is no row to lock before the first one.
func (t *tx) lockName(name string) error {
	if !t.locks {
		return nil
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "dagwright %s", name)
	_, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, int64(h.Sum64()))
	return err
}

// earlierPush returns the id of the push that p repeats, 0 when there is none.
func earlierPush(t *tx, p Push) (id int64, err error) {
	if id, err = deliveredPush(t, p.Delivery); err != nil || id != 0 {
		return id, err
	}
	if id, err = pendingPush(t, p); err != nil || id != 0 {
		return id, err
	}
	return repeatedPush(t, p)
}

// deliveredPush returns the id of the push that the same delivery reported before, 0
// when there is none.
func deliveredPush(t *tx, delivery string) (id int64, err error) {
	if delivery == "" {
		return 0, nil
	}
	_, err = t.row(`SELECT id FROM push WHERE delivery = $1 AND delivery <> ''`, []any{delivery}, &id)
	return id, err
}

// repeatedPush returns the id of the push that a branch was brought to last, when
// that is p's and nothing of the branch is pending; else 0.
func repeatedPush(t *tx, p Push) (id int64, err error) {
	var pending int64
	found, err := t.row(
		`SELECT id FROM push WHERE project_id = $1 AND branch = $2 AND state = 'pending' AND via <> 'dry_run' LIMIT 1`,
		[]any{p.ProjectID, p.Branch}, &pending)
	if err != nil || found {
		return 0, err // the outcome of the push is unknown
	}
	settled, err := settledPush(t, p.ProjectID, p.Branch)
	if err != nil || settled.Commit != p.Commit || settled.Deleted != p.Deleted || settled.Project != p.Project {
		return 0, err
	}
	return settled.ID, nil
}

// pendingPush returns the id of a pending push of the same commit, 0 when there is
// none. The repeat is counted: a generator that is about to supersede the push then
// looks at the branch once more.
func pendingPush(t *tx, p Push) (id int64, err error) {
	_, err = t.row(`UPDATE push SET repeats = repeats + 1 WHERE id = (SELECT id FROM push
		WHERE project_id = $1 AND after_commit = $2 AND branch = $3 AND is_deleted = $4 AND project = $5 AND state = 'pending' AND via <> 'dry_run'
		ORDER BY id DESC LIMIT 1) RETURNING id`, []any{p.ProjectID, p.Commit, p.Branch, p.Deleted, p.Project}, &id)
	return id, err
}

// settledPush returns the push of a branch that was worked on last and was neither
// superseded nor skipped, the zero Push when there is none.
func settledPush(t *tx, project int64, branch string) (Push, error) {
	rows, err := t.query(`SELECT `+pushColumns+` FROM push
		WHERE project_id = $1 AND branch = $2 AND state NOT IN ('pending', 'superseded', 'compared', 'skipped')
		ORDER BY finished_at DESC, id DESC LIMIT 1`, project, branch)
	found, err := collect(rows, err, scanPush)
	if err != nil || len(found) == 0 {
		return Push{}, err
	}
	return found[0], nil
}

// PendingPushes returns up to limit pushes that are to be worked on at now,
// oldest first.
func (s *Store) PendingPushes(ctx context.Context, now time.Time, limit int) (pushes []Push, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("state = 'pending'")
		w.add("retry_at <= ?", now)
		rows, err := t.query(`SELECT `+pushColumns+` FROM push`+w.String()+` ORDER BY id`+w.page(limit, 0), w.args...)
		pushes, err = collect(rows, err, scanPush)
		return err
	})
	return pushes, err
}

// PushResult is the outcome of a push. State PushPending with a RetryAt and
// Reason records a failed try.
type PushResult struct {
	ID        int64
	State     PushState
	Reason    string
	RetryAt   time.Time
	DAG       dag.ID
	DAGCommit string
	// Commit is set when another commit than the recorded one was rendered: the
	// branch's head, for a push that somebody asked for.
	Commit string
	// WaitsFor and MergeRequest are as in Push.
	WaitsFor, MergeRequest string
	// Repeats is Push.Repeats as it was when the branch's head was read. A push
	// that was reported again since then is not superseded, and stays pending.
	Repeats int
	// Specs are the DAG files that the push was rendered to, or found to be.
	Specs []Spec
	// Released are the DAG names that are given up: their files are gone.
	Released []dag.ID
}

// FinishPushes writes results in one transaction. A push that is no longer
// pending is left alone, and so are the Specs and Released of its result. When
// any of them was rendered or removed, a ChangeSyncWanted follows.
func (s *Store) FinishPushes(ctx context.Context, results []PushResult) error {
	return s.write(ctx, func(t *tx) error {
		news := false
		for _, r := range results {
			finished, err := finishPush(t, r)
			if err != nil {
				return fmt.Errorf("finish push %d: %w", r.ID, err)
			}
			news = news || finished && (r.State == PushRendered || r.State == PushRemoved)
		}
		if news {
			t.announce(Change{Kind: ChangeSyncWanted})
		}
		return nil
	})
}

func finishPush(t *tx, r PushResult) (finished bool, err error) {
	// A model's author may have had a part in the words, and PostgreSQL takes no such
	// bytes: one push must not keep all others of the transaction.
	r.Reason = plainText(r.Reason)
	tries, at := 1, time.Time{}
	if r.State != PushPending {
		tries, at, r.RetryAt = 0, t.now, time.Time{}
	}
	var project string
	// A try that failed is counted once: a repeated result has the same next try.
	finished, err = t.row(`UPDATE push SET state = $2, finished_at = $3,
		tries = tries + CASE WHEN retry_at = $5 AND reason = $6 THEN 0 ELSE $4 END, retry_at = $5, reason = $6,
		dag_id = $7, dag_commit = $8, waits_for = $9, merge_request = $10,
		after_commit = CASE WHEN $11 = '' THEN after_commit ELSE $11 END
		WHERE id = $1 AND state = 'pending' AND ($2 <> 'superseded' OR repeats = $12) RETURNING project`,
		[]any{r.ID, r.State, at, tries, r.RetryAt, r.Reason, r.DAG, r.DAGCommit, r.WaitsFor, r.MergeRequest, r.Commit,
			r.Repeats}, &project)
	if err != nil || !finished {
		return false, err
	}
	t.announce(Change{Kind: ChangePush, DAG: r.DAG, Project: project, State: string(r.State)})
	for _, id := range r.Released {
		if err := releaseSpec(t, id); err != nil {
			return false, err
		}
	}
	for _, spec := range r.Specs {
		if err := writeSpec(t, spec); err != nil {
			return false, err
		}
	}
	return true, nil
}

// plainText leaves out what a database does not take as text.
func plainText(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "") }

// PushFilter selects pushes; zero fields do not filter.
type PushFilter struct {
	ID      int64
	Project string // a part of the path, any case
	DAG     dag.ID
	States  []PushState
	Before  int64 // keyset: only ids below this one
	Limit   int   // 50 when zero
}

func (f PushFilter) where(t *tx) *where {
	w := &where{}
	if f.Project != "" {
		w.add(`lower(p.project) LIKE ? ESCAPE '\'`, "%"+literal(strings.ToLower(f.Project))+"%")
	}
	in(w, "p.state", f.States)
	if f.ID != 0 {
		w.add("p.id = ?", f.ID)
	}
	if f.DAG != "" {
		w.add("p.dag_id = ?", f.DAG)
	}
	if f.Before != 0 {
		w.add("p.id < ?", f.Before)
	}
	t.scopePush(w)
	return w
}

// Pushes lists pushes, newest first.
func (s *Store) Pushes(ctx context.Context, f PushFilter) (pushes []Push, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := f.where(t)
		query := `SELECT ` + pushColumns + ` FROM push p` + w.String() + ` ORDER BY p.id DESC` + w.page(f.Limit, 0)
		rows, err := t.query(query, w.args...)
		pushes, err = collect(rows, err, scanPush)
		return err
	})
	return pushes, err
}

// WantSync tells the scheduler, through the change feed, that the DAG
// repository has news.
func (s *Store) WantSync(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		t.announce(Change{Kind: ChangeSyncWanted})
		return nil
	})
}
