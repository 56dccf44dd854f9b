package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/api"
	"dagwright/client"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/tasklog"
)

// server is the API of a real store, with one DAG, and without a scheduler: the examples
// end its runs by hand.
type server struct {
	client *client.Client
	store  *store.Store
	logs   *tasklog.Dir
	close  func()
}

func open(ctx context.Context) *server {
	dir := must(os.MkdirTemp("", "client"))
	s := &server{
		store: must(store.Open(ctx,
			store.Config{DSN: "sqlite:" + filepath.Join(dir, "test.db"), Logger: slog.New(slog.DiscardHandler)})),
		logs: must(tasklog.Open(tasklog.Config{Dir: filepath.Join(dir, "logs")})),
	}
	scoring := &dag.DAG{
		ID: "churn-model", Timezone: "UTC", Owner: "risk-team", Schedule: dag.Schedule{Kind: dag.ScheduleNone},
		MaxActiveRuns: 1, MaxActiveTasks: 16, Tasks: []dag.Task{{
			ID: "run_model", Operator: dag.KubernetesPodOperator, TriggerRule: dag.AllSuccess, PriorityWeight: 1, Image: "x",
		}},
	}
	must(s.store.SaveDAGs(ctx, store.Sync{Commit: "c1", Changed: []store.SpecFile{
		{Path: "dags/churn-model.yaml", Blob: "1", Source: "1", DAGs: []*dag.DAG{scoring}},
	}}))
	e := echo.New()
	api.Register(e, api.Config{Store: s.store, Logs: s.logs, Logger: slog.New(slog.DiscardHandler)})
	web := httptest.NewServer(e)
	s.client = client.New(must(client.ParseServer(web.URL)), "")
	s.close = func() {
		web.Close()
		if err := errors.Join(s.logs.Close(), s.store.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
	return s
}

// score runs the task of a run by hand, which writes a log.
func (s *server) score(ctx context.Context, run dag.RunID, text string) {
	id, now := dag.ID("churn-model"), time.Now()
	key := dag.AttemptKey{DAG: id, Run: run, Task: "run_model", Try: 1}
	file := must(s.logs.File(key))
	must(file.WriteString(text))
	if err := errors.Join(file.Close(), s.logs.Seal(key)); err != nil {
		log.Fatal(err)
	}
	task := dag.TaskInstance{DAG: id, Run: run, Task: "run_model", MaxTries: 1}
	ended := task
	ended.State, ended.Try, ended.StartedAt, ended.EndedAt = dag.TaskSuccess, 1, now, now
	for _, action := range []store.Action{
		store.StartRun{DAG: id, Run: run, At: now, Tasks: []dag.TaskInstance{task}}, store.UpdateTask{Task: ended},
	} {
		must(s.store.Advance(ctx, []dag.ID{id}, func(store.Snapshot) []store.Action { return []store.Action{action} }))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// A program that runs where somebody has signed in with "dagwright login", or where
// DAGWRIGHT_SERVER and DAGWRIGHT_TOKEN_FILE are set, needs no more than this.
func ExampleDial() {
	c, err := client.Dial("http://127.0.0.1:8080", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Server())
	// Output: http://127.0.0.1:8080
}

// List the DAGs of one owner.
func ExampleClient_Call() {
	ctx := context.Background()
	s := open(ctx)
	defer s.close()

	var answer struct {
		DAGs []struct {
			ID     string `json:"dag_id"`
			Paused bool   `json:"is_paused"`
		} `json:"dags"`
	}
	list := client.Request{Path: []string{"dags"}, Query: url.Values{"owners": {"risk-team"}}}
	if err := s.client.Call(ctx, list, &answer); err != nil {
		log.Fatal(err)
	}
	for _, d := range answer.DAGs {
		fmt.Println(d.ID, d.Paused)
	}
	// Output: churn-model false
}

// Start a run and wait until it has ended.
func ExampleClient_Wait() {
	ctx := context.Background()
	s := open(ctx)
	defer s.close()

	var run client.Item[client.Run]
	trigger := client.Request{
		Method: http.MethodPost, Path: []string{"dags", "churn-model", "dagRuns"},
		Body: map[string]any{"logical_date": nil, "dag_run_id": "january",
			"conf": map[string]string{"SCORING_DATE": "2026-01-31"}},
	}
	if err := s.client.Call(ctx, trigger, &run); err != nil {
		log.Fatal(err)
	}
	ended, err := s.client.Wait(ctx, run.Fields, func(state string) {
		fmt.Println("it is", state)
		// Elsewhere the scheduler runs its tasks. Here somebody marks it.
		if err := s.store.SetRunState(ctx, store.Actor{User: "ann"}, "churn-model", "january", dag.RunSuccess); err != nil {
			log.Fatal(err)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ended.Fields.ID, "is", ended.Fields.State)
	// Output:
	// it is queued
	// january is success
}

// Print what a task wrote.
func ExampleClient_Log() {
	ctx := context.Background()
	s := open(ctx)
	defer s.close()
	must(s.store.TriggerRun(ctx, store.Trigger{DAG: "churn-model", Run: "january", By: store.Actor{User: "ann"}}))
	s.score(ctx, "january", "reading\nscored 100 rows\n")

	newest, err := s.client.Run(ctx, "churn-model", "")
	if err != nil {
		log.Fatal(err)
	}
	try := client.Try{DAG: "churn-model", Run: newest.Fields.ID, Task: "run_model", Number: 1}
	err = s.client.Log(ctx, try, func(text []byte) error {
		var line client.Line
		if err := json.Unmarshal(text, &line); err != nil {
			return err
		}
		fmt.Println(line.Event)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// reading
	// scored 100 rows
}

// Tell a server that says no from one that says nothing.
func ExampleRefusedError() {
	ctx := context.Background()
	s := open(ctx)

	_, err := s.client.Run(ctx, "churn-modl", "")
	var refused *client.RefusedError
	fmt.Println(errors.As(err, &refused), refused.Status)
	fmt.Println(err)

	s.close()
	_, err = s.client.Run(ctx, "churn-model", "")
	fmt.Println(errors.As(err, new(*client.UnreachableError)))
	// Output:
	// true 404
	// The Dag with ID: `churn-modl` was not found; did you mean "churn-model"?
	// true
}

// Choose a server by the name that a person gave it.
func ExampleContexts_Choose() {
	contexts := client.Contexts{Current: "dev", Contexts: map[string]client.Context{
		"dev":  {Server: "https://dagwright-dev.example.com"},
		"prod": {Server: "https://dagwright.example.com", Production: true},
	}}
	current, _ := contexts.Choose("", "", os.Getenv)
	prod, _ := contexts.Choose("", "prod", os.Getenv)
	_, err := contexts.Choose("", "prd", os.Getenv)
	fmt.Println(current)
	fmt.Println(prod, prod.Production)
	fmt.Println(err)
	// Output:
	// https://dagwright-dev.example.com (context dev)
	// https://dagwright.example.com (context prod) true
	// no context "prd"; there are dev, prod; did you mean "prod"?
}
