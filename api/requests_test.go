package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/version"
)

// ids reads one field of each element of a list.
func ids(object map[string]any, list, field string) []string {
	found := []string{}
	elements, _ := object[list].([]any)
	for _, e := range elements {
		found = append(found, fmt.Sprint(e.(map[string]any)[field]))
	}
	return found
}

func TestListDAGs(t *testing.T) {
	t.Parallel()
	f := scene(t)
	const scoring, retrain = "churn-model", "churn-model-retrain"
	tests := []struct {
		query string
		want  []string
		total int
	}{
		{"", []string{scoring, retrain}, 2},
		{"order_by=-dag_id", []string{retrain, scoring}, 2},
		{"limit=1&order_by=-dag_id", []string{retrain}, 2},
		{"limit=1&offset=1", []string{retrain}, 2},
		{"limit=0", []string{}, 2},
		{"limit=1000", []string{scoring, retrain}, 2},
		{"paused=true", []string{scoring}, 1},
		{"paused=False", []string{retrain}, 1},
		{"tags=scoring&tags=retrain", []string{scoring, retrain}, 2},
		{"tags=scoring&tags=retrain&tags_match_mode=all", []string{}, 0},
		{"tags=scoring&tags=churn&tags_match_mode=all", []string{scoring}, 1},
		{"owners=risk-team", []string{scoring, retrain}, 2},
		{"owners=nobody", []string{}, 0},
		{"dag_id_pattern=RETRAIN", []string{retrain}, 1},
		{"dag_id_pattern=~", []string{scoring, retrain}, 2},
		{"dag_id_pattern=nothing%7Cretrain", []string{retrain}, 1},
		{"dag_id_prefix_pattern=churn-model-", []string{retrain}, 1},
		{"dag_display_name_pattern=Churn,%25ing", []string{retrain}, 1},
		{"has_import_errors=true", []string{}, 0},
		{"last_dag_run_state=failed", []string{retrain}, 1},
		{"dag_run_state=queued", []string{scoring}, 1},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			got := f.get("/api/v2/dags?" + test.query)
			if diff := cmp.Diff(test.want, ids(got, "dags", "dag_id")); diff != "" ||
				got["total_entries"] != float64(test.total) {
				t.Errorf("of %v (-want +got):\n%s", got["total_entries"], diff)
			}
		})
	}
}

