// Package macro renders the `{{ … }}` templates of a task's fields in
// Airflow's template context: {{ ds }}, {{ logical_date }}, {{ dag_run.conf }},
// {{ params.x }} and the like
// (https://airflow.apache.org/docs/apache-airflow/stable/templates-ref.html).
//
// Templates are written by many people, so they are evaluated in a sandbox.
// Package gonja reads the syntax; the evaluation is done here, on a closed set
// of values with Python's semantics. A template reads nothing but the context:
// no file, no environment, no clock, no Go value. Its size, steps and memory are
// bounded, and an undefined name is an error, as with Jinja's StrictUndefined.
package macro

import (
	"sync"

	"dagwright/dag"
)

// Context is what a template can see.
type Context struct {
	DAG      *dag.DAG
	Run      dag.Run
	Task     *dag.Task
	Try      int
	MaxTries int
}

// Renderer renders tasks and keeps the templates that it has parsed, a bounded
// number of them. It is safe for concurrent use.
type Renderer struct {
	mu        sync.Mutex
	templates map[string]*template
	size      int // bytes of source in templates
}

// New returns a renderer with nothing in its cache.
func New() *Renderer { return &Renderer{templates: map[string]*template{}} }

// Render returns the task with every templated field rendered: image, cmds,
// arguments, env_vars (names too) and the strings inside Pod's templated fields.
// The error names the field and is dag.ErrInvalid. The given task stays as it
// is.
func (r *Renderer) Render(c Context) (dag.Task, error) {
	f := fields{renderer: r, names: newNames(c)}
	task := *c.Task
	task.Image = f.text("image", task.Image)
	task.Cmds = f.texts("cmds", task.Cmds)
	task.Arguments = f.texts("arguments", task.Arguments)
	task.Env = f.env(task.Env)
	task.Pod = f.pod(task.Pod)
	if f.err != nil {
		return dag.Task{}, f.err
	}
	return task, nil
}

// The cache starts anew when it would grow beyond these.
const (
	maxCached     = 4096
	maxCachedSize = 8 << 20
)

// parsed returns the template of a source, from the cache when it is there.
func (r *Renderer) parsed(source string) (*template, error) {
	r.mu.Lock()
	t, ok := r.templates[source]
	r.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := parse(source)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.templates) >= maxCached || r.size+len(source) > maxCachedSize {
		clear(r.templates)
		r.size = 0
	}
	if _, ok := r.templates[source]; !ok {
		r.templates[source] = t
		r.size += len(source)
	}
	return t, nil
}
