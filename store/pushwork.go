package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
)

// SettledPush returns the push of a branch that was worked on last and was neither
// superseded nor skipped, the zero Push when there is none. When its commit is the branch's
// head, nothing is left to do for the branch.
func (s *Store) SettledPush(ctx context.Context, project int64, branch string) (p Push, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		p, err = settledPush(t, project, branch)
		return err
	})
	if err != nil {
		return Push{}, fmt.Errorf("read last push of a branch: %w", err)
	}
	return p, nil
}

// WakePushes requeues the pushes of a commit that wait for its pipeline, or were
// refused because of it. It returns how many there are.
func (s *Store) WakePushes(ctx context.Context, project int64, commit string) (woken int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		woken, err = t.exec(`UPDATE push SET retry_at = 0, state = 'pending', finished_at = 0
			WHERE project_id = $1 AND after_commit = $2 AND waits_for <> '' AND state IN ('pending', 'refused')`,
			project, commit)
		if err != nil {
			return fmt.Errorf("wake pushes: %w", err)
		}
		if woken > 0 {
			t.announce(Change{Kind: ChangePush, State: string(PushPending)})
		}
		return nil
	})
	return woken, err
}

// ReplayPush records a push's branch once more, at the same commit, so that it
// is rendered again; the branch's head decides what is rendered. It returns the
// new push's id. The error is dag.ErrNotFound when there is no such push and
// dag.ErrConflict when it is still pending.
func (s *Store) ReplayPush(ctx context.Context, by Actor, id int64) (int64, error) {
	return act(ctx, s, by, "ReplayPush", []any{id}, func(t *tx) (int64, error) {
		w := PushFilter{ID: id}.where(t)
		rows, err := t.query(`SELECT `+pushColumns+` FROM push p`+w.String(), w.args...)
		found, err := collect(rows, err, scanPush)
		switch {
		case err != nil:
			return 0, fmt.Errorf("read push: %w", err)
		case len(found) == 0:
			return 0, fmt.Errorf("push %d does not exist: %w", id, dag.ErrNotFound)
		case found[0].State == PushPending:
			return 0, fmt.Errorf("push %d is not finished yet: %w", id, dag.ErrConflict)
		}
		p := found[0]
		p.Delivery, p.ReceivedAt, p.User, p.Via = "", time.Time{}, by.name(), ViaReplay
		replayed, err := insertPush(t, p)
		if err != nil {
			return 0, err
		}
		return replayed, record(t, AuditEntry{By: by, Event: "replay_push", DAG: p.DAG})
	})
}

// RerenderPushes records the branches behind the given DAGs once more, so that
// they are rendered with the templates and settings of now. how is ViaRerender,
// ViaOverwrite or ViaDryRun. It returns the ids of the new pushes. DAGs that were
// not generated are left out.
func (s *Store) RerenderPushes(ctx context.Context, by Actor, dags []dag.ID, how string) ([]int64, error) {
	return act(ctx, s, by, "RerenderPushes", []any{dags, how}, func(t *tx) (pushes []int64, err error) {
		seen := map[string]bool{}
		for _, id := range dags {
			spec, err := oneSpec(t, "", id)
			if err != nil {
				return nil, err
			}
			if spec == nil {
				continue
			}
			key := fmt.Sprintf("%d %s", spec.ProjectID, spec.Source.Branch)
			if seen[key] {
				continue // another model of the same repository
			}
			seen[key] = true
			push, err := insertPush(t, Push{
				ProjectID: spec.ProjectID, Project: spec.Source.Project, Branch: spec.Source.Branch, Commit: spec.Source.Commit,
				Via: how, User: by.name(),
			})
			if err != nil {
				return nil, err
			}
			pushes = append(pushes, push)
		}
		return pushes, record(t, AuditEntry{By: by, Event: how, Extra: fmt.Sprintf(`{"dags": %d}`, len(dags))})
	})
}

// NextPushRetry is when the first of the pushes that wait is tried again, the zero
// time when none waits.
func (s *Store) NextPushRetry(ctx context.Context) (at time.Time, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		var micros int64
		if _, err := t.row(`SELECT COALESCE(MIN(retry_at), 0) FROM push WHERE state = 'pending' AND retry_at > 0`, nil,
			&micros); err != nil {
			return err
		}
		if micros != 0 {
			at = time.UnixMicro(micros).UTC()
		}
		return nil
	})
	return at, err
}

// UnreportedPushes returns up to limit pushes received since a time whose state was not
// reported to GitLab yet, oldest first.
func (s *Store) UnreportedPushes(ctx context.Context, since, now time.Time, limit int) (pushes []Push, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("reported <> state")
		w.add("received_at >= ?", since)
		w.add("report_retry_at <= ?", now)
		rows, err := t.query(`SELECT `+pushColumns+` FROM push`+w.String()+` ORDER BY id`+w.page(limit, 0), w.args...)
		pushes, err = collect(rows, err, scanPush)
		return err
	})
	return pushes, err
}

// Report is the outcome of reporting a push's state to GitLab.
type Report struct {
	ID int64
	// State is the state that GitLab knows now, or need not know.
	State PushState
	// Failed says that GitLab did not take the status. The next try is after a wait
	// that doubles, from 5 seconds to an hour.
	Failed bool
}

// WriteReports stores reports in one transaction.
func (s *Store) WriteReports(ctx context.Context, reports []Report) error {
	return s.write(ctx, func(t *tx) error {
		for _, r := range reports {
			if err := writeReport(t, r); err != nil {
				return fmt.Errorf("write report of push %d: %w", r.ID, err)
			}
		}
		return nil
	})
}

func writeReport(t *tx, r Report) error {
	if !r.Failed {
		_, err := t.exec(`UPDATE push SET reported = $2, report_retry_at = 0, report_tries = 0 WHERE id = $1`, r.ID, r.State)
		return err
	}
	var tries int
	if _, err := t.row(`SELECT report_tries FROM push WHERE id = $1`, []any{r.ID}, &tries); err != nil {
		return err
	}
	wait := min(5*time.Second<<min(tries, 10), time.Hour)
	// The failure of one that is not due was recorded before.
	_, err := t.exec(
		`UPDATE push SET report_tries = report_tries + 1, report_retry_at = $2 WHERE id = $1 AND report_retry_at <= $3`,
		r.ID, t.now.Add(wait), t.now)
	return err
}

// NewestOfCommit reports whether a push is the newest of its commit and branch:
// only that one's state is the commit's.
func (s *Store) NewestOfCommit(ctx context.Context, p Push) (newest bool, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		var later int64
		found, err := t.row(
			`SELECT id FROM push WHERE project_id = $1 AND after_commit = $2 AND branch = $3 AND id > $4 AND via <> 'dry_run' LIMIT 1`,
			[]any{p.ProjectID, p.Commit, p.Branch, p.ID}, &later)
		newest = !found
		return err
	})
	return newest, err
}

// MatchSpecs returns the ids of the generated DAGs that a pattern matches, by
// id: a part of the id or of the project's path, or all for "".
func MatchSpecs(specs []Spec, pattern string) []dag.ID {
	var ids []dag.ID
	for _, s := range specs {
		if strings.Contains(string(s.DAG), pattern) || strings.Contains(s.Source.Project, pattern) {
			ids = append(ids, s.DAG)
		}
	}
	return ids
}
