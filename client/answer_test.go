package client_test

import (
	"net/http"
	"strings"
	"testing"

	"dagwright/client"
)

// TestForeignAnswers has something that is not a dagwright call each call a success.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	var list struct {
		DAGs  []client.Item[client.Run] `json:"dags"`
		Total int                       `json:"total_entries"`
	}
	run, try := client.Run{ID: "r", DAG: "churn", State: "running"}, client.Try{DAG: "churn", Run: "r",
		Task: "a", Number: 1}
	calls := map[string]func(*client.Client) error{
		"list": func(c *client.Client) error {
			return c.Call(t.Context(), client.Request{Path: []string{"dags"}}, &list)
		},
		"trigger": func(c *client.Client) error {
			var made client.Item[client.Run]
			return c.Call(t.Context(), client.Request{Method: http.MethodPost, Path: []string{"dags", "a", "dagRuns"}}, &made)
		},
		"run":    func(c *client.Client) error { _, err := c.Run(t.Context(), "churn", "r"); return err },
		"newest": func(c *client.Client) error { _, err := c.Run(t.Context(), "churn", ""); return err },
		"tasks":  func(c *client.Client) error { _, err := c.Tasks(t.Context(), "churn", "r"); return err },
		"wait":   func(c *client.Client) error { _, err := c.Wait(t.Context(), run, nil); return err },
		"log":    func(c *client.Client) error { return c.Log(t.Context(), try, nil) },
		"follow": func(c *client.Client) error { return c.FollowLog(t.Context(), try, nil) },
		"whoami": func(c *client.Client) error { _, err := c.Whoami(t.Context()); return err },
	}
	for name, call := range calls {
		for _, body := range []string{
			"<html><form action=sign-in>", "[]", `["a"]`, "null", "5", `"fine"`, "{}", `{"status": "ok"}`,
			`{"dag_run_id": 5, "dag_runs": {}, "dags": "a", "task_instances": 1, "state": [], "name": []}`,
		} {
			c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write([]byte(body))
			})
			want := c.Server().String() +
				" answered with something that is not an answer of dagwright's API: is it the right server?"
			if err := call(c); err == nil || err.Error() != want {
				t.Errorf("%s of %s: %v", name, body, err)
			}
		}
	}
}

// TestEmptyAnswer has a server answer a reader with nothing at all.
func TestEmptyAnswer(t *testing.T) {
	t.Parallel()
	c := serve(t, "", func(http.ResponseWriter, *http.Request) {})
	if _, err := c.Whoami(t.Context()); err == nil ||
		!strings.HasPrefix(err.Error(), c.Server().String()+" answered with nothing: is it the right server?") {
		t.Error(err)
	}
}
