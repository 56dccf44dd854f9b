package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// NextRun is the scheduled run that comes next; zero when there is none.
type NextRun struct {
	LogicalDate time.Time
	Interval    dag.DataInterval
	RunAfter    time.Time
}

// DAGRow is a DAG with the operator's state and the figures that lists show.
type DAGRow struct {
	*dag.DAG
	Version     int
	Paused      bool
	Archived    bool   // its file is gone
	File        string // in the DAG repository
	DAGCommit   string // of the DAG repository, at which this version was seen
	ParsedAt    time.Time
	UnpausedAt  time.Time // zero when never
	Next        NextRun
	ImportError bool // its file is broken now; an older version is in force
	Unplanned   bool // the scheduler cannot plan it; its runs wait

	RunCounts map[dag.RunState]int
	// LastRun is the newest run by RunAfter, nil when there is none (without the
	// Reason of a queued one), and
	// LastTasks counts its task instances by state.
	LastRun   *dag.Run
	LastTasks map[dag.TaskState]int
}

// DAG returns one DAG, archived ones too, or dag.ErrNotFound.
func (s *Store) DAG(ctx context.Context, id dag.ID) (DAGRow, error) {
	var row DAGRow
	err := s.db.read(ctx, func(t *tx) error {
		d, err := findDAG(t, id)
		if err != nil {
			return err
		}
		rows, err := s.dagRows(t, []*dagRecord{d})
		if err == nil {
			row = rows[0]
		}
		return err
	})
	return row, err
}

// dagRows completes records with their definitions and figures.
func (s *Store) dagRows(t *tx, records []*dagRecord) ([]DAGRow, error) {
	rows := make([]DAGRow, len(records))
	for i, d := range records {
		spec, readable, err := s.specOr(t, d.key(d.version))
		if err != nil {
			return nil, err
		}
		rows[i] = DAGRow{
			DAG: spec, Version: d.version, Paused: d.paused, Archived: d.archived,
			File: d.file, DAGCommit: d.commit, ParsedAt: d.parsedAt, UnpausedAt: d.unpausedAt, Next: d.next,
			Unplanned: !readable,
		}
	}
	if err := addImportErrors(t, rows); err != nil {
		return nil, fmt.Errorf("read import errors: %w", err)
	}
	if err := addRunCounts(t, rows); err != nil {
		return nil, fmt.Errorf("read run counts: %w", err)
	}
	if err := s.addLastRuns(t, rows, records); err != nil {
		return nil, fmt.Errorf("read last runs: %w", err)
	}
	return rows, nil
}

func addImportErrors(t *tx, rows []DAGRow) error {
	broken, unplanned := map[string]bool{}, map[dag.ID]bool{}
	for _, part := range chunks(rows) {
		files := make([]string, len(part))
		for i, r := range part {
			files[i] = r.File
		}
		var args []any
		found, err := t.query(`SELECT path, dag_id FROM import_error WHERE path IN `+list(&args, files), args...)
		err = each(found, err, func(r scanner) error {
			var path string
			var id dag.ID
			err := r.Scan(&path, &id)
			unplanned[id] = true
			broken[path] = id == ""
			return err
		})
		if err != nil {
			return err
		}
	}
	for i := range rows {
		r := &rows[i]
		r.ImportError = broken[r.File] && !r.Archived
		r.Unplanned = (r.Unplanned || unplanned[r.ID]) && !r.Archived
	}
	return nil
}

