package store

import (
	"context"
	"fmt"
	"time"
)

// ProjectState says what is known of a model's project in GitLab.
type ProjectState string

// The states of a model's project.
const (
	ProjectActive   ProjectState = "active"
	ProjectArchived ProjectState = "archived" // its DAG files are removed while it is
	ProjectDeleted  ProjectState = "deleted"  // GitLab does not know it any more
)

// ModelProject is a project of GitLab that has had a DAG, or that an event named. Its id
// stays when it is renamed or moved.
type ModelProject struct {
	ID    int64
	Path  string
	State ProjectState
	// Due says that an event asks to look at the project.
	Due bool
	// MissingAt is when GitLab first said that there is no such project; zero
	// while it is there.
	MissingAt time.Time
	CheckedAt time.Time // when anything of it changed last
}

const projectColumns = `project_id, project, state, due, missing_at, checked_at`

func scanProject(r scanner) (ModelProject, error) {
	var p ModelProject
	err := r.Scan(&p.ID, &p.Path, &p.State, &p.Due, at(&p.MissingAt), at(&p.CheckedAt))
	return p, err
}

// TouchProject records that an event named a project, which makes it due; deleted says
// that the event reported its deletion. known is false, and nothing is written, when the
// project has and had no generated DAG: an instance's system hook reports every project.
// A ChangeProject follows.
func (s *Store) TouchProject(ctx context.Context, id int64, path string, deleted bool) (known bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		missing := time.Time{}
		if deleted {
			missing = time.Unix(1, 0) // long enough ago: no grace is needed
		}
		n, err := t.exec(`INSERT INTO model_project (project_id, project, state, due, missing_at)
			SELECT $1, $2, 'active', 1, $3 WHERE EXISTS (SELECT 1 FROM generated_spec WHERE project_id = $1)
				OR EXISTS (SELECT 1 FROM model_project WHERE project_id = $1)
			ON CONFLICT (project_id) DO UPDATE SET due = 1,
				missing_at = CASE WHEN excluded.missing_at <> 0 THEN excluded.missing_at ELSE model_project.missing_at END`, id,
			path, missing)
		if err != nil {
			return fmt.Errorf("touch project %d: %w", id, err)
		}
		known = n > 0
		if known {
			t.announce(Change{Kind: ChangeProject})
		}
		return nil
	})
	return known, err
}

// ModelProjects lists the projects, by id; only those that are due, if asked.
func (s *Store) ModelProjects(ctx context.Context, due bool) (projects []ModelProject, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		if due {
			w.add("due = 1")
		}
		rows, err := t.query(`SELECT ` + projectColumns + ` FROM model_project` + w.String() + ` ORDER BY project_id`)
		projects, err = collect(rows, err, scanProject)
		return err
	})
	return projects, err
}

// ProjectState returns the state of a project, ProjectActive for one of which
// nothing is known.
func (s *Store) ProjectState(ctx context.Context, id int64) (state ProjectState, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		var text string
		found, err := t.row(`SELECT state FROM model_project WHERE project_id = $1`, []any{id}, &text)
		if state = ProjectState(text); !found {
			state = ProjectActive
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read state of project %d: %w", id, err)
	}
	return state, nil
}

// TakeProject returns a project as it is known now, to be looked at, and makes it due
// no more: an event that comes while it is looked at makes it due again. found is
// false for a project of which nothing is known.
func (s *Store) TakeProject(ctx context.Context, id int64) (p ModelProject, found bool, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT `+projectColumns+` FROM model_project WHERE project_id = $1`, id)
		all, err := collect(rows, err, scanProject)
		if found = err == nil && len(all) > 0; found {
			p = all[0]
		}
		return err
	})
	if err == nil && p.Due {
		err = s.write(ctx, func(t *tx) error {
			rows, err := t.query(`UPDATE model_project SET due = 0 WHERE project_id = $1 RETURNING `+projectColumns, id)
			all, err := collect(rows, err, scanProject)
			if err == nil && len(all) > 0 {
				p = all[0]
			}
			return err
		})
	}
	if err != nil {
		return ModelProject{}, false, fmt.Errorf("take project %d: %w", id, err)
	}
	return p, found, nil
}

// SaveProject writes what GitLab said of a project. Whether it is due stays as it is,
// and so does an earlier time since which it is missing, unless GitLab has it again:
// both may have been written by an event meanwhile. Pushes and provenance keep the
// path that they had.
func (s *Store) SaveProject(ctx context.Context, p ModelProject) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO model_project (`+projectColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (project_id) DO UPDATE SET project = excluded.project, state = excluded.state, checked_at = excluded.checked_at,
				missing_at = CASE WHEN excluded.missing_at <> 0 AND model_project.missing_at <> 0 AND model_project.missing_at < excluded.missing_at
					THEN model_project.missing_at ELSE excluded.missing_at END`,
			p.ID, p.Path, string(p.State), p.Due, p.MissingAt, p.CheckedAt)
		if err != nil {
			return fmt.Errorf("save project %d: %w", p.ID, err)
		}
		return nil
	})
}
