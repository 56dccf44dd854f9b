package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// Spec is the provenance of one generated DAG file.
type Spec struct {
	DAG            dag.ID
	ProjectID      int64
	Source         dag.Source
	Path           string // in the DAG repository
	Template       string
	TemplateDigest string // sha256, hex
	DAGCommit      string // of the DAG repository, "" while only claimed
	UpdatedAt      time.Time
	// Content is what was rendered last, "" before that or by an older dagwright.
	Content string
	// Previous is what stood in the DAG repository when Content was rendered.
	Previous string
	// Model and ModelPath name the entry of a repository with several models.
	Model, ModelPath string
	// MergeRequest is the URL of the merge request that proposes the file.
	MergeRequest string
}

const (
	specColumns = `dag_id, project_id, project, branch, model_commit, path, template, template_digest, dag_commit, updated_at,
		content, previous, model, model_path, merge_request`
	specValues = `$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15`
)

func scanSpec(r scanner) (Spec, error) {
	var s Spec
	err := r.Scan(&s.DAG, &s.ProjectID, &s.Source.Project, &s.Source.Branch, &s.Source.Commit, &s.Path,
		&s.Template, &s.TemplateDigest, &s.DAGCommit, at(&s.UpdatedAt),
		&s.Content, &s.Previous, &s.Model, &s.ModelPath, &s.MergeRequest)
	return s, err
}

// sameProject reports whether two specs belong to one project. The id tells,
// since a project may be renamed; without ids, the path does.
func (s Spec) sameProject(o Spec) bool {
	if s.ProjectID == 0 || o.ProjectID == 0 {
		return s.Source.Project == o.Source.Project
	}
	return s.ProjectID == o.ProjectID
}

func (s Spec) conflict(holder Spec) error {
	return fmt.Errorf("the DAG name %q belongs to project %s and cannot be used by project %s: %w",
		s.DAG, holder.Source.Project, s.Source.Project, dag.ErrConflict)
}