func addRunCounts(t *tx, rows []DAGRow) error {
	ids := make([]dag.ID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	counts, err := runCounts(t, ids)
	for i := range rows {
		rows[i].RunCounts = counts[rows[i].ID]
	}
	return err
}

// addLastRuns sets LastRun and LastTasks.
func (s *Store) addLastRuns(t *tx, rows []DAGRow, records []*dagRecord) error {
	var pks []int64
	for _, d := range records {
		if d.lastRun != 0 {
			pks = append(pks, d.lastRun)
		}
	}
	runs, err := runsByKey(t, pks)
	if err != nil {
		return err
	}
	tasks, err := countTasks(t, pks)
	if err != nil {
		return err
	}
	for i, d := range records {
		run, ok := runs[d.lastRun]
		if !ok {
			continue
		}
		rows[i].LastRun, rows[i].LastTasks = &run.Run, tasks[d.lastRun]
		if rows[i].LastTasks != nil {
			continue
		}
		// The run has not started: all its tasks are in TaskNone.
		spec, _, err := s.specOr(t, d.key(run.Version))
		if err != nil {
			return err
		}
		rows[i].LastTasks = map[dag.TaskState]int{dag.TaskNone: len(spec.Tasks)}
	}
	return nil
}

// ErrArchived refuses an act on a DAG whose file is gone, and says how the file comes back.
// It is the one sentence for pages, API and command line, and a dag.ErrConflict.
func ErrArchived(id dag.ID) error { return archivedError(id, dag.ErrConflict) }

func archivedError(id dag.ID, kind error) error {
	reason := fmt.Sprintf("DAG %q is archived, its file is gone; an administrator can bring it back: "+
		"\"Restore the file\" on the DAG's page, or POST /api/v2/dags/%s/restore", id, id)
	if id.Former() {
		reason = fmt.Sprintf("DAG %q is archived: its id %s belongs to another project or file now", id, id.Taken())
	}
	return fmt.Errorf("%s: %w", reason, kind)
}

// SetPaused pauses or un-pauses a DAG. Setting what is set already changes
// nothing and is not an error. The error is dag.ErrNotFound when there is no such
// DAG and dag.ErrConflict when it is archived.
func (s *Store) SetPaused(ctx context.Context, by Actor, id dag.ID, paused bool) error {
	return s.plainAct(ctx, by, "SetPaused", []any{id, paused}, func(t *tx) error {
		d, err := lockDAG(t, id)
		if err != nil {
			return err
		}
		if d.archived {
			return ErrArchived(id)
		}
		if d.paused == paused {
			return nil
		}
		if err := d.setPaused(t, by, paused); err != nil {
			return err
		}
		return d.save(t)
	})
}

// setPaused changes the record, which the caller saves, and tells the audit
// log and the feed.
func (d *dagRecord) setPaused(t *tx, by Actor, paused bool) error {
	event := "pause"
	d.paused = paused
	if !paused {
		event, d.unpausedAt = "unpause", t.now
	}
	t.announce(Change{Kind: ChangeDAG, DAG: d.id})
	return record(t, AuditEntry{By: by, Event: event, DAG: d.id})
}

// DeleteDAG removes an archived DAG with its versions, runs and task
// instances. It is dag.ErrConflict while its file exists or a run is active.
func (s *Store) DeleteDAG(ctx context.Context, by Actor, id dag.ID) error {
	return s.plainAct(ctx, by, "DeleteDAG", []any{id}, func(t *tx) error {
		d, err := lockDAG(t, id)
		if err != nil {
			return err
		}
		if !d.archived {
			return fmt.Errorf("DAG %q is still defined by %s; remove the file first: %w", id, d.file, dag.ErrConflict)
		}
		active, err := hasActiveRuns(t, id)
		if err != nil {
			return err
		}
		if active {
			return fmt.Errorf("DAG %q has active runs; wait for their end or mark them failed: %w", id, dag.ErrConflict)
		}
		if err := d.remember(t); err != nil {
			return err
		}
		// Versions, tags, runs, counters and task instances go with it.
		if _, err := t.exec(`DELETE FROM dag WHERE dag_id = $1`, id); err != nil {
			return fmt.Errorf("delete DAG %q: %w", id, err)
		}
		if _, err := t.exec(`DELETE FROM promotion WHERE dag_id = $1`, id); err != nil {
			return fmt.Errorf("delete promotions of DAG %q: %w", id, err)
		}
		if _, err := t.exec(`DELETE FROM removal WHERE dag_id = $1`, id); err != nil {
			return fmt.Errorf("delete DAG %q: %w", id, err)
		}
		t.announce(Change{Kind: ChangeDAG, DAG: id})
		return record(t, AuditEntry{By: by, Event: "delete", DAG: id})
	})
}

func hasActiveRuns(t *tx, id dag.ID) (bool, error) {
	var n int
	_, err := t.row(`SELECT
		(SELECT COUNT(*) FROM dag_run_count WHERE dag_id = $1 AND state IN ('queued', 'running') AND n > 0) +
		(SELECT COUNT(*) FROM dag_run WHERE dag_id = $1 AND stopping = 1)`, []any{id}, &n)
	return n > 0, err
}
