package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"dagwright/dag"
)

// ledger keeps the figures about runs equal to the runs, for everything that
// creates runs or moves them: the counters by state, each DAG's newest run and
// newest scheduled run. It adds up what one transaction does and writes it
// once, in flush.
type ledger struct {
	t      *tx
	counts map[countKey]int64
	dirty  map[dag.ID]*dagRecord
}

type countKey struct {
	dag   dag.ID
	state dag.RunState
}

func newLedger(t *tx) *ledger {
	return &ledger{t: t, counts: map[countKey]int64{}, dirty: map[dag.ID]*dagRecord{}}
}

// created enters a new run.
func (l *ledger) created(d *dagRecord, r *runRecord) {
	l.counts[countKey{d.id, r.State}]++
	if d.lastRun == 0 || !r.RunAfter.Before(d.lastRunAfter) {
		d.lastRun, d.lastRunAfter, d.lastRunState, d.lastRunStart = r.pk, r.RunAfter, r.State, r.StartedAt
		l.dirty[d.id] = d
	}
	if r.Type == dag.RunScheduled && r.LogicalDate.After(d.lastScheduled) {
		d.lastScheduled = r.LogicalDate
		l.dirty[d.id] = d
	}
	l.t.announce(Change{Kind: ChangeRun, DAG: d.id, Run: r.ID, State: string(r.State)})
}

// moved enters a run's new state.
func (l *ledger) moved(d *dagRecord, r *runRecord, from dag.RunState) {
	l.counts[countKey{d.id, from}]--
	l.counts[countKey{d.id, r.State}]++
	if d.lastRun == r.pk {
		d.lastRunState, d.lastRunStart = r.State, r.StartedAt
		l.dirty[d.id] = d
	}
	l.t.announce(Change{Kind: ChangeRun, DAG: d.id, Run: r.ID, State: string(r.State)})
}

// deleted enters that a run is gone from the database.
func (l *ledger) deleted(d *dagRecord, r *runRecord) error {
	l.counts[countKey{d.id, r.State}]--
	l.t.announce(Change{Kind: ChangeRun, DAG: d.id, Run: r.ID})
	if d.lastRun != r.pk {
		return nil
	}
	l.dirty[d.id] = d
	d.lastRun, d.lastRunAfter, d.lastRunState, d.lastRunStart = 0, time.Time{}, "", time.Time{}
	_, err := l.t.row(`SELECT id, run_after, state, start_date FROM dag_run WHERE dag_id = $1
		ORDER BY run_after DESC, id DESC LIMIT 1`, []any{d.id}, &d.lastRun, at(&d.lastRunAfter), &d.lastRunState,
		at(&d.lastRunStart))
	if err != nil {
		return fmt.Errorf("find newest run of DAG %q: %w", d.id, err)
	}
	return nil
}

// touched enters a DAG of which other fields are new.
func (l *ledger) touched(d *dagRecord) { l.dirty[d.id] = d }

// flush writes what was entered.
func (l *ledger) flush() error {
	keys := slices.SortedFunc(maps.Keys(l.counts), func(a, b countKey) int {
		return cmp.Or(cmp.Compare(a.dag, b.dag), cmp.Compare(a.state, b.state))
	})
	var more, fewer [][]any
	for _, k := range keys {
		if delta := l.counts[k]; delta > 0 {
			more = append(more, []any{k.dag, k.state, delta})
		} else if delta < 0 {
			fewer = append(fewer, []any{k.dag, k.state, delta})
		}
	}
	if _, err := l.t.bulk(countMore, more); err != nil {
		return fmt.Errorf("count runs: %w", err)
	}
	// A count below zero breaks the table's CHECK, as it should.
	if n, err := l.t.bulk(countFewer, fewer); err != nil || n != int64(len(fewer)) {
		return cmp.Or(err, fmt.Errorf("count runs: %d of %d counters exist", n, len(fewer)))
	}
	var rows [][]any
	for _, id := range slices.Sorted(maps.Keys(l.dirty)) {
		rows = append(rows, l.dirty[id].values())
	}
	if _, err := l.t.bulk(saveDAGs, rows); err != nil {
		return fmt.Errorf("write DAGs: %w", err)
	}
	return nil
}

var (
	countMore = newBulk(`INSERT INTO dag_run_count (dag_id, state, n) {values}
		ON CONFLICT (dag_id, state) DO UPDATE SET n = dag_run_count.n + excluded.n`, "dag", "state", "#n")
	countFewer = newBulk(`UPDATE dag_run_count SET n = n + {n} {from} WHERE dag_id = {dag} AND state = {state}`,
		"dag", "state", "#n")
)
