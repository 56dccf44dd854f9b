// Package macro renders the `{{ … }}` templates of a task's fields in
// Airflow's template context: {{ ds }}, {{ logical_date }}, {{ dag_run.conf }},
// {{ params.x }} and the like
// (https://airflow.apache.org/docs/apache-airflow/stable/templates-ref.html).
//
// Templates are written by many people, so they are evaluated in a sandbox.
// Package gonja finds the tokens; the parser (of Jinja's grammar) and the evaluation are
// here, on a closed set of values with Python's semantics. A template reads nothing but the context:
// no file, no environment, no clock, no Go value. An undefined name is an error,
// as with Jinja's StrictUndefined.
//
// What a task's templates may take is bounded for all of its fields together:
// steps, bytes touched, memory and time. Whatever an evaluation does is charged to
// this budget before it is done.
package macro

import (
	"context"
	"errors"
	"sync"
	"time"

	"dagwright/dag"
)

// Context is what a template can see.
type Context struct {
	DAG      *dag.DAG
	Run      dag.Run
	Task     *dag.Task
	Try      int
	MaxTries int
	// Started is when this try starts: ti.start_date, None when it is zero.
	Started time.Time
	// Variables are those of the instance; nil when it has none.
	Variables Variables
}

// Renderer renders tasks and keeps the templates that it has parsed, a bounded
// number of them. It is safe for concurrent use.
type Renderer struct {
	// Timeout is how long one Render may take; the constant Timeout when zero.
	Timeout time.Duration

	mu        sync.Mutex
	templates map[string]*template
	size      int // bytes of memory of templates, estimated
}

// New returns a renderer with nothing in its cache.
func New() *Renderer { return &Renderer{templates: map[string]*template{}} }

// Render returns the task with every templated field rendered: image, cmds,
// arguments, env_vars (names too) and the strings inside Pod's templated fields.
// The given task stays as it is.
//
// The error names the field and is dag.ErrInvalid, also when the task's templates
// exceed a limit: 200,000 steps, 64 MiB touched, 16 MiB of values, 1 MiB of one
// result, or Timeout. When ctx ends before, it is the error of ctx instead. An error
// that another try of the task would have too is ErrEveryTry.
func (r *Renderer) Render(ctx context.Context, c Context) (dag.Task, error) {
	return r.Begin(ctx).Render(c)
}

// Rendering renders several tasks, which share the limits of one. It is not safe for
// concurrent use.
type Rendering struct {
	renderer *Renderer
	budget   *budget
}

// Begin returns a rendering that ends with ctx. Its time begins now.
func (r *Renderer) Begin(ctx context.Context) *Rendering {
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = Timeout
	}
	return &Rendering{r, newBudget(ctx, timeout)}
}

// Render is Renderer.Render, within the limits that are left.
func (r *Rendering) Render(c Context) (dag.Task, error) {
	if err := r.budget.ctx.Err(); err != nil {
		return dag.Task{}, stopped{err}
	}
	f := fields{renderer: r.renderer, budget: r.budget, names: newNames(c, r.budget)}
	task := *c.Task
	f.task(&task)
	var s stopped
	switch {
	case f.err == nil:
		return task, nil
	case f.names.tried || r.budget.late || errors.As(f.err, &s):
		return dag.Task{}, f.err
	}
	return dag.Task{}, everyTry{f.err}
}

// ErrEveryTry says that rendering a task ends so whenever it is tried: the templates
// see nothing that differs between tries of one run.
var ErrEveryTry = errors.New("each try ends so")

type everyTry struct{ error }

func (e everyTry) Unwrap() error        { return e.error }
func (e everyTry) Is(target error) bool { return target == ErrEveryTry }

// The cache starts over when it would grow beyond these.
const (
	maxCached     = 4096
	maxCachedSize = 32 << 20 // bytes of memory, estimated
)

// parsed returns the template of a source, from the cache when it is there. It
// costs the same in both cases, so that a task never depends on what was rendered
// before it.
func (r *Renderer) parsed(source string, b *budget) (*template, error) {
	if err := chargeParse(source, b); err != nil {
		return nil, err
	}
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
	if len(r.templates) >= maxCached || r.size+t.size > maxCachedSize {
		clear(r.templates)
		r.size = 0
	}
	if _, ok := r.templates[source]; !ok {
		r.templates[source] = t
		r.size += t.size
	}
	return t, nil
}
