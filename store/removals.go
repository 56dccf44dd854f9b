package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// RequestRemoval asks the generator to remove the DAG's file from the DAG
// repository; the DAG is archived once the scheduler sees that it is gone.
// Until then the request is in PendingRemovals. Asking again retries a removal that
// failed at once, proposes again one whose merge request was left unmerged, and otherwise
// changes nothing. The error is dag.ErrNotFound when there is no such DAG and
// dag.ErrConflict when it is archived. A ChangeDAG and a ChangeRemoval follow.
func (s *Store) RequestRemoval(ctx context.Context, by Actor, id dag.ID) error {
	return s.plainAct(ctx, by, "RequestRemoval", []any{id}, func(t *tx) error {
		d, err := lockDAG(t, id)
		if err != nil {
			return err
		}
		if d.archived {
			return fmt.Errorf("DAG %q is archived, its file is gone already: %w", id, dag.ErrConflict)
		}
		n, err := t.exec(`INSERT INTO removal (dag_id, path, user_name, via, asked_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (dag_id) DO UPDATE SET path = excluded.path, user_name = excluded.user_name, via = excluded.via, restores = 0,
				asked_at = excluded.asked_at, done_at = 0, dag_commit = '', tries = 0, retry_at = 0, reason = '', merge_request = ''
			WHERE removal.done_at <> 0 OR removal.retry_at <> 0 OR removal.merge_request <> '' OR removal.restores <> 0`,
			id, d.file, by.name(), by.Via, t.now)
		if err != nil {
			return fmt.Errorf("ask for removal of DAG %q: %w", id, err)
		}
		if n == 0 {
			return nil
		}
		t.announce(Change{Kind: ChangeDAG, DAG: id}, Change{Kind: ChangeRemoval, DAG: id})
		return record(t, AuditEntry{By: by, Event: "request_removal", DAG: id})
	})
}

// Removal is a file that the generator is asked to remove, or to bring back.
type Removal struct {
	DAG  dag.ID
	Path string
	// Restores is the version of the DAG whose file is to come back; 0: the file is to
	// be removed.
	Restores int
	By       Actor
	At       time.Time
	Tries    int       // that failed
	RetryAt  time.Time // of one that failed
	Reason   string    // why the last try failed
	// MergeRequest is the URL of the one that removes the file, or brings it back: it is
	// then up to people whether it is merged.
	MergeRequest string
}

const removalColumns = `m.dag_id, m.path, m.restores, m.user_name, m.via, m.asked_at, m.tries, m.retry_at, m.reason, m.merge_request`

func scanRemoval(r scanner) (Removal, error) {
	var m Removal
	err := r.Scan(&m.DAG, &m.Path, &m.Restores, &m.By.User, &m.By.Via, at(&m.At), &m.Tries, at(&m.RetryAt), &m.Reason,
		&m.MergeRequest)
	return m, err
}

// PendingRemovals lists the removals asked for and not done, oldest first: also
// those that were refused and those that wait for a merge request.
func (s *Store) PendingRemovals(ctx context.Context) (removals []Removal, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("m.done_at = 0")
		t.scopeOwned(w, "m.dag_id")
		rows, err := t.query(`SELECT `+removalColumns+` FROM removal m`+w.String()+` ORDER BY m.asked_at, m.dag_id`,
			w.args...)
		removals, err = collect(rows, err, scanRemoval)
		return err
	})
	return removals, err
}

// DueRemoval returns the removal that is to be worked on at now, the one that waits
// longest; nil when there is none, and then when the next one is due, the zero time
// when none is.
func (s *Store) DueRemoval(ctx context.Context, now time.Time) (due *Removal, next time.Time, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		due, next = nil, time.Time{}
		rows, err := t.query(`SELECT ` + removalColumns + ` FROM removal m WHERE m.done_at = 0 AND m.merge_request = ''
			ORDER BY m.retry_at, m.asked_at, m.dag_id LIMIT 1`)
		found, err := collect(rows, err, scanRemoval)
		if err != nil || len(found) == 0 {
			return err
		}
		if next = found[0].RetryAt; !next.After(now) {
			due, next = &found[0], time.Time{}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("look for a removal that is due: %w", err)
	}
	return due, next, nil
}

// RemovalResult is the outcome of a removal: with a Reason it failed, and is to be
// tried again at RetryAt; with a MergeRequest it is proposed; else it is done.
type RemovalResult struct {
	DAG          dag.ID
	Restores     int    // as in Removal
	DAGCommit    string // commit of the DAG repository that is without the file, or has it again
	MergeRequest string
	Reason       string
	RetryAt      time.Time
}

