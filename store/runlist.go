package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dagwright/dag"
)

// RunFilter selects runs; zero fields do not filter.
type RunFilter struct {
	DAG    dag.ID // "" for all DAGs
	States []dag.RunState
	Types  []dag.RunType
	// The bounds are inclusive from …From to …To.
	LogicalFrom, LogicalTo   time.Time
	RunAfterFrom, RunAfterTo time.Time
	IDPattern                string // SQL LIKE pattern, any case

	DAGs                                       []dag.ID
	IDs                                        []dag.RunID
	Versions                                   []int
	StartedFrom, StartedTo, EndedFrom, EndedTo time.Time
	MinDuration, MaxDuration                   time.Duration // of runs that have ended
	// The patterns are SQL LIKE patterns, any case.
	DAGPattern, UserPattern string
	IDPrefix, DAGPrefix     string
	// ConfContains is a part of the conf, as JSON, any case.
	ConfContains string

	// OrderBy is run_after, logical_date, start_date, end_date, duration, state, id, dag_id or run_id, with
	// "-" in front for descending; "-run_after" when empty. Anything else is
	// dag.ErrInvalid.
	OrderBy string
	Limit   int // 50 when zero
	Offset  int
	// After continues a listing in the default order behind this run
	// (keyset paging); Offset is then not looked at.
	After *dag.Run
}

var runOrders = map[string]string{
	"run_after":    "r.run_after DIR, r.id DIR",
	"logical_date": "r.logical_date DIR, r.id DIR",
	"start_date":   "r.start_date DIR, r.id DIR",
	"end_date":     "r.end_date DIR, r.id DIR",
	"state":        "r.state DIR, r.id DIR",
	"id":           "r.id DIR",
	"dag_id":       "r.dag_id DIR, r.id DIR",
	"run_id":       "r.run_id DIR, r.id DIR",
	"duration":     "r.end_date - r.start_date DIR, r.id DIR",
}

const newestFirst = "-run_after"

// where is the filter in the transaction's scope as SQL. The scope is looked up
// row by row, or, when narrow, taken as where to begin.
func (f RunFilter) where(t *tx, narrow bool) *where {
	w := f.conditions()
	if narrow {
		t.scopeFrom(w, "r.dag_id")
	} else {
		t.scopeOwned(w, "r.dag_id")
	}
	return w
}

func (f RunFilter) conditions() *where {
	w := &where{}
	if f.DAG != "" {
		w.add("r.dag_id = ?", f.DAG)
	}
	if len(f.States) == 1 {
		w.add("r.state = ?", f.States[0]) // "=" lets an index give the order
	} else {
		in(w, "r.state", f.States)
	}
	in(w, "r.run_type", f.Types)
	addBounds(w, "r.logical_date", f.LogicalFrom, f.LogicalTo)
	addBounds(w, "r.run_after", f.RunAfterFrom, f.RunAfterTo)
	addBounds(w, "r.start_date", f.StartedFrom, f.StartedTo)
	addBounds(w, "r.end_date", f.EndedFrom, f.EndedTo)
	addDuration(w, "r", f.MinDuration, f.MaxDuration)
	in(w, "r.dag_id", f.DAGs)
	in(w, "r.run_id", f.IDs)
	in(w, "r.version", f.Versions)
	f.whereTexts(w)
	return w
}

// whereTexts adds the conditions on parts of texts.
func (f RunFilter) whereTexts(w *where) {
	like := func(column, pattern string) {
		if pattern != "" {
			w.add("lower("+column+`) LIKE ? ESCAPE '\'`, likePattern(pattern))
		}
	}
	prefix := func(column, text string) {
		if text != "" {
			w.add("substr("+column+", 1, ?) = ?", utf8.RuneCountInString(text), text)
		}
	}
	like("r.run_id", f.IDPattern)
	like("r.dag_id", f.DAGPattern)
	like("r.triggering_user", f.UserPattern)
	prefix("r.run_id", f.IDPrefix)
	prefix("r.dag_id", f.DAGPrefix)
	if f.ConfContains != "" {
		w.add(`lower(r.conf) LIKE ? ESCAPE '\'`, "%"+literal(strings.ToLower(f.ConfContains))+"%")
	}
}

// addBounds filters by a time; one that has not come is in no bounds.
func addBounds(w *where, column string, from, to time.Time) {
	if !to.IsZero() && from.IsZero() {
		from = time.UnixMicro(1)
	}
	if !from.IsZero() {
		w.add(column+" >= ?", from)
	}
	if !to.IsZero() {
		w.add(column+" <= ?", to)
	}
}

