package scheduler

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/reason"
	"dagwright/tasklog"
)

// starter counts starts.
type starter struct {
	executor.Executor
	starts atomic.Int32
}

func (s *starter) Stop(context.Context, dag.AttemptKey, time.Duration) error { return nil }

func (s *starter) Start(context.Context, executor.Attempt) error {
	s.starts.Add(1)
	return nil
}

// TestHold wants attempts to wait while space is short: they are started when
// there is some, and end at once when they are stopped before.
func TestHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		exec, isShort := &starter{}, atomic.Bool{}
		d := newDispatcher(Config{Executor: exec, Logs: logs, Now: time.Now})
		d.short = isShort.Load
		isShort.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		go d.work(ctx)
		go d.drops.work(ctx)
		go d.ends.run(ctx)
		key := func(task dag.TaskID) dag.AttemptKey {
			return dag.AttemptKey{DAG: "d", Run: "r", Task: task, Try: 1}
		}
		for _, task := range []dag.TaskID{"goes", "stopped"} {
			d.starts.push(&start{key: key(task), spec: &dag.DAG{}, attempt: &executor.Attempt{Key: key(task)}})
			if e := <-d.events; e.Key != key(task) || e.Phase != dag.AttemptWaiting || e.Reason.Code != reason.WaitsForLogSpace {
				t.Errorf("got %+v", e)
			}
		}
		time.Sleep(time.Minute)
		d.stop(key("stopped"))
		if e := <-d.events; e.Key != key("stopped") || e.Phase != dag.AttemptEnded || !e.Stopped {
			t.Errorf("got %+v", e)
		}
		if n := exec.starts.Load(); n != 0 {
			t.Errorf("%d attempts were started without space", n)
		}
		isShort.Store(false)
		time.Sleep(time.Minute)
		if n := exec.starts.Load(); n != 1 || len(d.events) > 0 {
			t.Errorf("%d attempts were started, %d events; want one, none", n, len(d.events))
		}
		cancel()
		synctest.Wait()
	})
}

// TestShort looks at a real disk.
func TestShort(t *testing.T) {
	t.Parallel()
	for free, want := range map[int64]bool{-1: false, 1: false, 1 << 62: true} {
		logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir(), MinFree: free})
		if err != nil {
			t.Fatal(err)
		}
		if got := newDispatcher(Config{Logs: logs}).short(); got != want {
			t.Errorf("with %d bytes to be free: %t, want %t", free, got, want)
		}
		_ = logs.Close()
	}
}
