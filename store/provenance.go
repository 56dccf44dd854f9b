package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
)

// Provenance is the chain that ends in a DAG, or in a run of it: the model's commit,
// the template, the commit of the DAG repository, the version, the run, its pods.
type Provenance struct {
	DAG  dag.ID
	Path string // of the spec in the DAG repository
	// Source and the template are those that the version's tasks name; they are
	// empty for a spec that was written by hand.
	Source                   dag.Source
	Template, TemplateDigest string // file name, and SHA-256 in hexadecimal
	// PromotedProject and PromotedCommit are of the DAG repository that the version
	// was promoted from, empty when it was not.
	PromotedProject, PromotedCommit string
	// Version is the run's, or the newest; it was first seen at DAGCommit.
	Version   int
	DAGCommit string
	SeenAt    time.Time
	// Spec is what the generator wrote last under the DAG's name, which may be newer
	// than the version; nil when this instance generates no such DAG.
	Spec *Spec
	// Run is nil when no run was asked for. Tries are its attempts, task by task in
	// the order of the definition, first to last.
	Run   *dag.Run
	Tries []ProvenanceTry
}

// ProvenanceTry is one attempt: the last link of the chain.
type ProvenanceTry struct {
	Task  dag.TaskID
	Try   int
	State dag.TaskState
	Image string // as the version has it, macros not rendered
	// Host is the name of the attempt's pod, or of the machine of a local process;
	// "" before it was known.
	Host string
}

// Provenance follows a run of a DAG back to where it is from, or the DAG's newest
// version when run is empty. The error is dag.ErrNotFound when there is no such DAG
// or run.
func (s *Store) Provenance(ctx context.Context, id dag.ID, run dag.RunID) (p Provenance, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		p = Provenance{DAG: id}
		d, err := findDAG(t, id)
		if err != nil {
			return err
		}
		p.Version = d.version
		var r *runRecord
		if run != "" {
			if r, err = findRun(t, id, run); err != nil {
				return err
			}
			p.Version = r.Version
		}
		spec, err := s.spec(t, d.key(p.Version))
		if err != nil {
			return err
		}
		p.follow(spec)
		if _, err := t.row(`SELECT file, dag_commit, created_at FROM dag_version WHERE dag_id = $1 AND version = $2`,
			[]any{id, p.Version}, &p.Path, &p.DAGCommit, at(&p.SeenAt)); err != nil {
			return fmt.Errorf("read version %d: %w", p.Version, err)
		}
		generated, err := findSpec(t, id)
		if err == nil && generated.DAGCommit != "" {
			p.Spec = &generated
		}
		if err != nil && !errors.Is(err, dag.ErrNotFound) {
			return err
		}
		if r == nil {
			return nil
		}
		p.Run = &r.Run
		p.Tries, err = triesOf(t, r, spec)
		return err
	})
	return p, err
}

// follow reads what the tasks of a version say of where they are from.
func (p *Provenance) follow(spec *dag.DAG) {
	p.Source = spec.Source
	p.PromotedProject, p.PromotedCommit = spec.PromotedFrom()
	p.Template, p.TemplateDigest, _ = strings.Cut(spec.Annotation(dag.AnnotationTemplate), "@sha256:")
}

// triesOf lists the attempts of a run.
func triesOf(t *tx, r *runRecord, spec *dag.DAG) ([]ProvenanceTry, error) {
	rows, err := t.query(`SELECT `+taskColumns+` FROM task_instance_history t WHERE t.dag_run = $1 ORDER BY t.try_number`,
		r.pk)
	records, err := collect(rows, err, scanTask)
	if err != nil {
		return nil, fmt.Errorf("read tries: %w", err)
	}
	ended := map[dag.TaskID][]dag.TaskInstance{}
	for _, rec := range records {
		ended[rec.Task] = append(ended[rec.Task], rec.of(r))
	}
	tasks, err := tasksOf(t, r, spec)
	if err != nil {
		return nil, err
	}
	var out []ProvenanceTry
	for i, last := range tasks {
		tries := ended[last.Task]
		if n := len(tries); last.Try > 0 && (n == 0 || tries[n-1].Try != last.Try) {
			tries = append(tries, last)
		}
		for _, ti := range tries {
			out = append(out,
				ProvenanceTry{Task: ti.Task, Try: ti.Try, State: ti.State, Image: spec.Tasks[i].Image, Host: ti.Hostname})
		}
	}
	return out, nil
}
