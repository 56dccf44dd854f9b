package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

// backfillOf is the body for the DAG with a daily schedule, at 06:00 in Moscow.
func backfillOf(from, to, more string) string {
	return fmt.Sprintf(`{"dag_id": "churn-model", "from_date": %q, "to_date": %q%s}`, from, to, more)
}

func TestBackfills(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	const path = "/api/v2/backfills"
	body := backfillOf("2026-01-10T00:00:00Z", "2026-01-12T12:00:00Z",
		`, "max_active_runs": 2, "dag_run_conf": {"REGION": "north"}`)
	dry := f.decode(f.do("POST", path+"/dry_run", body).body)
	want := []string{"2026-01-10T03:00:00Z", "2026-01-11T03:00:00Z", "2026-01-12T03:00:00Z"}
	if diff := cmp.Diff(want, ids(dry, "backfills", "logical_date")); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	made := f.decode(f.do("POST", path, body).body)
	if made["id"] != float64(1) || made["max_active_runs"] != float64(2) || made["completed_at"] != nil ||
		made["reprocess_behavior"] != "none" {
		t.Errorf("the backfill: %v", made)
	}
	runs := f.get("/api/v2/dags/churn-model/dagRuns?run_type=backfill&order_by=logical_date")
	if diff := cmp.Diff(want, ids(runs, "dag_runs", "logical_date")); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if a := f.do("POST", path, body); a.status != http.StatusConflict ||
		!strings.Contains(a.body, "already a running backfill for dag churn-model") {
		t.Errorf("a second one: %d %s", a.status, a.body)
	}
	dry = f.decode(f.do("POST", path+"/dry_run", body).body)
	if dry["total_entries"] != float64(0) {
		t.Errorf("dry run of dates that have runs: %v", dry)
	}
	for _, act := range []struct {
		name   string
		status int
		paused any
	}{{"pause", 200, true}, {"unpause", 200, false}, {"cancel", 200, true}, {"cancel", 409, nil}, {"pause", 409, nil}} {
		a := f.do("PUT", path+"/1/"+act.name, "")
		if a.status != act.status || f.decode(a.body)["is_paused"] != act.paused {
			t.Errorf("%s: %d %s", act.name, a.status, a.body)
		}
	}
	if got := f.get(path + "/1"); got["completed_at"] == nil {
		t.Errorf("the cancelled one: %v", got)
	}
	stats := f.get("/api/v2/dags/churn-model/dagRuns?state=failed&run_type=backfill")
	if stats["total_entries"] != float64(3) {
		t.Errorf("runs that failed: %v", stats["total_entries"])
	}
	list := f.get(path + "?dag_id=churn-model&order_by=-id")
	if diff := cmp.Diff([]string{"1"}, ids(list, "backfills", "id")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	again := f.decode(f.do("POST", path,
		backfillOf("2026-01-10T00:00:00Z", "2026-01-12T12:00:00Z",
			`, "reprocess_behavior": "failed", "run_backwards": true`)).body)
	if again["id"] != float64(2) {
		t.Errorf("one that reprocesses: %v", again)
	}
}

// A param without a default must be given to each run that somebody asks for.
func TestRequiredParam(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := scoring()
	d.Params = append(d.Params, dag.Param{Name: "REQ", Schema: map[string]any{"type": "string"}},
		dag.Param{Name: "NULLABLE", Schema: map[string]any{"type": []any{"null", "string"}}}, dag.Param{Name: "PLAIN"})
	f.sync("c0ffee", specFile("dags/risk/churn-model.yaml", d))
	const needs = `param \"REQ\": it has no default, so a run must give it a value`
	run := func(conf string) answer {
		return f.do("POST", "/api/v2/dags/churn-model/dagRuns", `{"logical_date": null, "conf": `+conf+`}`)
	}
	backfill := func(path string) func(string) answer {
		return func(conf string) answer {
			return f.do("POST", path,
				backfillOf("2026-01-10T00:00:00Z", "2026-01-12T12:00:00Z", `, "dag_run_conf": `+conf))
		}
	}
	for _, c := range []struct {
		name   string
		ask    func(conf string) answer
		status int
	}{
		{"run", run, http.StatusBadRequest},
		{"dry run of a backfill", backfill("/api/v2/backfills/dry_run"), http.StatusUnprocessableEntity},
		{"backfill", backfill("/api/v2/backfills"), http.StatusUnprocessableEntity},
	} {
		for _, conf := range []string{"null", "{}", `{"REQ": null}`} {
			if a := c.ask(conf); a.status != c.status || !strings.Contains(a.body, needs) {
				t.Errorf("%s with the conf %s: %d %s\nwant %d with %q", c.name, conf, a.status, a.body, c.status, needs)
			}
		}
		if a := c.ask(`{"REQ": "given"}`); a.status != http.StatusOK {
			t.Errorf("%s with the param: %d %s", c.name, a.status, a.body)
		}
	}
}

func TestBackfillRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	tests := []struct {
		name, body string
		status     int
		detail     string
	}{
		{"no dates", `{"dag_id": "churn-model"}`, 422, `"loc":["body","from_date"]`},
		{"null dates", `{"dag_id": "churn-model", "from_date": null, "to_date": null}`, 422, "must be dates"},
		{"absent DAG",
			strings.Replace(backfillOf("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", ""), "churn-model", "absent", 1), 404,
			"Could not find dag absent"},
		{"no schedule",
			strings.Replace(backfillOf("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", ""), "churn-model", "churn-model-retrain",
				1), 422, "churn-model-retrain has a non-periodic schedule that does not support backfills"},
		{"range backwards", backfillOf("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", ""), 422, "must not be after to_date"},
		{"future", backfillOf("2027-01-02T00:00:00Z", "2027-01-03T00:00:00Z", ""), 422,
			"Backfill cannot be executed for future dates."},
		{"no run in the range", backfillOf("2026-01-02T04:00:00Z", "2026-01-02T05:00:00Z", ""), 422,
			"No runs to create for Dag churn-model"},
		{"too many runs", backfillOf("2000-01-01T00:00:00Z", "2026-01-01T00:00:00Z", ""), 422, "at most 1000 runs"},
		{"wrong param", backfillOf("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", `, "dag_run_conf": {"THRESHOLD": 7}`), 422,
			"THRESHOLD"},
		{"wrong reprocess", backfillOf("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", `, "reprocess_behavior": "all"`), 422,
			"reprocess_behavior"},
		{"no slots", backfillOf("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", `, "max_active_runs": 0`), 400,
			"max_active_runs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := f.do("POST", "/api/v2/backfills", test.body)
			if a.status != test.status || !strings.Contains(a.body, test.detail) {
				t.Errorf("%d %s\nwant %d with %q", a.status, a.body, test.status, test.detail)
			}
		})
	}
	for path, status := range map[string]int{"/api/v2/backfills": 422, "/api/v2/backfills/9": 404,
		"/api/v2/backfills/x": 422, "/api/v2/backfills?dag_id=absent": 200} {
		if a := f.do("GET", path, ""); a.status != status {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
}

// TestBackfillTooWide refuses more runs at once than a database counts; they were cut before.
func TestBackfillTooWide(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sync("c0ffee", specFile("dags/risk/churn-model.yaml", scoring()))
	for count, want := range map[string]string{
		"2147483648": `Input should be less than or equal to 2147483647`, "-1": "Input should be greater than or equal to 0",
		"12345678901234567890": "Input should be a valid integer", "0": "max_active_runs 0: want 1 or more",
	} {
		a := f.do("POST", "/api/v2/backfills",
			backfillOf("2026-01-10T00:00:00Z", "2026-01-12T12:00:00Z", `, "max_active_runs": `+count))
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest ||
			!strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", count, a.status, a.body)
		}
	}
}
