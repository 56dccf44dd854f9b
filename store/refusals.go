package store

import (
	"context"
	"fmt"
)

// RefusalFilter selects refusals; zero fields do not filter.
type RefusalFilter struct {
	// Project is the whole GitLab path, and Branch a branch of it.
	Project, Branch string
	Limit           int // 50 when zero
}

// newerSettled asks that a push, "p", is no longer what its branch stands at: a newer one
// was worked on since. It is the order of settledPush.
const newerSettled = `EXISTS (SELECT 1 FROM push n WHERE n.project_id = p.project_id AND n.branch = p.branch
	AND n.state NOT IN ('pending', 'superseded', 'compared', 'skipped')
	AND (n.finished_at > p.finished_at OR n.finished_at = p.finished_at AND n.id > p.id))`

// Refusals lists the branches whose head is a refused push, by that push, newest first,
// and how many there are: what was pushed there is in no DAG until it is fixed.
func (s *Store) Refusals(ctx context.Context, f RefusalFilter) (pushes []Push, total int, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("p.state = 'refused' AND NOT " + newerSettled)
		if f.Project != "" {
			w.add("p.project = ?", f.Project)
		}
		if f.Branch != "" {
			w.add("p.branch = ?", f.Branch)
		}
		t.scopePush(w)
		if _, err := t.row(`SELECT COUNT(*) FROM push p`+w.String(), w.args, &total); err != nil {
			return fmt.Errorf("count refusals: %w", err)
		}
		rows, err := t.query(`SELECT `+pushColumns+` FROM push p`+w.String()+` ORDER BY p.id DESC`+w.page(f.Limit, 0),
			w.args...)
		pushes, err = collect(rows, err, scanPush)
		return err
	})
	return pushes, total, err
}
