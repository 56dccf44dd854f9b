package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"dagwright/dag"
	"dagwright/executor"
)

// parallel is how many attempts run at a time in the benchmarks.
const parallel = 8

// BenchmarkStart runs `true` with everything included: journal, log, pipe,
// exit code, seal, events, Forget; with a working folder of its own for each
// attempt, and with one that is given. Compare it with BenchmarkBareForkExec.
func BenchmarkStart(b *testing.B) {
	b.Run("own folder", func(b *testing.B) { benchmarkStart(b, nil) })
	given := b.TempDir()
	b.Run("given folder", func(b *testing.B) {
		benchmarkStart(b, func(context.Context, executor.Attempt) (Workdir, error) { return Workdir{Dir: given}, nil })
	})
}

func benchmarkStart(b *testing.B, workdir func(context.Context, executor.Attempt) (Workdir, error)) {
	x := newHome(b).opened(b)
	x.config.Workdir = workdir
	slots := make(chan struct{}, parallel)
	var ended sync.WaitGroup
	ended.Add(b.N)
	stop := make(chan struct{})
	defer close(stop)
	for range 2 {
		go func() {
			for {
				select {
				case <-stop:
					return
				case e := <-x.Events():
					if e.Phase != dag.AttemptEnded {
						continue
					}
					if !e.Succeeded() {
						b.Errorf("ended as %+v", e)
					}
					if err := x.Forget(b.Context(), e.Key); err != nil {
						b.Errorf("Forget: %v", err)
					}
					<-slots
					ended.Done()
				}
			}
		}()
	}
	b.ResetTimer()
	for i := range b.N {
		slots <- struct{}{}
		a := executor.Attempt{
			Key: dag.AttemptKey{DAG: "bench", Run: dag.RunID(fmt.Sprint("run-", i/4)),
				Task: dag.TaskID(fmt.Sprint("task-", i%4)), Try: 1},
			Task: dag.Task{Cmds: []string{"true"}},
		}
		go func() {
			if err := x.Start(b.Context(), a); err != nil {
				b.Errorf("Start: %v", err)
			}
		}()
	}
	ended.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "attempts/s")
}

// BenchmarkBareForkExec runs `true` with a log file and nothing
// else: what the machine can do at most.
func BenchmarkBareForkExec(b *testing.B) {
	log, err := os.Create(b.TempDir() + "/log")
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	slots := make(chan struct{}, parallel)
	var ended sync.WaitGroup
	b.ResetTimer()
	for range b.N {
		slots <- struct{}{}
		ended.Go(func() {
			defer func() { <-slots }()
			cmd := exec.CommandContext(b.Context(), "/bin/true")
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Run(); err != nil {
				b.Errorf("run: %v", err)
			}
		})
	}
	ended.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "attempts/s")
}
