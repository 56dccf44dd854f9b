package store

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"dagwright/dag"
)

// dagRecord is a row of table dag without its definition.
type dagRecord struct {
	id            dag.ID
	created       time.Time
	version       int
	file          string
	commit        string
	parsedAt      time.Time
	paused        bool
	archived      bool
	unpausedAt    time.Time
	next          NextRun
	lastScheduled time.Time
	lastRun       int64 // id of the newest run by RunAfter, 0 when there is none
	lastRunAfter  time.Time
	lastRunState  dag.RunState
	lastRunStart  time.Time
	project       string // GitLab path
	projectID     int64  // of GitLab, 0 when it is not known
	epoch         int    // how many owners the id had before
	rev, oldRev   int64  // the present revision, and the one before it was raised
}

const dagColumns = `d.dag_id, d.created_at, d.version, d.file, d.dag_commit, d.parsed_at,
	d.is_paused, d.is_archived, d.unpaused_at,
	d.next_logical_date, d.next_interval_start, d.next_interval_end, d.next_run_after,
	d.last_scheduled, d.last_run, d.last_run_after, d.last_run_state, d.last_run_start_date,
	d.project, d.project_id, d.epoch, d.rev`

func scanDAG(r scanner) (*dagRecord, error) {
	d := &dagRecord{}
	return d, r.Scan(d.fields()...)
}

func (d *dagRecord) fields() []any {
	return []any{
		&d.id, at(&d.created), &d.version, &d.file, &d.commit, at(&d.parsedAt),
		&d.paused, &d.archived, at(&d.unpausedAt),
		at(&d.next.LogicalDate), at(&d.next.Interval.Start), at(&d.next.Interval.End), at(&d.next.RunAfter),
		at(&d.lastScheduled), &d.lastRun, at(&d.lastRunAfter), &d.lastRunState, at(&d.lastRunStart),
		&d.project, &d.projectID, &d.epoch, &d.rev,
	}
}

func (d *dagRecord) key(version int) specKey { return specKey{d.id, d.created, version} }

// ErrNoDAG is the dag.ErrNotFound that says that there is no such DAG. Whoever
// hides a DAG says the same.
func ErrNoDAG(id dag.ID) error {
	return fmt.Errorf("DAG %.250q does not exist: %w", id, dag.ErrNotFound)
}

// findDAG reads a DAG without locking it.
func findDAG(t *tx, id dag.ID) (*dagRecord, error) {
	return oneDAG(t, "", id)
}

// lockDAG reads a DAG, keeps other writers of it waiting until the transaction ends, and
// raises its revision: whoever locks a DAG is about to change it or its runs.
func lockDAG(t *tx, id dag.ID) (*dagRecord, error) {
	d, err := oneDAG(t, t.forUpdate(), id)
	if err != nil {
		return nil, err
	}
	return d, raise(t, []*dagRecord{d})
}

func oneDAG(t *tx, lock string, id dag.ID) (*dagRecord, error) {
	w := &where{}
	w.add("d.dag_id = ?", id)
	t.scopeDAG(w)
	d := &dagRecord{}
	found, err := t.row(`SELECT `+dagColumns+` FROM dag d`+w.String()+lock, w.args, d.fields()...)
	if err == nil && !found {
		err = ErrNoDAG(id)
	}
	return d, err
}

// lockDAGs is lockDAG for the DAGs that exist.
func lockDAGs(t *tx, sorted []dag.ID) (map[dag.ID]*dagRecord, error) {
	found, err := holdDAGs(t, sorted)
	if err != nil {
		return nil, err
	}
	return found, raise(t, slices.Collect(maps.Values(found)))
}

var setRevs = newBulk(`UPDATE dag SET rev = {rev} {from} WHERE dag_id = {dag}`, "dag", "#rev")

// raise gives DAGs that are locked another revision. It is drawn at random, since a
// counter would come to the same number twice where a DAG is made again, a backup is
// restored or a standby that lacks the last writes takes over.
func raise(t *tx, dags []*dagRecord) error {
	rows := make([][]any, len(dags))
	for i, d := range dags {
		d.oldRev, d.rev = d.rev, 1+rand.Int64N(math.MaxInt64)
		rows[i] = []any{d.id, d.rev}
	}
	if _, err := t.bulk(setRevs, rows); err != nil {
		return fmt.Errorf("raise revisions: %w", err)
	}
	return nil
}

// holdDAGs locks the DAGs that exist, in the order of their ids so that two transactions
// cannot wait for each other. Whoever changes something raises their revisions.
func holdDAGs(t *tx, sorted []dag.ID) (map[dag.ID]*dagRecord, error) {
	found := make(map[dag.ID]*dagRecord, len(sorted))
	for _, part := range chunks(sorted) {
		w := &where{}
		in(w, "d.dag_id", part)
		t.scopeDAG(w)
		rows, err := t.query(`SELECT `+dagColumns+` FROM dag d`+w.String()+` ORDER BY d.dag_id`+t.forUpdate(), w.args...)
		records, err := collect(rows, err, scanDAG)
		if err != nil {
			return nil, err
		}
		for _, d := range records {
			found[d.id] = d
		}
	}
	return found, nil
}

var saveDAGs = newBulk(`UPDATE dag SET is_paused = {paused}, is_archived = {archived}, unpaused_at = {unpaused},
	next_logical_date = {next}, next_interval_start = {start}, next_interval_end = {end}, next_run_after = {after},
	last_scheduled = {scheduled}, last_run = {run}, last_run_after = {run_after}, last_run_state = {state},
	last_run_start_date = {run_start} {from} WHERE dag_id = {dag}`,
	"dag", "#paused", "#archived", "#unpaused", "#next", "#start", "#end", "#after", "#scheduled", "#run", "#run_after", "state",
	"#run_start")

// save writes the fields that change during a DAG's life: the operator's
// state, the next run and the figures about the newest one.
func (d *dagRecord) save(t *tx) error {
	_, err := t.bulk(saveDAGs, [][]any{d.values()})
	return err
}

func (d *dagRecord) values() []any {
	return []any{
		d.id, d.paused, d.archived, d.unpausedAt,
		d.next.LogicalDate, d.next.Interval.Start, d.next.Interval.End, d.next.RunAfter,
		d.lastScheduled, d.lastRun, d.lastRunAfter, d.lastRunState, d.lastRunStart,
	}
}

// chunks cuts values into pieces that one list may hold.
func chunks[T any](values []T) [][]T {
	var parts [][]T
	for len(values) > maxList {
		parts = append(parts, values[:maxList])
		values = values[maxList:]
	}
	if len(values) > 0 {
		parts = append(parts, values)
	}
	return parts
}
