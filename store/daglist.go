package store

import (
	"context"
	"fmt"
	"strings"

	"dagwright/dag"
)

// DAGFilter selects DAGs; zero fields do not filter.
type DAGFilter struct {
	IDs       []dag.ID
	Search    string // part of id, display name, tag or owner, any case
	IDPattern string // SQL LIKE pattern on the id ("%churn%"), any case
	Tags      []string
	AllTags   bool // all of Tags instead of any
	Owners    []string
	Paused    *bool
	Archived  bool // also archived DAGs
	// OnlyArchived leaves out those whose file is there, whatever Archived is.
	OnlyArchived bool
	// RunStates keeps DAGs that have at least one run in one of these states;
	// LastRunState those whose newest run is in that state.
	RunStates    []dag.RunState
	LastRunState dag.RunState

	// OrderBy is dag_id (the default), next_dagrun_run_after, last_run_state,
	// last_run_start_date, dag_display_name, with "-" in front for descending. Anything
	// else is dag.ErrInvalid. DAGs without the value come last either way.
	OrderBy string
	Limit   int // 50 when zero
	Offset  int
}

var dagOrders = map[string]string{
	"dag_id":                "d.dag_id DIR",
	"next_dagrun_run_after": "CASE WHEN d.next_run_after = 0 THEN 1 ELSE 0 END, d.next_run_after DIR, d.dag_id",
	"last_run_state":        "CASE WHEN d.last_run_state = '' THEN 1 ELSE 0 END, d.last_run_state DIR, d.dag_id",
	"last_run_start_date":   "CASE WHEN d.last_run_start_date = 0 THEN 1 ELSE 0 END, d.last_run_start_date DIR, d.dag_id",
	"dag_display_name":      "d.dag_display_name DIR, d.dag_id",
}

// where is the filter as SQL. Only a count without filters on text should use
// the index dag_by_state: through it, the table itself is read in a bad order.
func (f DAGFilter) where(t *tx, byState bool) *where {
	w := &where{}
	switch {
	case f.OnlyArchived && byState:
		w.add("d.is_archived = 1")
	case f.OnlyArchived:
		w.add("d.is_archived + 0 = 1")
	case f.Archived:
	case byState:
		w.add("d.is_archived = 0")
	default:
		w.add("d.is_archived + 0 = 0")
	}
	if f.IDs != nil && len(f.IDs) == 0 {
		w.add("1 = 0")
	}
	in(w, "d.dag_id", f.IDs)
	if f.Search != "" {
		w.add(`d.search_text LIKE ? ESCAPE '\'`, "%"+literal(strings.ToLower(f.Search))+"%")
	}
	if f.IDPattern != "" {
		w.add(`lower(d.dag_id) LIKE ? ESCAPE '\'`, likePattern(f.IDPattern))
	}
	f.whereTags(w)
	in(w, "d.owner", f.Owners)
	if f.Paused != nil {
		w.add("d.is_paused = ?", *f.Paused)
	}
	if len(f.RunStates) > 0 {
		states := list(&w.args, f.RunStates)
		w.add("d.dag_id IN (SELECT c.dag_id FROM dag_run_count c WHERE c.n > 0 AND c.state IN " + states + ")")
	}
	if f.LastRunState != "" {
		w.add("d.last_run_state = ?", f.LastRunState)
	}
	t.scopeDAG(w)
	return w
}

// plain reports whether the index dag_by_state has all that the filter and the
// scope look at.
func (f DAGFilter) plain(t *tx) bool {
	return t.scope.All && f.IDs == nil && f.Search == "" && f.IDPattern == "" && len(f.Tags) == 0 && len(f.Owners) == 0 &&
		len(f.RunStates) == 0
}

// whereTags looks tags up for each DAG that the other conditions leave: a common
// tag has as many DAGs as there are.
func (f DAGFilter) whereTags(w *where) {
	const tagged = "EXISTS (SELECT 1 FROM dag_tag g WHERE g.dag_id = d.dag_id AND g.tag IN "
	if !f.AllTags && len(f.Tags) > 0 {
		tags := list(&w.args, f.Tags)
		w.add(tagged + tags + ")")
	}
	for _, tag := range f.Tags {
		if f.AllTags {
			w.add(tagged+"(?))", tag)
		}
	}
}

