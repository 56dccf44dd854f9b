package store

import (
	"context"
	"fmt"
	"strings"
)

// Why a push is skipped (Push.Reason).
const (
	SkippedByMessage = "the message of its last commit asks for no CI ([skip ci])"
	SkippedByOption  = "the push asks for no CI (-o ci.skip)"
)

// RecordSkip records a push that asks not to be rendered, with Push.Reason: a deliberate
// no leaves a record, or the branch's head would look like one whose hook was lost. The
// branch counts as what it was before, see WantedHead. The push is PushSkipped at once;
// without a Before it is taken to be on top of the push of the branch that was recorded
// last. It is a repeat, and created false, when its Delivery was seen already or the
// newest record of the commit is skipped as well; the id is then the earlier one's. A
// pending push of the commit that the reconciler found itself, before the hook arrived,
// becomes the skipped one. A ChangePush follows.
func (s *Store) RecordSkip(ctx context.Context, p Push) (id int64, created bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := lockBranch(t, p.ProjectID, p.Branch); err != nil {
			return fmt.Errorf("lock branch: %w", err)
		}
		created = false
		if id, err = earlierSkip(t, p); err != nil || id != 0 {
			return err
		}
		created = true
		p.State, p.FinishedAt = PushSkipped, t.now
		if p.Before == "" {
			if p.Before, err = lastTold(t, p); err != nil {
				return err
			}
		}
		if id, err = skipFound(t, p); err != nil || id != 0 {
			return err
		}
		id, err = insertPushAs(t, p)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return id, created, nil
}

// earlierSkip returns the id of the push that a skipped one repeats, 0 when there is
// none.
func earlierSkip(t *tx, p Push) (id int64, err error) {
	if id, err = deliveredPush(t, p.Delivery); err != nil || id != 0 {
		return id, err
	}
	var state PushState
	_, err = t.row(
		`SELECT id, state FROM push WHERE project_id = $1 AND branch = $2 AND after_commit = $3 AND project = $4 AND via <> 'dry_run'
		ORDER BY id DESC LIMIT 1`, []any{p.ProjectID, p.Branch, p.Commit, p.Project}, &id, &state)
	if err != nil || state != PushSkipped {
		return 0, err
	}
	return id, nil
}

// lastTold returns the commit that the branch was brought to before p's, by the newest push
// that a hook, a CI job or the reconciler recorded; "" when there is none.
func lastTold(t *tx, p Push) (commit string, err error) {
	_, err = t.row(
		`SELECT after_commit FROM push WHERE project_id = $1 AND branch = $2 AND after_commit <> $3 AND via NOT IN ('replay', 'rerender', 'overwrite', 'dry_run')
		ORDER BY id DESC LIMIT 1`, []any{p.ProjectID, p.Branch, p.Commit}, &commit)
	if err != nil {
		return "", fmt.Errorf("read the push before: %w", err)
	}
	return commit, nil
}

// skipFound makes a pending push that the reconciler found the skipped one, and
// returns its id; 0 when there is none.
func skipFound(t *tx, p Push) (id int64, err error) {
	_, err = t.row(
		`UPDATE push SET state = $4, finished_at = $5, reason = $6, before_commit = $7, delivery = $8, user_name = $9, title = $10, via = $11
		WHERE project_id = $1 AND branch = $2 AND after_commit = $3 AND state = 'pending' AND via = 'reconciler' RETURNING id`,
		[]any{p.ProjectID, p.Branch, p.Commit, p.State, p.FinishedAt, p.Reason, p.Before, p.Delivery, p.User, p.Title, p.Via},
		&id)
	if err != nil {
		return 0, fmt.Errorf("skip a push that was found: %w", err)
	}
	if id != 0 {
		t.announce(Change{Kind: ChangePush, Project: p.Project, State: string(p.State)})
	}
	return id, nil
}

// maxSkips bounds how many skipped pushes in a row are followed.
const maxSkips = 1000

// Wanted is what a branch is to be rendered at.
type Wanted struct {
	// Commit is the branch's head, or what the branch was at before a push that asked
	// not to be rendered; "" when that is not known, and nothing is to be done.
	Commit string
	// Gone says that the branch did not exist before such a push.
	Gone bool
	// Known says that a push of the branch's head was ever recorded.
	Known bool
}

// WantedHead returns what a branch is to be rendered at whose head is given. Somebody
// who asks for a skipped commit later (a replay, a CI job, a push without the wish)
// makes it wanted.
func (s *Store) WantedHead(ctx context.Context, project int64, branch, head string) (w Wanted, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		var id int64
		known, err := t.row(
			`SELECT id FROM push WHERE project_id = $1 AND branch = $2 AND after_commit = $3 AND via <> 'dry_run' LIMIT 1`,
			[]any{project, branch, head}, &id)
		if err != nil {
			return err
		}
		w, err = wanted(t, project, branch, head)
		w.Known = known
		return err
	})
	if err != nil {
		return Wanted{}, fmt.Errorf("look for skipped pushes of a branch: %w", err)
	}
	return w, nil
}

// wanted goes back along skipped pushes.
func wanted(t *tx, project int64, branch, commit string) (Wanted, error) {
	seen := map[string]bool{}
	for range maxSkips {
		before, skipped, err := skippedFrom(t, project, branch, commit)
		if err != nil || !skipped {
			return Wanted{Commit: commit}, err
		}
		seen[commit] = true
		if before == "" || seen[before] {
			break // nobody said what was before, or it goes round in a circle
		}
		if strings.Trim(before, "0") == "" {
			return Wanted{Gone: true}, nil
		}
		commit = before
	}
	settled, err := settledPush(t, project, branch)
	return Wanted{Commit: settled.Commit}, err
}

// skippedFrom reports whether a commit of a branch is not to be rendered, and what the
// branch was at before it.
func skippedFrom(t *tx, project int64, branch, commit string) (before string, skipped bool, err error) {
	var id int64
	skipped, err = t.row(
		`SELECT id, before_commit FROM push WHERE project_id = $1 AND branch = $2 AND after_commit = $3 AND state = 'skipped'
		ORDER BY id DESC LIMIT 1`, []any{project, branch, commit}, &id, &before)
	if err != nil || !skipped {
		return "", false, err
	}
	var asked int64
	found, err := t.row(`SELECT id FROM push WHERE project_id = $1 AND branch = $2 AND after_commit = $3
			AND state <> 'skipped' AND via <> 'dry_run' AND (id > $4 OR via IN ('replay', 'ci')) LIMIT 1`,
		[]any{project, branch, commit, id}, &asked)
	return before, !found, err
}
