package macro

import (
	"context"
	"fmt"
	"time"
)

// The limits of rendering one task: all its fields together, and what is read of
// the run's conf. Everything is charged before it is done, so that a task takes
// no more than these, whatever its templates do.
const (
	maxSteps  = 200_000
	maxWork   = 64 << 20 // bytes touched, about a nanosecond each
	maxMemory = 16 << 20 // bytes of values and of results, in sum
	maxOutput = 1 << 20  // bytes of one field, or of one value's text
	maxRange  = 10_000
)

// Timeout is how long rendering one task may take unless a renderer says
// otherwise. The other limits are reached long before it on an idle machine.
const Timeout = 2 * time.Second

var (
	errOutput = fmt.Errorf("the result is longer than %d bytes", maxOutput)
	errSteps  = fmt.Errorf("the task's templates take more than %d steps", maxSteps)
	errWork   = fmt.Errorf("the task's templates go over more than %d bytes", maxWork)
	errMemory = fmt.Errorf("the task's templates make more than %d bytes of values", maxMemory)
)

// What some things cost, in bytes of memory.
const (
	itemSize   = 16  // an item of a list whose value exists already
	stringSize = 32  // an item that is a new string, without its text
	pairSize   = 128 // a key of a dict and its value
	callSize   = 128 // a method that is looked up, with its owner
)

// budget is what rendering one task has taken of its limits.
type budget struct {
	ctx      context.Context
	deadline time.Time
	timeout  time.Duration
	steps    int
	work     int
	memory   int
	unseen   int // work since the clock was read
	depth    int // of values that are gone over within each other
	late     bool
}

// maxDepthOfValues bounds how deep values that are gone over lie in each other.
const maxDepthOfValues = 500

var errDepth = fmt.Errorf("values lie deeper than %d in each other", maxDepthOfValues)

// deeper says that what lies in a value is gone over. Each call without an error has
// one of shallower.
func (b *budget) deeper() error {
	if b.depth >= maxDepthOfValues {
		return errDepth
	}
	b.depth++
	return nil
}

func (b *budget) shallower() { b.depth-- }

func newBudget(ctx context.Context, timeout time.Duration) *budget {
	return &budget{ctx: ctx, deadline: time.Now().Add(timeout), timeout: timeout}
}

// clockEvery is how much work passes between two looks at the clock. A small
// template never looks, so that a machine that stood still does not fail it.
const clockEvery = 1 << 18

// stepWork is what one step costs beside the bytes that it touches.
const stepWork = 100

// step charges one step of an evaluation.
func (b *budget) step() error {
	if b.steps >= maxSteps {
		return errSteps
	}
	b.steps++
	return b.touch(stepWork)
}

// touch charges n bytes that are about to be read or written.
func (b *budget) touch(n int) error {
	if n < 0 || n > maxWork-b.work {
		return errWork
	}
	b.work += n
	if b.unseen += n; b.unseen < clockEvery {
		return nil
	}
	b.unseen = 0
	return b.clock()
}

// spend charges n bytes of memory that are about to be taken, and written.
func (b *budget) spend(n int) error {
	if n < 0 || n > maxMemory-b.memory {
		return errMemory
	}
	b.memory += n
	return b.touch(n)
}

// spendEach charges n times size bytes.
func (b *budget) spendEach(n, size int) error {
	if n < 0 || size < 0 || size > 0 && n > maxMemory/size {
		return errMemory
	}
	return b.spend(n * size)
}

// touchEach charges n times size bytes.
func (b *budget) touchEach(n, size int) error {
	if n < 0 || size < 0 || size > 0 && n > maxWork/size {
		return errWork
	}
	return b.touch(n * size)
}

// stopped says that whoever asked does not wait any more.
type stopped struct{ cause error }

func (s stopped) Error() string { return "rendering was stopped: " + s.cause.Error() }
func (s stopped) Unwrap() error { return s.cause }

func (b *budget) clock() error {
	if err := b.ctx.Err(); err != nil {
		return stopped{err}
	}
	if !time.Now().Before(b.deadline) {
		b.late = true
		return fmt.Errorf("the task's templates take longer than %s", b.timeout)
	}
	return nil
}