func TestListRuns(t *testing.T) {
	t.Parallel()
	f := scene(t)
	tests := []struct {
		path string
		want []string
	}{
		{"~/dagRuns", []string{"first", "waits"}},
		{"~/dagRuns?order_by=-id", []string{"waits", "first"}},
		{"~/dagRuns?limit=1", []string{"first"}},
		{"churn-model/dagRuns", []string{"waits"}},
		{"~/dagRuns?state=failed&state=success", []string{"first"}},
		{"~/dagRuns?run_type=manual", []string{"first", "waits"}},
		{"~/dagRuns?run_type=scheduled", []string{}},
		{"~/dagRuns?run_id_pattern=IRS", []string{"first"}},
		{"~/dagRuns?run_after_gte=2026-01-31T12:00:00.123456Z", []string{"first", "waits"}},
		{"~/dagRuns?run_after_gt=2026-01-31T12:00:00.123456Z", []string{}},
		{"~/dagRuns?run_after_lte=2026-01-31T15:00:00.123456%2B03:00", []string{"first", "waits"}},
		{"~/dagRuns?run_after_lte=2026-01-31T15:00:00.123456+03:00", []string{"first", "waits"}},
		{"~/dagRuns?run_after_lt=2026-01-31T12:00:00.123456Z", []string{}},
		{"~/dagRuns?logical_date_gte=2026-02-01", []string{}},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			got := f.get("/api/v2/dags/" + test.path)
			if diff := cmp.Diff(test.want, ids(got, "dag_runs", "dag_run_id")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An answer's detail must name what is wrong.
func TestRefusals(t *testing.T) {
	t.Parallel()
	f := scene(t)
	const dags, runs = "/api/v2/dags/", "/api/v2/dags/churn-model/dagRuns"
	tests := []struct {
		name, method, path, body string
		status                   int
		detail                   string
	}{
		{"unknown query parameter", "GET", "/api/v2/dags?asset_dependency=x", "", 400, "asset_dependency"},
		{"two orders", "GET", "/api/v2/dags?order_by=dag_id&order_by=state", "", 400, "more than 1"},
		{"NUL in a query", "GET", "/api/v2/dags?owners=%00", "", 400, "owners"},
		{"wrong run state", "GET", "/api/v2/dags/~/dagRuns?state=sad", "", 422, "queued, running, success, failed"},
		{"wrong date", "GET", "/api/v2/dags/~/dagRuns?run_after_gte=soon", "", 422, "soon"},
		{"hostile id", "GET", dags + "%2e%2e%2fetc%2fpasswd", "", 404, "../etc/passwd"},
		{"NUL in an id", "GET", dags + "x%00y", "", 404, "Not Found"},
		{"broken UTF-8 in an id", "GET", dags + "x%ff", "", 404, "Not Found"},
		{"id of 5,000 characters", "GET", dags + strings.Repeat("ж", 2500), "", 404, "was not found"},
		{"version that is not a number", "GET", dags + "churn-model/dagVersions/x", "", 422, "valid integer"},
		{"absent version", "GET", dags + "churn-model/dagVersions/9", "", 404, "version_number: `9`"},
		{"absent source", "GET", "/api/v2/dagSources/absent", "", 404, "source code of the Dag absent, version_number None"},
		{"absent task", "GET", dags + "churn-model/tasks/absent", "", 404, "Task with id absent"},
		{"absent try", "GET", dags + "churn-model-retrain/dagRuns/first/taskInstances/prepare_data/tries/9", "", 404,
			"try_number: `9`"},
		{"absent import error", "GET", "/api/v2/importErrors/99", "", 404, "import_error_id: `99`"},
		{"absent event", "GET", "/api/v2/eventLogs/99", "", 404, "`99` not found"},
		{"runs of an absent DAG", "GET", dags + "absent/dagRuns", "", 404, "`absent`"},
		{"wait without interval", "GET", dags + "churn-model/dagRuns/waits/wait", "", 422, "interval"},
		{"wait for no time", "GET", dags + "churn-model/dagRuns/waits/wait?interval=0", "", 422, "greater than 0"},
		{"wait for NaN", "GET", dags + "churn-model/dagRuns/waits/wait?interval=NaN", "", 422, "greater than 0"},
		{"wait for results", "GET", dags + "churn-model/dagRuns/waits/wait?interval=1&result=x", "", 400, "XCom"},
		{"made-up token", "GET", dags + "churn-model-retrain/dagRuns/first/taskInstances/prepare_data/logs/2?token=zzz", "",
			400, "Signature"},
		{"mapped task", "GET", dags + "churn-model-retrain/dagRuns/first/taskInstances/prepare_data/logs/2?map_index=3", "",
			404, "map_index 3"},

		{"pause with another mask", "PATCH", dags + "churn-model?update_mask=owners", `{"is_paused": true}`, 400,
			"is_paused"},
		{"pause an absent DAG", "PATCH", dags + "absent", `{"is_paused": true}`, 404, "Dag with id: absent"},
		{"pause with a list", "PATCH", dags + "churn-model", `{"is_paused": []}`, 422, "bool_type"},
		{"body is a list", "PATCH", dags + "churn-model", `[]`, 422, "valid dictionary or object"},
		{"no body", "PATCH", dags + "churn-model", "", 422, "missing"},
		{"garbage behind the body", "PATCH", dags + "churn-model", `{"is_paused": true} {}`, 422, "json_invalid"},
		{"key twice", "PATCH", dags + "churn-model", `{"is_paused": true, "is_paused": false}`, 422, "stands twice"},
		{"half a character", "POST", dags + "churn-model/dagRuns", `{"logical_date": null, "conf": {"A": ["\ud800"]}}`, 422,
			`at key \"A\": half of a surrogate pair, which is not a character`},
		{"body not UTF-8", "PATCH", dags + "churn-model", "{\"is_paused\": \"\xff\"}", 422, "UTF-8"},
		{"deep body", "POST", runs, strings.Repeat(`{"a":`, 5000), 422, "nested deeper"},
		{"large body", "POST", runs, `{"note": "` + strings.Repeat("x", 1<<20) + `"}`, 413, "larger than"},

		{"trigger an absent DAG", "POST", dags + "absent/dagRuns", `{"logical_date": null}`, 404,
			"Dag with dag_id: 'absent' not found"},
		{"illegal conf key", "POST", runs, `{"logical_date": null, "conf": {"my-key": 1}}`, 400, "my-key"},
		{"reserved conf key", "POST", runs, `{"logical_date": null, "conf": {"LD_PRELOAD": "x"}}`, 400, "LD_PRELOAD"},
		{"deep conf", "POST", runs, `{"logical_date": null, "conf": {"FINE": [[1]], "DEEP": ` + strings.Repeat("[", 33) +
			strings.Repeat("]", 33) + `}}`, 400, `conf key \"DEEP\"`},
		{"very deep conf", "POST", runs, `{"logical_date": null, "conf": {"DEEP": ` + strings.Repeat(`{"a":`, 990) + "1" +
			strings.Repeat("}", 990) + `}}`, 400, `conf key \"DEEP\"`},
		{"wrong param", "POST", runs, `{"logical_date": null, "conf": {"THRESHOLD": 7}}`, 400, "THRESHOLD"},
		{"wrong date param", "POST", runs, `{"logical_date": null, "conf": {"SCORING_DATE": "someday"}}`, 400,
			"SCORING_DATE"},
		{"wrong run id", "POST", runs, `{"logical_date": null, "dag_run_id": "a b"}`, 400, "a b"},
		{"scheduled run id", "POST", runs, `{"logical_date": null, "dag_run_id": "scheduled__x"}`, 400, "scheduled__"},
		{"date without offset", "POST", runs, `{"logical_date": "2026-01-31T00:00:00"}`, 422, "timezone_aware"},
		{"date in words", "POST", runs, `{"logical_date": "yesterday"}`, 422, "datetime"},
		{"half an interval", "POST", runs, `{"logical_date": null, "data_interval_start": "2026-01-31T00:00:00Z"}`, 422,
			"both must be None"},
		{"future run_after", "POST", runs, `{"logical_date": null, "run_after": "2030-01-31T00:00:00Z"}`, 400, "run_after"},
		{"partition", "POST", runs, `{"logical_date": null, "partition_key": "x"}`, 400, "not partitioned"},
		{"extra key", "POST", runs, `{"logical_date": null, "executoin_date": "x"}`, 422, "executoin_date"},
		{"date after the year 9999", "POST", runs, `{"logical_date": "9999-12-31T23:59:59-12:00"}`, 422, "years 1 to 9999"},
		{"date before the year 1", "POST", runs, `{"logical_date": "0001-01-01T00:00:00+12:00"}`, 422, "years 1 to 9999"},
		{"date that stands for none", "POST", runs, `{"logical_date": "0001-01-01T00:00:00Z"}`, 422, "years 1 to 9999"},
		{"number beyond the range", "POST", runs, `{"logical_date": null, "conf": {"A": 1e999}}`, 400, "beyond the range"},
		{"conf that no process takes", "POST", runs,
			`{"logical_date": null, "conf": {"A": "` + strings.Repeat("<", 30<<10) + `"}}`, 400, "DAG_RUN_CONF"},
		{"run id of a meaning", "POST", runs, `{"logical_date": null, "dag_run_id": "~"}`, 400, "meaning of its own"},
		{"NUL in a note", "POST", runs, `{"logical_date": null, "note": "\u0000"}`, 422, "NUL"},

		{"run into a state that is none", "PATCH", runs + "/waits", `{"state": "running"}`, 422,
			"'queued', 'success' or 'failed'"},
		{"long note", "PATCH", runs + "/waits", `{"note": "` + strings.Repeat("ж", 1001) + `"}`, 422, "at most 1000"},
		{"delete an absent DAG", "DELETE", dags + "absent", "", 404, "absent"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := f.do(test.method, test.path, test.body)
			var object map[string]any
			if err := json.Unmarshal([]byte(a.body), &object); err != nil || len(object) != 1 || object["detail"] == nil {
				t.Fatalf("answer is not {\"detail\": …}: %s", a.body)
			}
			if a.status != test.status || !strings.Contains(a.body, test.detail) {
				t.Errorf("%d %.500s\nwant %d with %q", a.status, a.body, test.status, test.detail)
			}
			if !utf8.ValidString(a.body) || len(a.body) > 20_000 {
				t.Errorf("answer of %d bytes", len(a.body))
			}
		})
	}
}

func TestUnmatched(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api", 404, ""},
		{"GET", "/api/v1/dags", 404, ""},
		{"GET", "/api/v2/dags/", 404, ""},
		{"DELETE", "/api/v2/dags", 405, "GET, PATCH"},
		{"POST", "/api/v2/dags/a%2Fb/dagRuns/x", 405, "GET, PATCH, DELETE"},
		{"POST", "/api/v2/version", 405, "GET"},
	}
	for _, test := range tests {
		a := f.do(test.method, test.path, "")
		if a.status != test.status || a.header.Get("Allow") != test.allow || !strings.HasPrefix(a.body, `{"detail":"`) {
			t.Errorf("%s %s: %d, Allow %q, %s", test.method, test.path, a.status, a.header.Get("Allow"), a.body)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	paused := func() []string { return ids(f.get("/api/v2/dags?paused=true"), "dags", "dag_id") }
	step := func(method, path, body string, want ...string) {
		t.Helper()
		if a := f.do(method, path, body); a.status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		if got := paused(); !slices.Equal(got, want) {
			t.Errorf("after %s %s: paused %q, want %q", method, path, got, want)
		}
	}
	step("PATCH", "/api/v2/dags/churn-model?update_mask=is_paused", `{"is_paused": false}`)
	step("PATCH", "/api/v2/dags?dag_id_pattern=churn&limit=1", `{"is_paused": true}`, "churn-model", "churn-model-retrain")
	step("PATCH", "/api/v2/dags?tags=scoring", `{"is_paused": false}`, "churn-model", "churn-model-retrain")
	step("PATCH", "/api/v2/dags?dag_id_pattern=~&tags=scoring", `{"is_paused": false}`, "churn-model-retrain")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	if a := f.do("DELETE", "/api/v2/dags/churn-model", ""); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	removals, err := f.store.PendingRemovals(t.Context())
	if err != nil || len(removals) != 1 || removals[0].Path != "dags/risk/churn-model.yaml" ||
		removals[0].By.User != "ann" {
		t.Fatalf("%+v, %v", removals, err)
	}
	if got := f.get("/api/v2/dags/churn-model"); got["is_stale"] != false {
		t.Error("the DAG stays until its file is gone")
	}
	if _, err := f.store.SaveDAGs(t.Context(),
		store.Sync{Commit: "gone", Removed: []string{"dags/risk/churn-model.yaml"}}); err != nil {
		t.Fatal(err)
	}
	if got := ids(f.get("/api/v2/dags"), "dags", "dag_id"); slices.Contains(got, "churn-model") {
		t.Errorf("an archived DAG is listed: %q", got)
	}
	if got := ids(f.get("/api/v2/dags?exclude_stale=false"), "dags", "dag_id"); !slices.Contains(got, "churn-model") {
		t.Errorf("an archived DAG is not listed though wanted: %q", got)
	}
	// Whatever is refused of an archived DAG is refused with one sentence.
	sentence, _, _ := strings.Cut(store.ErrArchived("churn-model").Error(), ": conflict")
	detail, err := json.Marshal(sentence)
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/dagRuns", `{"logical_date": null}`, http.StatusNotFound},
		{"PATCH", "", `{"is_paused": true}`, http.StatusConflict},
	} {
		if a := f.do(act.method, "/api/v2/dags/churn-model"+act.path, act.body); a.status != act.want ||
			!strings.Contains(a.body, string(detail)) {
			t.Errorf("%s %s of an archived DAG: %d %s", act.method, act.path, a.status, a.body)
		}
	}
	if a := f.do("POST", "/api/v2/dags/churn-model/restore", ""); a.status != http.StatusNoContent {
		t.Errorf("restore of an archived DAG: %d %s", a.status, a.body)
	}
	if a := f.do("POST", "/api/v2/dags/churn-model-retrain/restore", ""); a.status != http.StatusConflict {
		t.Errorf("restore of a DAG whose file is there: %d %s", a.status, a.body)
	}
	if a := f.do("DELETE", "/api/v2/dags/churn-model", ""); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := f.do("GET", "/api/v2/dags/churn-model", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	a := f.do("POST", "/api/v2/dags/churn-model/dagRuns",
		`{"logical_date": "2026-01-31T03:00:00+03:00", "dag_run_id": "mine",
		"conf": {"SCORING_DATE": "2026-01-31", "ID": 12345678901234567890, "LIST": [1, 2.5, null, 0.1234567890123456789]}, "note": "by hand", "unpause": true}`,
		"User-Agent: "+version.CommandLine+"/1")
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := f.decode(a.body)
	want := map[string]any{
		"dag_run_id": "mine", "logical_date": "2026-01-31T00:00:00Z", "data_interval_start": "2026-01-31T00:00:00Z",
		"data_interval_end": "2026-01-31T00:00:00Z", "state": "queued", "run_type": "manual", "note": "by hand",
		"triggered_by": "cli", "triggering_user_name": "ann",
	}
	for field, value := range want {
		if got[field] != value {
			t.Errorf("%s is %v, want %v", field, got[field], value)
		}
	}
	for _, answer := range []string{a.body, f.do("GET", "/api/v2/dags/churn-model/dagRuns/mine", "").body} {
		if !strings.Contains(answer, `"ID":12345678901234567890`) ||
			!strings.Contains(answer, `[1,2.5,null,0.1234567890123456789]`) {
			t.Errorf("a long number was changed: %s", answer)
		}
	}
	if dag := f.get("/api/v2/dags/churn-model"); dag["is_paused"] != false {
		t.Error("the DAG is still paused")
	}
	if log := f.log.String(); strings.Contains(log, "2026-01-31") {
		t.Errorf("a conf value is in the log: %s", log)
	}
}

func TestTriggerInterval(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := scoring()
	d.Schedule = dag.Schedule{Kind: dag.ScheduleCronInterval, Expr: "0 0 * * *", Timezone: "UTC"}
	f.sync("c1", specFile("dags/x.yaml", d))
	tests := []struct{ name, body, start, end string }{
		{"now", `{"logical_date": null, "dag_run_id": "a"}`, "2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z"},
		{"a date", `{"logical_date": "2025-06-15T10:00:00Z"}`, "2025-06-14T00:00:00Z", "2025-06-15T00:00:00Z"},
		{
			"said", `{"logical_date": "2025-06-16T10:00:00Z", "data_interval_start": "2025-01-01T00:00:00Z",
			"data_interval_end": "2025-02-01T00:00:00Z"}`, "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z",
		},
	}
	for _, test := range tests {
		a := f.do("POST", "/api/v2/dags/churn-model/dagRuns", test.body)
		got := f.decode(a.body)
		if got["data_interval_start"] != test.start || got["data_interval_end"] != test.end {
			t.Errorf("%s: %v to %v, want %s to %s", test.name, got["data_interval_start"], got["data_interval_end"],
				test.start, test.end)
		}
	}
}

// A run id holds a plus and colons, and clients encode them or not.
func TestRunIDInPath(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	f.trigger("churn-model", "")
	const id = "manual__2026-01-31T12:00:00.123456+00:00"
	for _, path := range []string{
		id, "manual__2026-01-31T12%3A00%3A00.123456%2B00%3A00", "manual__2026-01-31T12:00:00.123456%2B00:00",
	} {
		if got := f.get("/api/v2/dags/churn-model/dagRuns/" + path); got["dag_run_id"] != id {
			t.Errorf("%s: %v", path, got["dag_run_id"])
		}
	}
	for _, path := range []string{strings.ReplaceAll(id, "+", "%252B"), strings.ReplaceAll(id, "+", "%20")} {
		if a := f.do("GET", "/api/v2/dags/churn-model/dagRuns/"+path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestPatchRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	run := f.trigger("churn-model", "r")
	f.start(run, "run_model")
	patch := func(query, body string) map[string]any {
		t.Helper()
		a := f.do("PATCH", "/api/v2/dags/churn-model/dagRuns/r"+query, body)
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return f.decode(a.body)
	}
	if got := patch("?update_mask=note", `{"note": "look", "state": "failed"}`); got["note"] != "look" ||
		got["state"] != "running" {
		t.Errorf("%v %v", got["note"], got["state"])
	}
	if got := patch("", `{"note": null}`); got["note"] != nil {
		t.Errorf("note is %v", got["note"])
	}
	if got := patch("", `{"state": "failed"}`); got["state"] != "failed" || got["end_date"] == nil {
		t.Errorf("%v", got)
	}
	if got := patch("", `{"state": "failed"}`); got["state"] != "failed" {
		t.Errorf("setting the state that it has: %v", got["state"])
	}
}

func TestSourceAsText(t *testing.T) {
	t.Parallel()
	f := newFixture(t).withDAGs()
	a := f.do("GET", "/api/v2/dagSources/churn-model?version_number=1", "", "Accept: text/plain")
	if a.body != "# dags/risk/churn-model.yaml\n" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%s: %q", a.header.Get("Content-Type"), a.body)
	}
	if a := f.do("GET", "/api/v2/dagSources/churn-model", "", "Accept: text/html"); a.status != http.StatusNotAcceptable {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestEventOrder(t *testing.T) {
	t.Parallel()
	f := scene(t)
	tests := []struct {
		query string
		want  []string
	}{
		{"", []string{"1", "2", "3"}},
		{"limit=2", []string{"1", "2"}},
		{"limit=2&offset=2", []string{"3"}},
		{"offset=9", []string{}},
		{"order_by=-event_log_id&limit=2", []string{"3", "2"}},
		{"order_by=-when&limit=2&offset=2", []string{"1"}},
		{"dag_id=churn-model", []string{"3"}},
		{"event=trigger&run_id=first", []string{"2"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want,
			ids(f.get("/api/v2/eventLogs?"+test.query), "event_logs", "event_log_id")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.query, diff)
		}
	}
}

// What went wrong inside is for the log, with an id that the answer names.
func TestInternalError(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	e := echo.New()
	e.GET("/", s.wrap(func(echo.Context) error { return errors.New("sql: secret") }))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "sql") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	_, id, _ := strings.Cut(strings.TrimRight(w.Body.String(), "\"}\n"), "request_id ")
	if len(id) != 8 || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "sql: secret") {
		t.Errorf("id %q or the cause is not in the log: %s", id, &log)
	}
}

func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, 2.5, "x", null, true]}`, `{"a":1,"a":2}`, `[[[[`, `{"a":"\ud800"}`, `1e999`,
		` `, `{}{}`, `"\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		value, err := readJSON(nil, r)
		if _, known := asProblem(err); err != nil && !known {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q was accepted", text)
		}
		if _, err := json.Marshal(value); err != nil {
			t.Fatalf("%q cannot be written again: %v", text, err)
		}
	})
}
