package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
)

// Version is one version of a DAG's definition.
type Version struct {
	DAG       dag.ID
	Number    int
	Source    string // the spec file
	File      string
	DAGCommit string
	CreatedAt time.Time
	Spec      *dag.DAG
}

// Version returns one version of a DAG, the newest when number is 0, or
// dag.ErrNotFound. Spec shares memory with the store's cache: do not change it.
func (s *Store) Version(ctx context.Context, id dag.ID, number int) (Version, error) {
	v := Version{DAG: id, Number: number}
	err := s.db.read(ctx, func(t *tx) error {
		d, err := findDAG(t, id)
		if err != nil {
			return err
		}
		if v.Number == 0 {
			v.Number = d.version
		}
		if v.Spec, err = s.spec(t, d.key(v.Number)); err != nil {
			return err
		}
		_, err = t.row(`SELECT source, file, dag_commit, created_at FROM dag_version WHERE dag_id = $1 AND version = $2`,
			[]any{id, v.Number}, &v.Source, &v.File, &v.DAGCommit, at(&v.CreatedAt))
		return err
	})
	if err != nil {
		return Version{}, err
	}
	return v, nil
}

// Versions lists a DAG's versions, newest first, without Source and Spec.
func (s *Store) Versions(ctx context.Context, id dag.ID) (versions []Version, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		if _, err := findDAG(t, id); err != nil {
			return err
		}
		rows, err := t.query(`SELECT version, file, dag_commit, created_at FROM dag_version
			WHERE dag_id = $1 ORDER BY version DESC`, id)
		versions, err = collect(rows, err, func(r scanner) (Version, error) {
			v := Version{DAG: id}
			err := r.Scan(&v.Number, &v.File, &v.DAGCommit, at(&v.CreatedAt))
			return v, err
		})
		return err
	})
	return versions, err
}

// newDAGVersion is a definition that may become a new version.
type newDAGVersion struct {
	dag        dag.ID
	number     int
	file       string
	commit     string
	definition string
	source     string
	digest     string // of definition and source
}

func newVersion(spec *dag.DAG, f SpecFile, commit string) (newDAGVersion, error) {
	definition, err := json.Marshal(spec)
	if err != nil {
		return newDAGVersion{}, fmt.Errorf("write definition: %w", err)
	}
	v := newDAGVersion{
		dag: spec.ID, file: f.Path, commit: commit, definition: string(definition), source: f.Source,
	}
	sum := sha256.Sum256([]byte(v.definition + "\x00" + v.source))
	v.digest = hex.EncodeToString(sum[:])
	return v, nil
}

func (v newDAGVersion) insert(t *tx) error {
	_, err := t.exec(`INSERT INTO dag_version (dag_id, version, file, dag_commit, created_at, definition, source)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, v.dag, v.number, v.file, v.commit, t.now, v.definition, v.source)
	if err != nil {
		return fmt.Errorf("write version %d: %w", v.number, err)
	}
	return nil
}

func insertTags(t *tx, spec *dag.DAG) error {
	for _, tag := range spec.Tags {
		if _, err := t.exec(`INSERT INTO dag_tag (dag_id, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING`, spec.ID,
			tag); err != nil {
			return fmt.Errorf("write tag: %w", err)
		}
	}
	return nil
}

func displayName(spec *dag.DAG) string {
	if spec.DisplayName != "" {
		return spec.DisplayName
	}
	return string(spec.ID)
}

// searchText is what a search looks into. It is put into lower case here,
// since the databases differ in how they do it.
func searchText(spec *dag.DAG) string {
	parts := append([]string{string(spec.ID), spec.DisplayName, spec.Owner}, spec.Tags...)
	return strings.ToLower(strings.Join(parts, "\n"))
}

// unpausedAt is now for a DAG that begins un-paused: its schedule is followed
// from now on.
func unpausedAt(t *tx, paused bool) time.Time {
	if paused {
		return time.Time{}
	}
	return t.now
}
