package store

import (
	"context"
	"fmt"

	"dagwright/dag"
)

// runRecord is a row of table dag_run.
type runRecord struct {
	pk       int64
	stopping bool // ended, but attempts are still active
	backfill int64
	dag.Run
	// fault says why its conf cannot be read: it can be listed and ended, not started.
	fault error
}

const runColumns = `r.id, r.stopping, r.dag_id, r.run_id, r.run_type, r.state, r.version, r.logical_date,
	r.interval_start, r.interval_end, r.run_after, r.queued_at, r.start_date, r.end_date,
	r.conf, r.note, r.triggered_by, r.triggering_user, r.reason_code, r.reason_args, r.cleared, r.backfill, r.epoch`

func scanRun(r scanner) (*runRecord, error) {
	run, conf := &runRecord{}, ""
	err := r.Scan(&run.pk, &run.stopping, &run.DAG, &run.ID, &run.Type, &run.State, &run.Version, at(&run.LogicalDate),
		at(&run.Interval.Start), at(&run.Interval.End), at(&run.RunAfter), at(&run.QueuedAt), at(&run.StartedAt),
		at(&run.EndedAt),
		&conf, &run.Note, &run.TriggeredBy, &run.User, &run.Reason.Code, &run.Reason.Args, &run.Cleared, &run.backfill,
		&run.Epoch)
	if err != nil {
		return nil, err
	}
	if run.Conf, err = decodeConf(conf); err != nil {
		run.fault = fmt.Errorf("the stored conf of run %q of DAG %q is %w: %w", run.ID, run.DAG, errUnreadable, err)
	}
	return run, nil
}

func errNoRun(id dag.ID, run dag.RunID) error {
	return fmt.Errorf("run %.250q of DAG %.250q does not exist: %w", run, id, dag.ErrNotFound)
}

func findRun(t *tx, id dag.ID, run dag.RunID) (*runRecord, error) {
	w := &where{}
	w.add("r.dag_id = ?", id)
	w.add("r.run_id = ?", run)
	t.scopeOwned(w, "r.dag_id")
	rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r`+w.String(), w.args...)
	found, err := collect(rows, err, scanRun)
	if err != nil {
		return nil, fmt.Errorf("read run: %w", err)
	}
	if len(found) == 0 {
		return nil, errNoRun(id, run)
	}
	return found[0], nil
}

func runsByKey(t *tx, pks []int64) (map[int64]*runRecord, error) {
	runs := make(map[int64]*runRecord, len(pks))
	for _, part := range chunks(pks) {
		var args []any
		rows, err := t.query(`SELECT `+runColumns+` FROM dag_run r WHERE r.id IN `+list(&args, part), args...)
		found, err := collect(rows, err, scanRun)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			runs[r.pk] = r
		}
	}
	return runs, nil
}

// insertRuns writes new runs, of runValues, except for those whose id or logical date a
// run of the DAG has.
var insertRuns = newBulk(`INSERT INTO dag_run (dag_id, run_id, run_type, state, version, logical_date,
		interval_start, interval_end, run_after, queued_at, conf, note, triggered_by, triggering_user,
		reason_code, reason_args, trigger_key, epoch)
	{values} ON CONFLICT DO NOTHING RETURNING id, dag_id, run_id`,
	"dag", "run", "type", "state", "#version", "#logical", "#start", "#end", "#after", "#queued", "conf", "note", "by", "user",
	"code", "args", "key", "#epoch")

func runValues(r dag.Run, triggerKey string) ([]any, error) {
	conf, err := encodeConf(r.Conf)
	if err != nil {
		return nil, err
	}
	return []any{r.DAG, r.ID, r.Type, r.State, r.Version, r.LogicalDate, r.Interval.Start, r.Interval.End, r.RunAfter,
		r.QueuedAt, conf, r.Note, r.TriggeredBy, r.User, r.Reason.Code, r.Reason.Args, triggerKey, r.Epoch}, nil
}

// insertRun writes a new run and returns its key, or 0 when a run of the DAG
// with that id or logical date exists. triggerKey is Trigger.digest, or empty.
func insertRun(t *tx, r dag.Run, triggerKey string) (pk int64, err error) {
	values, err := runValues(r, triggerKey)
	if err != nil {
		return 0, err
	}
	err = t.bulkRows(insertRuns, [][]any{values}, func(row scanner) error {
		return row.Scan(&pk, new(string), new(string))
	})
	if err != nil {
		return 0, fmt.Errorf("write run %q of DAG %q: %w", r.ID, r.DAG, err)
	}
	return pk, nil
}

// Run returns one run, or dag.ErrNotFound. The Reason of a queued run says what
// it waits for.
func (s *Store) Run(ctx context.Context, id dag.ID, run dag.RunID) (dag.Run, error) {
	var out dag.Run
	err := s.db.read(ctx, func(t *tx) error {
		r, err := findRun(t, id, run)
		if err != nil {
			return err
		}
		if r.fault != nil {
			return r.fault
		}
		runs := []dag.Run{r.Run}
		err = s.explainRuns(t, runs)
		out = runs[0]
		return err
	})
	return out, err
}

// RunCounts returns the number of runs by state for each of the given DAGs.
func (s *Store) RunCounts(ctx context.Context, ids []dag.ID) (counts map[dag.ID]map[dag.RunState]int, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		seen, err := t.seen(ids)
		if err != nil {
			return err
		}
		if counts, err = runCounts(t, seen); err != nil {
			return err
		}
		for _, id := range ids {
			if counts[id] == nil {
				counts[id] = map[dag.RunState]int{} // as of a DAG that there is not
			}
		}
		return nil
	})
	return counts, err
}

func runCounts(t *tx, ids []dag.ID) (map[dag.ID]map[dag.RunState]int, error) {
	counts := make(map[dag.ID]map[dag.RunState]int, len(ids))
	for _, id := range ids {
		counts[id] = map[dag.RunState]int{}
	}
	for _, part := range chunks(ids) {
		var args []any
		rows, err := t.query(`SELECT dag_id, state, n FROM dag_run_count WHERE n > 0 AND dag_id IN `+list(&args, part),
			args...)
		err = each(rows, err, func(r scanner) error {
			var id dag.ID
			var state dag.RunState
			var n int
			err := r.Scan(&id, &state, &n)
			if err == nil {
				counts[id][state] = n
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// SetRunNote changes a run's note. The note that it has already changes nothing.
func (s *Store) SetRunNote(ctx context.Context, by Actor, id dag.ID, run dag.RunID, note string) error {
	if err := dag.CheckNote(note); err != nil {
		return err
	}
	return s.plainAct(ctx, by, "SetRunNote", []any{id, run, note}, func(t *tx) error {
		if _, err := lockDAG(t, id); err != nil {
			return err
		}
		r, err := findRun(t, id, run)
		if err != nil {
			return err
		}
		if r.Note == cleanText(note) {
			return nil
		}
		if _, err := t.exec(`UPDATE dag_run SET note = $2 WHERE id = $1`, r.pk, note); err != nil {
			return fmt.Errorf("write note: %w", err)
		}
		t.announce(Change{Kind: ChangeRun, DAG: id, Run: run, State: string(r.State)})
		return record(t, AuditEntry{By: by, Event: "set_note", DAG: id, Run: run})
	})
}