// DAGs lists the DAGs that match and how many there are in all. The DAG field
// of a row shares memory with the store's cache: do not change it.
func (s *Store) DAGs(ctx context.Context, f DAGFilter) (rows []DAGRow, total int, err error) {
	if f.OrderBy == "" {
		f.OrderBy = "dag_id"
	}
	order, err := orderBy(f.OrderBy, dagOrders)
	if err != nil {
		return nil, 0, err
	}
	err = s.db.read(ctx, func(t *tx) error {
		w := f.where(t, f.plain(t))
		if _, err := t.row(`SELECT COUNT(*) FROM dag d`+w.String(), w.args, &total); err != nil {
			return fmt.Errorf("count DAGs: %w", err)
		}
		w = f.where(t, false)
		query := `SELECT ` + dagColumns + ` FROM dag d` + w.String() + order + w.page(f.Limit, f.Offset)
		found, err := t.query(query, w.args...)
		records, err := collect(found, err, scanDAG)
		if err != nil {
			return fmt.Errorf("list DAGs: %w", err)
		}
		rows, err = s.dagRows(t, records)
		return err
	})
	return rows, total, err
}

// DAGCounts are the numbers beside the filters of the DAG list.
type DAGCounts struct{ All, Active, Paused, Failed, Running, Archived int }

// CountDAGs counts the DAGs that match f by pause state, those whose newest run failed
// or that have a running run, and apart from these the archived ones. f.Paused,
// f.RunStates, f.LastRunState and f.OnlyArchived are not looked at.
func (s *Store) CountDAGs(ctx context.Context, f DAGFilter) (DAGCounts, error) {
	f.Paused, f.RunStates, f.LastRunState, f.OnlyArchived = nil, nil, "", false
	var c DAGCounts
	err := s.db.read(ctx, func(t *tx) error {
		w := f.where(t, f.plain(t))
		_, err := t.row(`SELECT COUNT(*), COALESCE(SUM(d.is_paused), 0),
			COALESCE(SUM(CASE WHEN d.last_run_state = 'failed' THEN 1 ELSE 0 END), 0) FROM dag d`+w.String(),
			w.args, &c.All, &c.Paused, &c.Failed)
		if err != nil {
			return fmt.Errorf("count DAGs: %w", err)
		}
		c.Active = c.All - c.Paused
		f.RunStates = []dag.RunState{dag.RunRunning}
		w = f.where(t, false)
		if _, err := t.row(`SELECT COUNT(*) FROM dag d`+w.String(), w.args, &c.Running); err != nil {
			return fmt.Errorf("count running DAGs: %w", err)
		}
		f.RunStates, f.OnlyArchived = nil, true
		w = f.where(t, f.plain(t))
		if _, err := t.row(`SELECT COUNT(*) FROM dag d`+w.String(), w.args, &c.Archived); err != nil {
			return fmt.Errorf("count archived DAGs: %w", err)
		}
		return nil
	})
	return c, err
}

// Tags lists every tag in use, sorted. Tags of archived DAGs are left out.
func (s *Store) Tags(ctx context.Context) (tags []string, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("d.is_archived = 0")
		t.scopeDAG(w)
		rows, err := t.query(`SELECT DISTINCT g.tag FROM dag_tag g JOIN dag d ON d.dag_id = g.dag_id`+
			w.String()+` ORDER BY g.tag`, w.args...)
		tags, err = collect(rows, err, scanText)
		return err
	})
	return tags, err
}

// Owners lists owners of the DAGs that are archived, or of those that are not, sorted, up
// to limit.
func (s *Store) Owners(ctx context.Context, archived bool, limit int) (owners []string, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("d.is_archived = ? AND d.owner <> ''", archived)
		t.scopeDAG(w)
		query := `SELECT DISTINCT d.owner FROM dag d` + w.String() + ` ORDER BY d.owner` + w.number(" LIMIT ?", limit)
		rows, err := t.query(query, w.args...)
		owners, err = collect(rows, err, scanText)
		return err
	})
	return owners, err
}

// CommonTags lists the tags that more than one DAG has, the commonest first, up
// to limit. Of archived DAGs, which are listed apart and are few, it lists the tags of a
// single one too.
func (s *Store) CommonTags(ctx context.Context, archived bool, limit int) (tags []string, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("d.is_archived = ?", archived)
		t.scopeDAG(w)
		least := 2
		if archived {
			least = 1
		}
		query := `SELECT g.tag FROM dag_tag g JOIN dag d ON d.dag_id = g.dag_id` + w.String() +
			w.number(" GROUP BY g.tag HAVING COUNT(*) >= ?", least) + ` ORDER BY COUNT(*) DESC, g.tag` +
			w.number(" LIMIT ?", limit)
		rows, err := t.query(query, w.args...)
		tags, err = collect(rows, err, scanText)
		return err
	})
	return tags, err
}

func scanText(r scanner) (text string, err error) {
	err = r.Scan(&text)
	return text, err
}
