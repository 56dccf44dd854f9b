package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
	"dagwright/ui"
)

// bigPages measures the pages over a database with many DAGs and runs, in this
// process, over HTTP: what the server needs for each of the ways in which
// people look at the table.
func bigPages(ctx context.Context, b *bench) error {
	s, err := store.Open(ctx, store.Config{DSN: "sqlite:" + filepath.Join(b.dir, "big.db")})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := fillStore(ctx, s, b.n.specs, b.n.runsOfDAG); err != nil {
		return err
	}
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(b.dir, "big-logs")}) //nolint:contextcheck // it ends with Close
	if err != nil {
		return err
	}
	defer logs.Close()
	e := echo.New()
	ui.Register(e, ui.Config{Store: s, Logs: logs, Environment: "DEV"})
	server := httptest.NewServer(e)
	defer server.Close()
	size := fmt.Sprintf("%d DAGs, %d runs", b.n.specs, b.n.specs*b.n.runsOfDAG)
	for _, page := range []struct{ name, path string }{
		{"DAG table", "/"}, {"DAG table, page 100", "/?page=100"}, {"DAG table, search", "/?q=model-77"},
		{"DAG table, failed", "/?state=failed"}, {"DAG table, by last run", "/?sort=-last_run_start_date"},
		{"DAG table, owner and tag", "/?owner=team-3&tag=scoring"},
		{"runs of a DAG", "/dags/model-00077/runs"}, {"grid of a DAG", "/dags/model-00077/grid?runs=100"},
	} {
		var times []float64
		for range b.n.pageLoads {
			took, err := load(ctx, server.URL+page.path)
			if err != nil {
				return err
			}
			times = append(times, ms(took))
		}
		b.stats(page.name+": "+size, "p95 < 50", times)
	}
	return nil
}

// load reads a page whole and says how long that took.
func load(ctx context.Context, url string) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return time.Since(began), nil
}

// fillStore writes dags DAGs with runs ended runs each.
func fillStore(ctx context.Context, s *store.Store, dags, runs int) error {
	const batch = 200
	for first := 0; first < dags; first += batch {
		sync := store.Sync{Commit: fmt.Sprint(first)}
		var ids []dag.ID
		for i := first; i < min(first+batch, dags); i++ {
			d := bigDAG(i)
			ids = append(ids, d.ID)
			path := "dags/" + string(d.ID) + ".yaml"
			sync.Changed = append(sync.Changed, store.SpecFile{Path: path, Blob: path, Source: path, DAGs: []*dag.DAG{d}})
		}
		if _, err := s.SaveDAGs(ctx, sync); err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := s.Advance(ctx, []dag.ID{id},
				func(store.Snapshot) []store.Action { return endedRuns(id, runs) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func bigDAG(i int) *dag.DAG {
	id := fmt.Sprintf("model-%05d", i)
	return &dag.DAG{
		ID: dag.ID(id), Description: "Scoring of " + id, Timezone: "Europe/Moscow", MaxActiveRuns: 1, MaxActiveTasks: 16,
		PausedUponCreation: i%3 == 0, Owner: fmt.Sprintf("team-%d", i%20), Tags: []string{"scoring", id},
		Schedule: dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: fmt.Sprintf("%d 6 * * *", i%60),
			Timezone: "Europe/Moscow"},
		Tasks: []dag.Task{{ID: "run_model", Operator: dag.KubernetesPodOperator, TriggerRule: dag.AllSuccess,
			Image: "registry.example.com/" + id + ":1"}},
	}
}

// endedRuns creates runs, one a day, of which every tenth failed.
func endedRuns(id dag.ID, n int) []store.Action {
	first := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	var actions []store.Action
	for i := range n {
		at, state, task := first.AddDate(0, 0, i), dag.RunSuccess, dag.TaskSuccess
		if i%10 == 9 {
			state, task = dag.RunFailed, dag.TaskFailed
		}
		run := dag.ScheduledRunID(at)
		ti := dag.TaskInstance{DAG: id, Run: run, Task: "run_model", State: task, Try: 1, MaxTries: 1, StartedAt: at,
			EndedAt: at.Add(time.Minute)}
		actions = append(actions,
			store.CreateRun{Run: dag.Run{DAG: id, ID: run, Type: dag.RunScheduled, Version: 1, LogicalDate: at, RunAfter: at,
				QueuedAt: at}},
			store.StartRun{DAG: id, Run: run, At: at, Tasks: []dag.TaskInstance{ti}},
			store.EndRun{DAG: id, Run: run, From: dag.RunRunning, State: state, At: at.Add(time.Minute)})
	}
	return actions
}

// openPages measures the memory that open pages take: each holds one stream.
func openPages(ctx context.Context, b *bench, s *server) error {
	before, err := s.pss()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const pages = 200
	for range pages {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/events", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r) //nolint:bodyclose // cancel ends it
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("open a stream: %s", response.Status)
		}
	}
	after, err := s.pss()
	if err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("memory of %d open pages", pages), Unit: "MB", N: pages, Median: after - before})
	return nil
}

// inBrowser lets a script measure in a real browser, over 25 DAGs.
func inBrowser(ctx context.Context, b *bench, s *server) error {
	files := map[string]string{}
	for i := range 25 - 6 - b.n.dags {
		id := fmt.Sprintf("bench-page-%d", i)
		files["bench/"+id+".yaml"] = spec(id, 1)
	}
	if err := pushSpecs(ctx, filepath.Join(b.dir, "page-dags"), filepath.Join(s.home, "airflow-dev.git"),
		files); err != nil {
		return err
	}
	if err := s.awaitDAGs(ctx, 25); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "node", "test/browser/measure.mjs", s.url, fmt.Sprint(b.n.pageLoads))
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("measure in a browser (make setup installs what that needs): %w: %s", err, &faults)
	}
	var m struct {
		Bytes, Requests, Idle float64
		Floor, Rows, Again    []float64
		Seen                  []float64
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return fmt.Errorf("read the browser's figures: %w: %s", err, out)
	}
	b.add(figure{Name: "DAG table, 25 DAGs: first load over the wire", Unit: "kB", N: 1, Median: m.Bytes / 1000,
		Aim: "< 60"})
	b.add(figure{Name: "DAG table: requests of a first load", Unit: "requests", N: 1, Median: m.Requests, Aim: "<= 4"})
	b.add(figure{Name: "DAG table: requests a minute while idle", Unit: "requests", N: 1, Median: m.Idle, Aim: "0"})
	b.stats("a page of one word in the same browser: navigation → word visible", "", m.Floor)
	b.stats("DAG table: navigation → rows visible, first visit", "< 150", m.Rows)
	b.stats("DAG table: navigation → rows visible, later visits", "< 150", m.Again)
	b.stats("change of another → seen in the browser", "p95 < 200", m.Seen)
	return nil
}