// counted reports whether the filter's total can be read from the counters.
func (f RunFilter) counted() bool {
	f.DAG, f.States, f.OrderBy, f.Limit, f.Offset, f.After = "", nil, "", 0, 0, nil
	return len(f.conditions().conds) == 0
}

// Runs lists the runs that match and how many there are in all. With a filter
// on more than DAG and states, counting stops at 10,000. The error is
// dag.ErrInvalid when After is given with another order than the default.
func (s *Store) Runs(ctx context.Context, f RunFilter) (runs []dag.Run, total int, err error) {
	if f.OrderBy == "" {
		f.OrderBy = newestFirst
	}
	order, err := orderBy(f.OrderBy, runOrders)
	if err != nil {
		return nil, 0, err
	}
	if f.After != nil && f.OrderBy != newestFirst {
		return nil, 0, fmt.Errorf("a listing can be continued after a run in the order %s only: %w", newestFirst,
			dag.ErrInvalid)
	}
	err = s.db.read(ctx, func(t *tx) error {
		if total, err = s.countRuns(t, f); err != nil {
			return fmt.Errorf("count runs: %w", err)
		}
		if total == 0 {
			return nil // looking through a million runs would find none
		}
		list := listRuns
		if !t.scope.All && f.DAG == "" && total < s.maxCount {
			list = sortRuns
		}
		records, err := list(t, f, order)
		if err != nil {
			return fmt.Errorf("list runs: %w", err)
		}
		for _, r := range records {
			runs = append(runs, r.Run)
		}
		return s.explainRuns(t, runs)
	})
	return runs, total, err
}

func listRuns(t *tx, f RunFilter, order string) ([]*runRecord, error) {
	if f.After != nil {
		f.Offset = 0
	}
	if len(f.States) > 1 && f.OrderBy == newestFirst {
		return mergeStates(t, f, order)
	}
	return pageOfRuns(t, f, f.where(t, false), order)
}

// sortRuns lists the runs of a scope that has few: it finds them all and sorts
// them. Through the newest runs of everybody, they may be far apart.
func sortRuns(t *tx, f RunFilter, order string) ([]*runRecord, error) {
	if f.After != nil {
		f.Offset = 0
	}
	if name := strings.TrimPrefix(f.OrderBy, "-"); name == "run_after" || name == "id" {
		order = sorted(order) // else an index would be followed
	}
	return pageOfRuns(t, f, f.where(t, true), order)
}

func pageOfRuns(t *tx, f RunFilter, w *where, order string) ([]*runRecord, error) {
	if f.After != nil {
		// A run that was deleted meanwhile leaves its time as the place to go on.
		w.add(`(r.run_after, r.id) < (?, COALESCE((SELECT a.id FROM dag_run a WHERE a.dag_id = ? AND a.run_id = ?), 0))`,
			f.After.RunAfter, f.After.DAG, f.After.ID)
	}
	query := `SELECT ` + runColumns + ` FROM dag_run r` + w.String() + order + w.page(f.Limit, f.Offset)
	rows, err := t.query(query, w.args...)
	return collect(rows, err, scanRun)
}

// mergeStates lists the newest runs of several states. It asks for each state
// alone, which an index answers in order; for all at once, a database either
// sorts all their runs or looks through those of the other states.
func mergeStates(t *tx, f RunFilter, order string) ([]*runRecord, error) {
	first, n := max(f.Offset, 0), pageSize(f.Limit)
	states := slices.Clone(f.States)
	slices.Sort(states)
	var all []*runRecord
	for _, state := range slices.Compact(states) {
		one := f
		one.States, one.Offset, one.Limit = []dag.RunState{state}, 0, first+n
		found, err := listRuns(t, one, order)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b *runRecord) int {
		return cmp.Or(b.RunAfter.Compare(a.RunAfter), cmp.Compare(b.pk, a.pk))
	})
	return all[min(first, len(all)):min(first+n, len(all))], nil
}

func (s *Store) countRuns(t *tx, f RunFilter) (n int, err error) {
	if !f.counted() {
		w := f.where(t, f.DAG == "")
		query := `SELECT COUNT(*) FROM (SELECT 1 FROM dag_run r` + w.String() + w.number(" LIMIT ?", s.maxCount) +
			`) AS counted`
		_, err = t.row(query, w.args, &n)
		return n, err
	}
	w := &where{}
	w.add("c.n > 0")
	if f.DAG != "" {
		w.add("c.dag_id = ?", f.DAG)
	}
	in(w, "c.state", f.States)
	if f.DAG == "" {
		t.scopeFrom(w, "c.dag_id")
	} else {
		t.scopeOwned(w, "c.dag_id")
	}
	_, err = t.row(`SELECT COALESCE(SUM(c.n), 0) FROM dag_run_count c`+w.String(), w.args, &n)
	return n, err
}
