package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"dagwright/client"
	"dagwright/terminal"
)

// follower prints one log after the other, each try once.
type follower struct {
	*logPrinter
	done map[attempt]bool
	// since is when the first try that was followed began: what began earlier
	// and has ended is history.
	since time.Time
}

// follow prints logs until the run, or the task or try that was named, has
// ended.
func (p *logPrinter) follow() error {
	// Between two tasks there is nothing to follow for a moment.
	const pause = 200 * time.Millisecond
	f := follower{logPrinter: p, done: map[attempt]bool{}}
	for {
		// The run is read before its tasks: if it had ended, they have too.
		run, err := p.client.Run(p.cmd.Context(), p.run.DAG, p.run.ID)
		if err != nil {
			return err
		}
		tasks, err := p.tasks()
		if err != nil {
			return err
		}
		next, ok := f.next(tasks)
		switch {
		case ok:
			if err := f.followOne(next); err != nil {
				return err
			}
		case run.Fields.Ended() || p.task != "" && tasks[0].Ended():
			f.conclude(run.Fields)
			return nil
		default:
			if err := sleep(p.cmd.Context(), pause); err != nil {
				return err
			}
		}
		if p.try > 0 && len(f.done) > 0 {
			return nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// next is a try that was not followed yet: first the one that print would
// take, then each one that runs or began since, in the order of their start.
func (f *follower) next(tasks []client.TaskInstance) (attempt, bool) {
	if len(f.done) == 0 {
		first, err := f.choose(tasks)
		if err != nil {
			return attempt{}, false // nothing has started yet
		}
		for _, t := range tasks {
			if t.Task == first.task && t.StartedAt != nil {
				f.since = *t.StartedAt
			}
		}
		return first, true
	}
	fresh := slices.DeleteFunc(slices.Clone(tasks), func(t client.TaskInstance) bool {
		return t.StartedAt == nil || f.done[attempt{t.Task, t.Try}] || t.Ended() && t.StartedAt.Before(f.since)
	})
	if len(fresh) == 0 {
		return attempt{}, false
	}
	t := slices.MinFunc(fresh, func(a, b client.TaskInstance) int {
		return cmp.Or(a.StartedAt.Compare(*b.StartedAt), cmp.Compare(a.Task, b.Task))
	})
	return attempt{t.Task, t.Try}, true
}

// followOne prints the log of one try until it is complete.
func (f *follower) followOne(a attempt) error {
	f.done[a] = true
	fmt.Fprintf(f.cmd.ErrOrStderr(), "==> %s of %s, try %d\n", a.task, f.run.ID, a.try)
	return f.client.FollowLog(f.cmd.Context(), f.tried(a),
		func(text []byte) error { return f.line(f.cmd.OutOrStdout(), text) })
}

// conclude says how the run ended, or that it goes on.
func (f *follower) conclude(r client.Run) {
	if len(f.done) == 0 {
		fmt.Fprintln(f.cmd.ErrOrStderr(), "nothing ran, so there is no log")
	}
	fmt.Fprintf(f.cmd.ErrOrStderr(), "==> run %s is %s", r.ID, r.State)
	if r.Reason != nil {
		fmt.Fprintf(f.cmd.ErrOrStderr(), ": %s", terminal.OneLine(*r.Reason))
	}
	fmt.Fprintln(f.cmd.ErrOrStderr())
}