// FinishRemoval records what happened to a removal. A sync is wanted after one that is
// done. Finishing what is not
// pending, and finishing in the same way once more, changes nothing.
func (s *Store) FinishRemoval(ctx context.Context, r RemovalResult) error {
	return s.write(ctx, func(t *tx) error {
		r.Reason = plainText(r.Reason)
		done, failed := time.Time{}, 0
		switch {
		case r.Reason != "":
			failed = 1
		case r.MergeRequest == "":
			done = t.now
		}
		n, err := t.exec(
			`UPDATE removal SET done_at = $2, dag_commit = $3, tries = tries + $4, retry_at = $5, reason = $6, merge_request = $7
			WHERE dag_id = $1 AND done_at = 0 AND restores = $8 AND NOT (retry_at = $5 AND reason = $6 AND merge_request = $7 AND done_at = $2)`,
			r.DAG, done, r.DAGCommit, failed, r.RetryAt, r.Reason, r.MergeRequest, r.Restores)
		if err != nil {
			return fmt.Errorf("finish removal of DAG %q: %w", r.DAG, err)
		}
		if n == 0 {
			return nil
		}
		t.announce(Change{Kind: ChangeDAG, DAG: r.DAG})
		event, proposed := "remove_file", "propose_removal"
		if r.Restores != 0 {
			event, proposed = "restore_file", "propose_restoring"
		}
		switch {
		case failed == 1:
			return nil // its reason stands with the DAG, and may be the same many times
		case r.MergeRequest != "":
			event = proposed
		default:
			t.announce(Change{Kind: ChangeSyncWanted})
		}
		return record(t, AuditEntry{By: Actor{User: "dagwright", Via: "generator"}, Event: event, DAG: r.DAG})
	})
}

// finishProposedRemoval ends the removal of a DAG whose file is gone, or the restoring
// of one whose file is there again: its merge request was merged.
func finishProposedRemoval(t *tx, id dag.ID, restored bool) error {
	which := "restores = 0"
	if restored {
		which = "restores <> 0"
	}
	_, err := t.exec(`UPDATE removal SET done_at = $2 WHERE dag_id = $1 AND done_at = 0 AND merge_request <> '' AND `+
		which, id, t.now)
	if err != nil {
		return fmt.Errorf("finish proposed removal of DAG %q: %w", id, err)
	}
	return nil
}

// RequestRestore asks for the file of an archived DAG to be brought back. A DAG that a
// model's push made is rendered again from the head of its branch: push is then the new
// push's id. For a file that was written by hand, the generator is asked to commit the
// last version that is stored, and push is 0; until then the request is in
// PendingRemovals. Asking again retries one that failed at once.
//
// The error is dag.ErrNotFound when there is no such DAG. It is dag.ErrConflict when the
// DAG is not archived, its id went to another owner, the DAG repository still has the
// file (without the DAG), or the DAG's branch no longer makes it.
func (s *Store) RequestRestore(ctx context.Context, by Actor, id dag.ID) (int64, error) {
	return act(ctx, s, by, "RequestRestore", []any{id}, func(t *tx) (push int64, err error) {
		d, err := lockDAG(t, id)
		if err != nil {
			return 0, err
		}
		if !d.archived {
			return 0, fmt.Errorf("DAG %q is not archived, its file is there: %w", id, dag.ErrConflict)
		}
		if id.Former() {
			return 0, fmt.Errorf("the id %s went to another project or file: what was under it has no file to restore: %w",
				id.Taken(), dag.ErrConflict)
		}
		spec, err := s.spec(t, d.key(d.version))
		if err != nil {
			return 0, err
		}
		if spec.Source.Project != "" {
			push, err = renderAgain(t, by, id, spec.Source)
		} else {
			err = restoreFile(t, by, d)
		}
		if err != nil {
			return 0, err
		}
		return push, record(t, AuditEntry{By: by, Event: "request_restore", DAG: id})
	})
}

// renderAgain records a push of the branch that made a DAG, which is rendered although
// nothing in it has changed.
func renderAgain(t *tx, by Actor, id dag.ID, source dag.Source) (push int64, err error) {
	spec, err := oneSpec(t, "", id)
	if err != nil {
		return 0, err
	}
	if spec == nil {
		return 0, fmt.Errorf(
			"the branch %s of %s makes no DAG %q any more (it was deleted, or its project was archived): push to it, and the DAG comes back: %w",
			source.Branch, source.Project, id, dag.ErrConflict)
	}
	return insertPush(t, Push{
		ProjectID: spec.ProjectID, Project: spec.Source.Project, Branch: spec.Source.Branch, Commit: spec.Source.Commit,
		Via: ViaReplay, User: by.name(),
	})
}

// restoreFile asks for the stored source of a DAG to be committed.
func restoreFile(t *tx, by Actor, d *dagRecord) error {
	var path string
	there, err := t.row(`SELECT path FROM synced_file WHERE path = $1`, []any{d.file}, &path)
	if err != nil {
		return fmt.Errorf("look for the file %s: %w", d.file, err)
	}
	if there {
		return fmt.Errorf("the DAG repository has the file %s, without DAG %q: add the DAG to it by hand: %w", d.file, d.id,
			dag.ErrConflict)
	}
	_, err = t.exec(`INSERT INTO removal (dag_id, path, restores, user_name, via, asked_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (dag_id) DO UPDATE SET path = excluded.path, restores = excluded.restores, user_name = excluded.user_name,
			via = excluded.via, asked_at = excluded.asked_at, done_at = 0, dag_commit = '', tries = 0, retry_at = 0, reason = '', merge_request = ''`,
		d.id, d.file, d.version, by.name(), by.Via, t.now)
	if err != nil {
		return fmt.Errorf("ask for the file of DAG %q: %w", d.id, err)
	}
	t.announce(Change{Kind: ChangeDAG, DAG: d.id}, Change{Kind: ChangeRemoval, DAG: d.id})
	return nil
}
