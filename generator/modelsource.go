package generator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dagwright/dag"
	"dagwright/store"
)

// modelSource reads a model's file at a commit, nil when there is none. A file in the
// repository's root whose name is nearly that of a model's file is a *dag.SpecError:
// its author believes that it counts.
func (g *Generator) modelSource(ctx context.Context, project, commit string) ([]byte, error) {
	source, err := g.Models.ReadFile(ctx, project, commit, ModelFile)
	if err == nil {
		return source, nil
	}
	if !errors.Is(err, dag.ErrNotFound) {
		return nil, err // names the file
	}
	names, err := g.Models.RootNames(ctx, project, commit)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", ModelFile, err)
	}
	return nil, CheckRootNames(names)
}

// CheckRootNames refuses a repository's root that has no model's file, and one whose
// name is nearly that (.dagwright.yaml, dagwright.yml, another case): a *dag.SpecError
// that names it.
func CheckRootNames(names []string) error {
	const near = 2 // characters to insert, delete or replace
	for _, name := range names {
		if len(name) < 2*len(ModelFile) && distance(strings.ToLower(name), ModelFile) <= near {
			return &dag.SpecError{File: name,
				Reason: fmt.Sprintf("is not read: a model's file is named %s; rename it", ModelFile)}
		}
	}
	return nil
}

// goneNote says on a push that the model had a file before and has none now, "" when
// that is not so or not known.
func (g *Generator) goneNote(ctx context.Context, project string, old map[dag.ID]store.Spec) string {
	for _, s := range old {
		if s.DAGCommit == "" || s.Source.Commit == "" {
			continue
		}
		if _, err := g.Models.ReadFile(ctx, project, s.Source.Commit, ModelFile); err == nil {
			return fmt.Sprintf("%s is gone since %s: the defaults count now", ModelFile, short(s.Source.Commit))
		}
		return ""
	}
	return ""
}
