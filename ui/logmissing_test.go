package ui

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
)

// ended ends the task of a run that was started by running.
func (s *site) ended(r dag.Run) {
	s.Helper()
	s.advance(r.DAG, store.UpdateTask{From: dag.TaskRunning, FromTry: 1, Task: dag.TaskInstance{
		DAG: r.DAG, Run: r.ID, Task: "run_model", State: dag.TaskSuccess, Try: 1, MaxTries: 2, StartedAt: now, EndedAt: now,
		HasExitCode: true}})
}

// setLogs has the pages show other logs.
func (s *site) setLogs(c tasklog.Config) {
	s.Helper()
	logs, err := tasklog.Open(c)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := logs.Close(); err != nil {
			s.Error(err)
		}
	})
	s.logs, s.server.Logs = logs, logs
}

// TestMissingLogs says why there is no log.
func TestMissingLogs(t *testing.T) {
	t.Parallel()
	later := func(d time.Duration) func() time.Time { return func() time.Time { return now.Add(d) } }
	bucket := t.TempDir()
	for name, test := range map[string]struct {
		logs    tasklog.Config
		want    string
		follows bool
	}{
		"did not run": {tasklog.Config{Dir: t.TempDir()}, "this task did not run", false},
		"removed": {
			tasklog.Config{Dir: t.TempDir(), Now: later(31 * 24 * time.Hour),
				Retention: tasklog.Retention{Keep: 30 * 24 * time.Hour}},
			"The log was removed by retention after 30 days.", false,
		},
		"on its way": {tasklog.Config{Dir: t.TempDir(), Bucket: "file://" + bucket, ReadOnly: true}, "no log yet", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.setLogs(test.logs)
			r := s.running()
			s.ended(r)
			p := s.get(http.StatusOK, logURL(r.DAG, r.ID, "run_model", 0))
			p.wants(t, test.want)
			if follows := p.attr("log", "data-stream") != ""; follows != test.follows {
				t.Errorf("the log is followed: %v, want %v", follows, test.follows)
			}
		})
	}
}

// TestLogStorageFails says that it is the storage, and not how it fails.
func TestLogStorageFails(t *testing.T) {
	t.Parallel()
	bucket := t.TempDir()
	s := newSite(t)
	s.setLogs(tasklog.Config{Dir: t.TempDir(), Bucket: "file://" + bucket, ReadOnly: true})
	r := s.running()
	name := filepath.Join(bucket, "dag_id="+string(r.DAG), "run_id="+string(r.ID))
	if err := os.MkdirAll(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(name, "task_id=run_model"), nil, 0o600); err != nil { // where a folder must be
		t.Fatal(err)
	}
	p := s.get(http.StatusOK, logURL(r.DAG, r.ID, "run_model", 0))
	p.wants(t, "the log storage is not responding")
	p.lacks(t, bucket)
}
