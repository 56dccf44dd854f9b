package store

import (
	"context"
	"fmt"
	"time"
)

// Preview is a merge request of a model's project that wants to know what the
// DAG would become.
type Preview struct {
	ProjectID    int64
	Project      string
	MergeRequest int64  // its number in the project (iid)
	Target       string // branch
	Commit       string // head of the merge request
	Tries        int
}

// WantPreview writes down that a merge request has a new head. A ChangePreview
// follows, unless that head is known already.
func (s *Store) WantPreview(ctx context.Context, p Preview) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(
			`INSERT INTO preview (project_id, merge_request, project, target_branch, head_commit) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (project_id, merge_request) DO UPDATE SET project = excluded.project, target_branch = excluded.target_branch,
				head_commit = excluded.head_commit, done_commit = '', tries = 0, retry_at = 0, reason = ''
			WHERE preview.head_commit <> excluded.head_commit OR preview.target_branch <> excluded.target_branch`,
			p.ProjectID, p.MergeRequest, p.Project, p.Target, p.Commit)
		if err != nil {
			return fmt.Errorf("ask for preview: %w", err)
		}
		if n > 0 {
			t.announce(Change{Kind: ChangePreview})
		}
		return nil
	})
}

// PendingPreviews returns up to limit previews that are to be worked on at now.
func (s *Store) PendingPreviews(ctx context.Context, now time.Time, limit int) (previews []Preview, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("head_commit <> done_commit")
		w.add("retry_at <= ?", now)
		rows, err := t.query(`SELECT project_id, project, merge_request, target_branch, head_commit, tries FROM preview`+
			w.String()+` ORDER BY project_id, merge_request`+w.page(limit, 0), w.args...)
		previews, err = collect(rows, err, func(r scanner) (Preview, error) {
			var p Preview
			err := r.Scan(&p.ProjectID, &p.Project, &p.MergeRequest, &p.Target, &p.Commit, &p.Tries)
			return p, err
		})
		return err
	})
	return previews, err
}

// FinishPreview marks a preview as done, or as to be tried again at retryAt
// when that is not zero. One that has a newer head meanwhile is left alone.
func (s *Store) FinishPreview(ctx context.Context, p Preview, retryAt time.Time, reason string) error {
	return s.write(ctx, func(t *tx) error {
		done := p.Commit
		if !retryAt.IsZero() {
			done = ""
		}
		_, err := t.exec(`UPDATE preview SET done_commit = $4, retry_at = $5, reason = $6,
			tries = tries + CASE WHEN retry_at = $5 AND reason = $6 THEN 0 ELSE 1 END
			WHERE project_id = $1 AND merge_request = $2 AND head_commit = $3`,
			p.ProjectID, p.MergeRequest, p.Commit, done, retryAt, reason)
		if err != nil {
			return fmt.Errorf("finish preview: %w", err)
		}
		return nil
	})
}
