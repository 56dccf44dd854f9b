package tasklog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/tasklog"
)

const day = 24 * time.Hour

func TestRetentionFor(t *testing.T) {
	t.Parallel()
	r := tasklog.Retention{Keep: 30 * day, DAGs: map[string]time.Duration{
		"churn-*": 90 * day, "churn-model": 7 * day, "*-retrain": 0, "churn-m*": 60 * day, "ab*": day, "a*c": 2 * day,
	}}
	for id, want := range map[dag.ID]time.Duration{
		"other": 30 * day, "churn-model": 7 * day, "churn-x": 90 * day, "churn-mmm": 60 * day,
		"price-retrain": 0, "churn-x-retrain": 0, "abc": 2 * day,
	} {
		if got := r.For(id); got != want {
			t.Errorf("For(%q) = %v, want %v", id, got, want)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	keep := func(d time.Duration) tasklog.Retention { return tasklog.Retention{Keep: d} }
	pattern := func(p string) tasklog.Retention {
		return tasklog.Retention{DAGs: map[string]time.Duration{p: day}}
	}
	for name, test := range map[string]struct {
		config tasklog.Config
		want   string // "" for no fault
	}{
		"folder":    {tasklog.Config{Dir: "x"}, ""},
		"no folder": {tasklog.Config{}, "no folder"},
		"all": {tasklog.Config{Dir: "x", Bucket: "s3://b/p?region=r&endpoint=http://localhost:1",
			Retention: pattern("a*")}, ""},
		"short": {tasklog.Config{Dir: "x", Retention: keep(time.Minute)},
			"retention: 1m0s is too short; want at least 1h0m0s, or 0 for ever"},
		"negative":      {tasklog.Config{Dir: "x", Retention: keep(-day)}, "retention: -24h0m0s"},
		"bad pattern":   {tasklog.Config{Dir: "x", Retention: pattern("[a")}, `dags.[a: no pattern of DAG ids`},
		"bad bucket":    {tasklog.Config{Dir: "x", Bucket: "b"}, "want s3://bucket/prefix"},
		"several":       {tasklog.Config{Bucket: "b", Retention: keep(-day)}, "no folder"},
		"several again": {tasklog.Config{Bucket: "b", Retention: keep(-day)}, "retention: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.config.Check()
			if test.want == "" && err != nil || test.want != "" &&
				(!errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Check: %v, want %q", err, test.want)
			}
		})
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	d, err := tasklog.Open(tasklog.Config{
		Dir: t.TempDir(), Now: func() time.Time { return now },
		Retention: tasklog.Retention{Keep: 30 * day, DAGs: map[string]time.Duration{"kept": 0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, test := range []struct {
		id    dag.ID
		ended time.Time
		want  bool
	}{
		{"churn", now.Add(-31 * day), true}, {"churn", now.Add(-29 * day), false},
		{"churn", time.Time{}, false}, {"kept", now.Add(-1000 * day), false},
	} {
		if keep, got := d.Expired(test.id, test.ended); got != test.want || got && keep != 30*day {
			t.Errorf("Expired(%s, %v) = %v, %v", test.id, test.ended, keep, got)
		}
	}
}

// clock is a clock that a test moves.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// TestSweep removes sealed logs when their time has come, and no others.
func TestSweep(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		var c clock
		old, kept, growing := key, key, key
		kept.DAG, growing.Task = "kept-model", "growing"
		long := key
		long.DAG = dag.ID(strings.Repeat("x", 250))
		h.must(h.Close())
		h.config.Now = c.now
		h.config.Retention = tasklog.Retention{Keep: 30 * day, DAGs: map[string]time.Duration{"kept-*": 90 * day}}
		h.open()
		for _, k := range []dag.AttemptKey{old, kept, growing, long} {
			h.write(k, "x\n")
		}
		for _, k := range []dag.AttemptKey{old, kept, long} {
			h.seal(k)
		}
		h.ship()
		sweep := func(ahead time.Duration, want map[dag.AttemptKey]bool) {
			t.Helper()
			c.move(ahead)
			h.must(h.Sweep(t.Context()))
			h.ship()
			other := h.reader()
			got := map[dag.AttemptKey]bool{}
			for k := range want {
				_, err := other.Stat(k)
				if err != nil && !errors.Is(err, dag.ErrNotFound) {
					t.Fatal(err)
				}
				got[k] = err == nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v later (-want +got):\n%s", c.ahead, diff)
			}
		}
		sweep(29*day, map[dag.AttemptKey]bool{old: true, kept: true, growing: true, long: true})
		sweep(2*day, map[dag.AttemptKey]bool{old: false, kept: true, growing: true, long: true})
		sweep(60*day, map[dag.AttemptKey]bool{old: false, kept: false, growing: true, long: false})
		if left, err := filepath.Glob(filepath.Join(h.config.Dir, "dag_id=kept-model*")); err != nil || left != nil {
			t.Errorf("left in the folder: %v, %v", left, err)
		}
	})
}

// TestSweepSealsAbandoned seals a log whose attempt nobody knows any more, a
// day after its last line.
func TestSweepSealsAbandoned(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		var c clock
		abandoned, active := key, key
		active.Task = "active"
		h.must(h.Close())
		h.config.Now = c.now
		h.config.Active = func(context.Context) ([]dag.AttemptKey, error) { return []dag.AttemptKey{active}, nil }
		h.open()
		h.write(abandoned, "x\n")
		h.write(active, "x\n")
		h.must(h.Sweep(t.Context()))
		wantInfo(t, h.Dir, abandoned, tasklog.Info{Size: 2})
		c.move(2 * day)
		h.must(h.Sweep(t.Context()))
		wantInfo(t, h.Dir, abandoned, tasklog.Info{Size: 2, Sealed: true})
		wantInfo(t, h.Dir, active, tasklog.Info{Size: 2})
	})
}

// TestSweepForgetsMarks removes the marks of uploaded logs, which would become
// many.
func TestSweepForgetsMarks(t *testing.T) {
	t.Parallel()
	inBuckets(t, func(h *house) {
		var c clock
		h.must(h.Close())
		h.config.Now = c.now
		h.open()
		h.write(key, "x\n")
		h.seal(key)
		h.ship()
		c.move(8 * day)
		h.must(h.Sweep(t.Context()))
		left, err := os.ReadDir(h.config.Dir)
		if err != nil || len(left) != 1 || left[0].Name() != ".spool" {
			t.Errorf("left in the folder: %v, %v", left, err)
		}
		wantInfo(t, h.Dir, key, tasklog.Info{Size: 2, Sealed: true})
	})
}

// TestSweepBesideWriters sweeps all the time, with every sealed log too old,
// while others write: no writer is disturbed, and no log that is not sealed is
// lost.
func TestSweepBesideWriters(t *testing.T) {
	t.Parallel()
	everywhere(t, func(h *house) {
		h.must(h.Close())
		h.config.Now = func() time.Time { return time.Now().Add(2 * day) }
		h.config.Retention = tasklog.Retention{Keep: day}
		h.open()
		done := make(chan struct{})
		var writers, sweeper sync.WaitGroup
		sweeper.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := errors.Join(h.Sweep(t.Context()), h.Ship(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
		for w := range 4 {
			writers.Go(func() {
				for i := range 100 {
					k := dag.AttemptKey{DAG: "d", Run: dag.RunID(fmt.Sprint("r", i%5)), Task: dag.TaskID(fmt.Sprint("t", w)), Try: i}
					if err := writeAndCheck(h.Dir, k); err != nil {
						t.Error(k, err)
					}
				}
			})
		}
		writers.Wait()
		close(done)
		sweeper.Wait()
	})
}

func writeAndCheck(d *tasklog.Dir, k dag.AttemptKey) error {
	f, err := d.File(k)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("x\n"); err != nil {
		return err
	}
	info, err := d.Stat(k)
	if err == nil && info != (tasklog.Info{Size: 2}) {
		err = fmt.Errorf("the log is %+v", info)
	}
	if err != nil {
		return err
	}
	return d.Seal(k)
}