// ClaimSpec reserves a DAG's name for one project before its file is pushed.
// The error is dag.ErrConflict, naming both projects, when another project
// holds the name; claiming again is not an error and changes nothing.
func (s *Store) ClaimSpec(ctx context.Context, spec Spec) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO generated_spec (`+specColumns+`) VALUES (`+specValues+`)
			ON CONFLICT (dag_id) DO NOTHING`, spec.args(t)...)
		if err != nil {
			return fmt.Errorf("claim DAG name %q: %w", spec.DAG, err)
		}
		if n == 1 {
			if err := refuseLikeName(t, spec); err != nil {
				return err
			}
			return lookAgain(t, spec)
		}
		holder, err := findSpec(t, spec.DAG)
		if err != nil {
			return err
		}
		if !spec.sameProject(holder) {
			return spec.conflict(holder)
		}
		return nil
	})
}

// refuseLikeName refuses a new name that differs from another by upper and lower case
// alone: as files of a checkout, some systems take the two for one.
func refuseLikeName(t *tx, spec Spec) error {
	var other, project string
	found, err := t.row(
		`SELECT dag_id, project FROM generated_spec WHERE lower(dag_id) = lower($1) AND dag_id <> $1 LIMIT 1`,
		[]any{spec.DAG}, &other, &project)
	if err != nil {
		return fmt.Errorf("look for names like %q: %w", spec.DAG, err)
	}
	if found {
		return fmt.Errorf("the DAG name %q differs from %q of project %s by upper and lower case alone: %w", spec.DAG, other,
			project, dag.ErrConflict)
	}
	return nil
}

// lookAgain has the next sync look at the file of a DAG whose id was another
// project's, even if the file is what it was.
func lookAgain(t *tx, spec Spec) error {
	_, err := t.exec(`UPDATE synced_file SET blob = '' WHERE path =
		(SELECT file FROM dag WHERE dag_id = $1 AND project_id <> 0 AND project_id <> $2)`, spec.DAG, spec.ProjectID)
	if err != nil {
		return fmt.Errorf("claim DAG name %q: %w", spec.DAG, err)
	}
	return nil
}

func (s Spec) args(t *tx) []any {
	if s.UpdatedAt.IsZero() {
		s.UpdatedAt = t.now
	}
	return []any{
		s.DAG, s.ProjectID, s.Source.Project, s.Source.Branch, s.Source.Commit, s.Path,
		s.Template, s.TemplateDigest, s.DAGCommit, s.UpdatedAt,
		s.Content, s.Previous, s.Model, s.ModelPath, s.MergeRequest,
	}
}

// writeSpec records what a push was rendered to. The name must not have gone
// to another project meanwhile.
func writeSpec(t *tx, spec Spec) error {
	holder, err := oneSpec(t, t.forUpdate(), spec.DAG)
	if err != nil {
		return err
	}
	if holder != nil && !spec.sameProject(*holder) {
		return spec.conflict(*holder)
	}
	_, err = t.exec(`INSERT INTO generated_spec (`+specColumns+`) VALUES (`+specValues+`)
		ON CONFLICT (dag_id) DO UPDATE SET project_id = excluded.project_id, project = excluded.project,
			branch = excluded.branch, model_commit = excluded.model_commit, path = excluded.path,
			template = excluded.template, template_digest = excluded.template_digest,
			dag_commit = excluded.dag_commit, updated_at = excluded.updated_at,
			content = excluded.content, previous = excluded.previous, model = excluded.model, model_path = excluded.model_path,
			merge_request = excluded.merge_request`, spec.args(t)...)
	if err != nil {
		return fmt.Errorf("write provenance of DAG %q: %w", spec.DAG, err)
	}
	if err := moveProject(t, spec); err != nil {
		return fmt.Errorf("write project of DAG %q: %w", spec.DAG, err)
	}
	return nil
}

// Spec returns the provenance of a generated DAG, or dag.ErrNotFound.
func (s *Store) Spec(ctx context.Context, id dag.ID) (spec Spec, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		spec, err = findSpec(t, id)
		return err
	})
	return spec, err
}

func findSpec(t *tx, id dag.ID) (Spec, error) {
	spec, err := oneSpec(t, "", id)
	if err != nil {
		return Spec{}, err
	}
	if spec == nil {
		return Spec{}, fmt.Errorf("DAG %.250q was not generated: %w", id, dag.ErrNotFound)
	}
	return *spec, nil
}

// oneSpec reads the provenance of a DAG, nil when there is none.
func oneSpec(t *tx, lock string, id dag.ID) (*Spec, error) {
	w := &where{}
	w.add("s.dag_id = ?", id)
	t.scopeSpec(w)
	rows, err := t.query(`SELECT `+specColumns+` FROM generated_spec s`+w.String()+lock, w.args...)
	found, err := collect(rows, err, scanSpec)
	if err != nil {
		return nil, fmt.Errorf("read provenance of DAG %.250q: %w", id, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

// Specs returns the provenance of every generated DAG, by DAG id.
func (s *Store) Specs(ctx context.Context) (specs []Spec, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		t.scopeSpec(w)
		rows, err := t.query(`SELECT `+specColumns+` FROM generated_spec s`+w.String()+` ORDER BY s.dag_id`, w.args...)
		specs, err = collect(rows, err, scanSpec)
		return err
	})
	return specs, err
}

// SpecsOf returns the provenance of the DAGs of one branch of a project, by DAG
// id.
func (s *Store) SpecsOf(ctx context.Context, project int64, branch string) (specs []Spec, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add("s.project_id = ? AND s.branch = ?", project, branch)
		t.scopeSpec(w)
		rows, err := t.query(`SELECT `+specColumns+` FROM generated_spec s`+w.String()+` ORDER BY s.dag_id`, w.args...)
		specs, err = collect(rows, err, scanSpec)
		return err
	})
	return specs, err
}

// ReleaseSpec gives up a DAG's name: its file was removed. Giving up what is
// not held changes nothing.
func (s *Store) ReleaseSpec(ctx context.Context, id dag.ID) error {
	return s.write(ctx, func(t *tx) error { return releaseSpec(t, id) })
}

func releaseSpec(t *tx, id dag.ID) error {
	if _, err := t.exec(`DELETE FROM generated_spec WHERE dag_id = $1`, id); err != nil {
		return fmt.Errorf("release DAG name %q: %w", id, err)
	}
	return nil
}
