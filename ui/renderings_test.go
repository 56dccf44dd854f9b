package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
)

// greedy is a template that takes all that a task may.
const greedy = "{% set x = 'aaaaaaaa' * 500000 %}{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}"

// greedySite has a DAG whose tasks are greedy, with a run.
func greedySite(t *testing.T) (*site, string) {
	t.Helper()
	s := newSite(t)
	d := newDAG("greedy", "a", "b")
	for i := range d.Tasks {
		d.Tasks[i].Env = []dag.EnvVar{{Name: "B", Value: greedy}}
	}
	s.save(d)
	r := s.run("greedy", "r")
	s.start(r, dag.TaskInstance{Task: "a"}, dag.TaskInstance{Task: "b"})
	return s, taskURL("greedy", "r", "a") + "/spec"
}

// TestRenderedPageIsBounded holds that a look at a task takes no more than its start
// may, and says why it cannot be shown.
func TestRenderedPageIsBounded(t *testing.T) {
	t.Parallel()
	s, path := greedySite(t)
	s.get(http.StatusOK, path).wants(t, "env_vars.B: the task's templates make more than 16777216 bytes of values")
}

// TestPreviewIsBounded holds that the tasks of a preview have the limits of one
// between them.
func TestPreviewIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("greedy", "a", "b")
	for i := range d.Tasks {
		d.Tasks[i].Image = "{% set x = 'a' * 10000000 %}{{ x[0] }}"
	}
	s.save(d)
	w := s.post("/dags/greedy/trigger", url.Values{"mode": {"preview"}, "conf": {"{}"}}, "")
	if n := strings.Count(w.Body.String(), "make more than 16777216 bytes of values"); w.Code != http.StatusOK || n != 1 {
		t.Errorf("status %d, %d tasks over the limit, want 200 and the second of two\n%s", w.Code, n, w.Body)
	}
}

// TestRenderingForPagesIsBounded checks that no more pages render at once than there
// are places, and that another one is refused after a while.
func TestRenderingForPagesIsBounded(t *testing.T) {
	t.Parallel()
	s, path := greedySite(t)
	s.server.renderings.wait = time.Millisecond
	var ends []func()
	for range renderingPlaces {
		_, end, err := s.server.renderings.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	s.get(http.StatusServiceUnavailable, path).wants(t, "The server is busy rendering other tasks.")
	for _, end := range ends {
		end()
	}
	s.get(http.StatusOK, path)
}
