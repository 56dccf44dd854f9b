package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"dagwright/dag"
)

// TakeOver gives what a former owner of a DAG's id has left to the DAG that has the
// id now: versions, runs, backfills, promotions and acts. The DAG stays paused or
// not as it is. The error is dag.ErrNotFound when there is no such former DAG or no
// DAG of the id, dag.ErrInvalid for an id that is not a former owner's, and
// dag.ErrConflict when both have a run of one id or logical date.
func (s *Store) TakeOver(ctx context.Context, by Actor, former dag.ID) error {
	return s.plainAct(ctx, by, "TakeOver", []any{former}, func(t *tx) error {
		if !former.Former() {
			if _, err := findDAG(t, former); err != nil {
				return err
			}
			return fmt.Errorf("DAG %q is not a former owner's; those have ids such as %q: %w", former, dag.FormerID(former, 0),
				dag.ErrInvalid)
		}
		dags, err := lockDAGs(t, []dag.ID{former.Taken(), former})
		if err != nil {
			return fmt.Errorf("read DAGs: %w", err)
		}
		from, to := dags[former], dags[former.Taken()]
		switch {
		case from == nil:
			return ErrNoDAG(former)
		case to == nil:
			return ErrNoDAG(former.Taken())
		}
		if err := sameRun(t, from.id, to.id); err != nil {
			return err
		}
		if err := merge(t, from, to); err != nil {
			return fmt.Errorf("take over DAG %q: %w", former, err)
		}
		t.announce(Change{Kind: ChangeDAG, DAG: to.id}, Change{Kind: ChangeDAG, DAG: from.id})
		extra, err := json.Marshal(map[string]string{"former_dag_id": string(former), "project": from.project})
		if err != nil {
			return fmt.Errorf("write audit log: %w", err)
		}
		return record(t, AuditEntry{By: by, Event: "take_over", DAG: to.id, Extra: string(extra)})
	})
}

// sameRun is the conflict of two DAGs that have a run of one id or logical date.
func sameRun(t *tx, from, to dag.ID) error {
	var run dag.RunID
	found, err := t.row(`SELECT a.run_id FROM dag_run a WHERE a.dag_id = $1 AND (
			EXISTS (SELECT 1 FROM dag_run b WHERE b.dag_id = $2 AND b.run_id = a.run_id) OR
			EXISTS (SELECT 1 FROM dag_run b WHERE b.dag_id = $2 AND b.logical_date = a.logical_date))
		ORDER BY a.id LIMIT 1`, []any{from, to}, &run)
	if err != nil {
		return fmt.Errorf("compare runs: %w", err)
	}
	if found {
		return fmt.Errorf(
			"run %q of DAG %q has the id or the logical date of a run of DAG %q; delete one of the two first: %w",
			run, from, to, dag.ErrConflict)
	}
	return nil
}

// merge moves everything of a DAG to another one, whose versions come after it.
func merge(t *tx, from, to *dagRecord) error {
	for _, statement := range []string{
		// Two steps, since no two versions may have one number at any time.
		`UPDATE dag_version SET version = -version - $2 WHERE dag_id = $1`,
		`UPDATE dag_version SET version = -version WHERE dag_id = $1 AND $2 > 0`,
		`UPDATE dag_run SET version = version + $2 WHERE dag_id = $1`,
		`UPDATE promotion SET version = version + $2 WHERE dag_id = $1`,
	} {
		if _, err := t.exec(statement, to.id, from.version); err != nil {
			return fmt.Errorf("number versions: %w", err)
		}
	}
	// What a former owner triggered by a key is not found by it any more.
	if _, err := t.exec(`UPDATE dag_run SET trigger_key = '' WHERE dag_id = $1`, from.id); err != nil {
		return fmt.Errorf("forget keys of runs: %w", err)
	}
	_, err := t.exec(`INSERT INTO dag_run_count (dag_id, state, n) SELECT $2, state, n FROM dag_run_count WHERE dag_id = $1
		ON CONFLICT (dag_id, state) DO UPDATE SET n = dag_run_count.n + excluded.n`, from.id, to.id)
	if err != nil {
		return fmt.Errorf("count runs: %w", err)
	}
	tables := []string{"dag_version", "dag_run", "backfill", "event_log", "promotion"}
	if err := moveRows(t, tables, from.id, to.id, from.projectID); err != nil {
		return err
	}
	for _, table := range []string{"removal", "dag"} { // the rest goes with it
		if _, err := t.exec(`DELETE FROM `+table+` WHERE dag_id = $1`, from.id); err != nil {
			return fmt.Errorf("delete DAG %q: %w", from.id, err)
		}
	}
	return to.inherit(t, from)
}

// inherit writes the figures of a DAG that has got the runs of another one. It is
// made again, since its versions have other numbers: specKey tells them apart.
func (d *dagRecord) inherit(t *tx, from *dagRecord) error {
	d.version += from.version
	d.created = t.now
	if _, err := t.exec(`UPDATE dag SET version = $2, created_at = $3 WHERE dag_id = $1`, d.id, d.version,
		d.created); err != nil {
		return err
	}
	if from.lastScheduled.After(d.lastScheduled) {
		d.lastScheduled, d.next = from.lastScheduled, NextRun{}
	}
	if from.lastRun != 0 && (d.lastRun == 0 || from.lastRunAfter.After(d.lastRunAfter)) {
		d.lastRun, d.lastRunAfter, d.lastRunState, d.lastRunStart = from.lastRun, from.lastRunAfter, from.lastRunState, from.lastRunStart
	}
	return d.save(t)
}

// FormerDAGs lists the DAGs of former owners of an id, the newest first.
func (s *Store) FormerDAGs(ctx context.Context, id dag.ID) (former []dag.ID, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		first := string(dag.FormerID(id, 0))
		first = strings.TrimSuffix(first, "1")
		w.add("d.dag_id > ? AND d.dag_id < ?", first, first+":") // ":" comes after the digits
		t.scopeDAG(w)
		rows, err := t.query(`SELECT d.dag_id FROM dag d`+w.String()+` ORDER BY d.epoch DESC`, w.args...)
		former, err = collect(rows, err, scanID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list former owners of DAG %.250q: %w", id, err)
	}
	return former, nil
}
