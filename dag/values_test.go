package dag_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/reason"
)

// TestSettleLeavesOthersAlone settles what comes after each state of an upstream task,
// and nothing but tasks that have not started.
func TestSettleLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	d := parseOne(t, "d:\n  tasks:\n"+cycleTask("a", "")+cycleTask("b", "a")+cycleTask("c", "b"))
	type states map[dag.TaskID]dag.TaskState
	for _, c := range []struct {
		name       string
		have, want states
	}{
		{"waits", states{"a": dag.TaskRunning, "b": "", "c": ""}, states{}},
		{"fails", states{"a": dag.TaskFailed, "b": "", "c": ""},
			states{"b": dag.TaskUpstreamFailed, "c": dag.TaskUpstreamFailed}},
		{"skips", states{"a": dag.TaskSkipped, "b": "", "c": ""}, states{"b": dag.TaskSkipped, "c": dag.TaskSkipped}},
		{"running", states{"a": dag.TaskFailed, "b": dag.TaskRunning, "c": ""}, states{}},
		{"ended", states{"a": dag.TaskFailed, "b": dag.TaskSuccess, "c": ""}, states{}},
		{"for retry", states{"a": dag.TaskFailed, "b": dag.TaskUpForRetry, "c": ""}, states{}},
		{"not held", states{"a": dag.TaskFailed, "c": ""}, states{}},
		{"the last", states{"a": dag.TaskSuccess, "b": dag.TaskFailed, "c": ""}, states{"c": dag.TaskUpstreamFailed}},
	} {
		got := states{}
		for _, s := range dag.Settle(d, c.have) {
			got[s.Task] = s.State
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestTaskStates has a row for each state.
func TestTaskStates(t *testing.T) {
	t.Parallel()
	type row struct{ Ended, Active bool }
	got := map[dag.TaskState]row{}
	for _, s := range []dag.TaskState{
		dag.TaskNone, dag.TaskScheduled, dag.TaskQueued, dag.TaskRunning, dag.TaskSuccess, dag.TaskFailed,
		dag.TaskUpForRetry, dag.TaskUpstreamFailed, dag.TaskSkipped, dag.TaskRemoved,
	} {
		got[s] = row{s.Ended(), s.Active()}
	}
	want := map[dag.TaskState]row{
		dag.TaskNone: {}, dag.TaskScheduled: {}, dag.TaskUpForRetry: {},
		dag.TaskQueued: {Active: true}, dag.TaskRunning: {Active: true},
		dag.TaskSuccess: {Ended: true}, dag.TaskFailed: {Ended: true}, dag.TaskUpstreamFailed: {Ended: true},
		dag.TaskSkipped: {Ended: true}, dag.TaskRemoved: {Ended: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for state, want := range map[dag.RunState]bool{dag.RunQueued: false, dag.RunRunning: false, dag.RunSuccess: true,
		dag.RunFailed: true} {
		if got := state.Ended(); got != want {
			t.Errorf("run %s ended: %v", state, got)
		}
	}
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	withRun := dag.TaskInstance{State: dag.TaskUpForRetry, StartedAt: now, RetryAt: now}
	withRun.SkipWithRun(reason.New(reason.RunTimeout, "1h"), now)
	if want := (dag.TaskInstance{
		State: dag.TaskSkipped, StartedAt: now, RetryAt: now, EndedAt: now, SkippedWithRun: true,
		Reason: reason.New(reason.RunTimeout, "1h"),
	}); withRun != want {
		t.Errorf("skipped with its run: %+v, want %+v", withRun, want)
	}
	withRun.SkipWithRun(reason.New(reason.RunTimeout, "1h"), now.Add(time.Hour))
	if !withRun.EndedAt.Equal(now) {
		t.Errorf("a task whose try has ended is skipped: it ends %v, want %v", withRun.EndedAt, now)
	}
	for name, c := range map[string]struct {
		task dag.TaskInstance
		want bool
	}{
		"upstream failed":      {dag.TaskInstance{State: dag.TaskUpstreamFailed, StartedAt: now}, true},
		"skipped with its run": {withRun, true},
		"skipped by itself":    {dag.TaskInstance{State: dag.TaskSkipped}, false},
		"failed":               {dag.TaskInstance{State: dag.TaskFailed}, false},
		"not started":          {dag.TaskInstance{}, false},
	} {
		if got := c.task.GivenUp(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSucceeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event dag.AttemptEvent
		want  bool
	}{
		"ended":        {dag.AttemptEvent{Phase: dag.AttemptEnded}, true},
		"started":      {dag.AttemptEvent{Phase: dag.AttemptStarted}, false},
		"lost":         {dag.AttemptEvent{Phase: dag.AttemptEnded, Lost: true}, false},
		"stopped":      {dag.AttemptEvent{Phase: dag.AttemptEnded, Stopped: true}, false},
		"exit code 1":  {dag.AttemptEvent{Phase: dag.AttemptEnded, ExitCode: 1}, false},
		"exit code -1": {dag.AttemptEvent{Phase: dag.AttemptEnded, ExitCode: -1}, false},
	} {
		if got := c.event.Succeeded(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestNamesOfRuns names runs as Airflow does, with microseconds only where there are some.
func TestNamesOfRuns(t *testing.T) {
	t.Parallel()
	moscow := time.FixedZone("MSK", 3*3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 1, 31, 6, 0, 0, 0, moscow), "2026-01-31T03:00:00+00:00"},
		{time.Date(2026, 1, 31, 3, 0, 0, 999, time.UTC), "2026-01-31T03:00:00+00:00"},
		{time.Date(2026, 1, 31, 3, 0, 0, 1000, time.UTC), "2026-01-31T03:00:00.000001+00:00"},
		{time.Date(2026, 1, 31, 3, 0, 0, 100_000_000, time.UTC), "2026-01-31T03:00:00.100000+00:00"},
	} {
		got := []dag.RunID{dag.ScheduledRunID(c.at), dag.BackfillRunID(c.at), dag.ManualRunID(c.at)}
		want := []dag.RunID{dag.RunID("scheduled__" + c.want), dag.RunID("backfill__" + c.want),
			dag.RunID("manual__" + c.want)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestCheckLogicalDate(t *testing.T) {
	t.Parallel()
	east, west := time.FixedZone("", 3600), time.FixedZone("", -3600)
	for _, c := range []struct {
		at time.Time
		ok bool
	}{
		{time.Time{}, false},
		{time.Time{}.Add(1), true},
		{time.Date(1, 1, 1, 0, 30, 0, 0, east), false},
		{time.Date(0, 12, 31, 23, 30, 0, 0, west), true},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), true},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{time.Date(9999, 12, 31, 23, 30, 0, 0, west), false},
		{time.Date(10000, 1, 1, 0, 30, 0, 0, east), true},
	} {
		if err := dag.CheckLogicalDate(c.at); (err == nil) != c.ok {
			t.Errorf("%v: %v, want ok %v", c.at, err, c.ok)
		}
	}
}

// TestPlaces tells the owners that an id had one after the other apart.
func TestPlaces(t *testing.T) {
	t.Parallel()
	type row struct {
		RunPlace, KeyPlace, TaskDAG dag.ID
		Former                      bool
	}
	for _, c := range []struct {
		id    dag.ID
		epoch int
		want  row
	}{
		{"churn", 0, row{"churn", "churn", "churn", false}},
		{"churn", 1, row{"churn~2", "churn~2", "churn", false}},
		{"churn~1", 0, row{"churn", "churn~1", "churn", true}},
		{"churn~2", 1, row{"churn~2", "churn~2~2", "churn", true}},
	} {
		ti := dag.TaskInstance{DAG: c.id, Run: "r", Task: "t", Try: 3, Epoch: c.epoch}
		if got, want := ti.Key(), (dag.AttemptKey{DAG: c.want.TaskDAG, Run: "r", Task: "t", Try: 3,
			Epoch: c.epoch}); got != want {
			t.Errorf("key %+v, want %+v", got, want)
		}
		got := row{dag.Run{DAG: c.id, Epoch: c.epoch}.Place(), dag.AttemptKey{DAG: c.id, Epoch: c.epoch}.Place(),
			ti.Key().DAG, c.id.Former()}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s of epoch %d (-want +got):\n%s", c.id, c.epoch, diff)
		}
	}
}

// TestEnvironment has the conf win over the spec, and what the server says over both.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	run := dag.Run{Conf: map[string]any{"B": "conf", "N": 1},
		LogicalDate: time.Date(2026, 1, 31, 6, 0, 0, 5000, time.FixedZone("", 3*3600))}
	got := dag.Environment([]dag.EnvVar{{Name: "A", Value: "spec"}, {Name: "B", Value: "spec"},
		{Name: "AIRFLOW_CTX_DAG_ID", Value: "spec"}}, run,
		dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 2}, "risk")
	want := []dag.EnvVar{
		{Name: "A", Value: "spec"}, {Name: "B", Value: "conf"}, {Name: "AIRFLOW_CTX_DAG_ID", Value: "d"},
		{Name: "N", Value: "1"},
		{Name: "AIRFLOW_CTX_DAG_OWNER", Value: "risk"}, {Name: "AIRFLOW_CTX_TASK_ID", Value: "t"},
		{Name: "AIRFLOW_CTX_DAG_RUN_ID", Value: "r"},
		{Name: "AIRFLOW_CTX_TRY_NUMBER", Value: "2"},
		{Name: "AIRFLOW_CTX_LOGICAL_DATE", Value: "2026-01-31T03:00:00.000005Z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	annotated := func(key string, value any) dag.Task {
		return dag.Task{Pod: map[string]any{"annotations": map[string]any{key: value}}}
	}
	const promoted = dag.AnnotationPromoted
	for name, c := range map[string]struct {
		tasks                 []dag.Task
		text, project, commit string
	}{
		"none":              {nil, "", "", ""},
		"no annotations":    {[]dag.Task{{}}, "", "", ""},
		"the second's":      {[]dag.Task{{}, annotated(promoted, "gbc/dev@c1")}, "gbc/dev@c1", "gbc/dev", "c1"},
		"the first of two":  {[]dag.Task{annotated(promoted, "a@1"), annotated(promoted, "b@2")}, "a@1", "a", "1"},
		"of another key":    {[]dag.Task{annotated("x", "a@1")}, "", "", ""},
		"no text":           {[]dag.Task{annotated(promoted, 5), annotated(promoted, "b@2")}, "b@2", "b", "2"},
		"without a commit":  {[]dag.Task{annotated(promoted, "gbc/dev")}, "gbc/dev", "", ""},
		"with an empty one": {[]dag.Task{annotated(promoted, "gbc/dev@")}, "gbc/dev@", "gbc/dev", ""},
	} {
		d := &dag.DAG{Tasks: c.tasks}
		project, commit := d.PromotedFrom()
		if text := d.Annotation(promoted); text != c.text || project != c.project || commit != c.commit {
			t.Errorf("%s: %q, %q, %q", name, text, project, commit)
		}
	}
}

// TestPlainNumbers goes into lists and mappings.
func TestPlainNumbers(t *testing.T) {
	t.Parallel()
	n := func(s string) json.Number { return json.Number(s) }
	got := dag.PlainNumbers(map[string]any{"a": n("1"),
		"b": []any{n("1.5"), "x", map[string]any{"c": n("1e999")}}, "d": nil})
	want := map[string]any{"a": 1, "b": []any{1.5, "x", map[string]any{"c": n("1e999")}}, "d": nil}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	long := strings.Repeat("0", 398)
	for text, want := range map[string]any{"1." + long: 1.0, "1." + long + "0": n("1." + long + "0")} {
		if got := dag.PlainNumber(n(text)); got != want {
			t.Errorf("%d digits become %T", len(text), got)
		}
	}
}

// TestParamCheckSays has each rule of a schema at its edge, with the whole answer.
func TestParamCheckSays(t *testing.T) {
	t.Parallel()
	const says = "invalid param \"p\": "
	for _, c := range []struct {
		name, schema string
		value        any
		want         string
	}{
		{"of no type", `{"type": ["null", "string"]}`, 1, "the value must be of type null or string"},
		{"outside the enum", `{"enum": [1, "a"]}`, "b", `the value must be one of 1, "a"`},
		{"outside a long enum", `{"enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, true, "` + strings.Repeat("x", 100) + `", null]}`, "b",
			"the value must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, true and 2 more"},
		{"outside an enum of long values", `{"enum": ["` + strings.Repeat("x", 100) + `", [{"a": [1, 2]}]]}`, "b",
			`the value must be one of "` + strings.Repeat("x", 80) + `"…, [{"a":[1,2]}]`},
		{"the constant", `{"const": 1}`, 1.0, ""},
		{"not the constant", `{"const": 1}`, 2, "the value must be 1, the constant of the schema"},
		{"as short as may be", `{"minLength": 2, "maxLength": 2}`, "äö", ""},
		{"too short", `{"minLength": 2}`, "ä", "the text must have at least 2 characters"},
		{"too long", `{"maxLength": 2}`, "äöü", "the text must have at most 2 characters"},
		{"against the pattern", `{"pattern": "^a$"}`, "b", `the text must match the pattern "^a$"`},
		{"a pattern that is none", `{"pattern": "("}`, "b", "the schema's pattern is not understood"},
		{"time", `{"format": "time"}`, "05:00:00", ""},
		{"time in a zone", `{"format": "time"}`, "05:00:00+03:00", ""},
		{"no time", `{"format": "time"}`, "24:00:00", "the text must be a time such as 05:00:00"},
		{"no date", `{"format": "date"}`, "2026-02-29", "the text must be a date such as 2026-01-31"},
		{"no date-time", `{"format": "date-time"}`, "2026-01-31",
			"the text must be a date-time such as 2026-01-31T05:00:00Z"},
		{"email", `{"format": "email"}`, "ann@example.com", ""},
		{"no email", `{"format": "email"}`, "ann", "the text must be an email address such as ann@example.com"},
		{"uri", `{"format": "uri"}`, "s3://bucket/key", ""},
		{"no uri", `{"format": "uri"}`, "bucket/key", "the text must be a uri such as https://example.com/path"},
		{"uuid", `{"format": "uuid"}`, "123E4567-e89b-12d3-a456-426614174000", ""},
		{"no uuid", `{"format": "uuid"}`, "123e4567e89b12d3a456426614174000",
			"the text must be a uuid such as 123e4567-e89b-12d3-a456-426614174000"},
		{"a format that is not known", `{"format": "multiline"}`, "x", ""},
		{"at the minimum", `{"minimum": 1, "maximum": 1}`, int64(1), ""},
		{"below the minimum", `{"minimum": 1}`, 0.9, "the number must be at least 1"},
		{"above the maximum", `{"maximum": 1}`, 1.1, "the number must be at most 1"},
		{"at the exclusive minimum", `{"exclusiveMinimum": 1}`, 1, "the number must be greater than 1"},
		{"above it", `{"exclusiveMinimum": 1}`, 1.1, ""},
		{"at the exclusive maximum", `{"exclusiveMaximum": 1}`, 1, "the number must be less than 1"},
		{"below it", `{"exclusiveMaximum": 1}`, 0.9, ""},
		{"a multiple", `{"multipleOf": 0.1}`, 0.3, ""},
		{"no multiple", `{"multipleOf": 5}`, 12, "the number must be a multiple of 5"},
		{"no multiple, though large", `{"multipleOf": 5}`, 12345678901, "the number must be a multiple of 5"},
		{"a multiple beyond a float64", `{"multipleOf": 5}`, json.Number("12345678901234567890"), ""},
		{"no multiple beyond a float64", `{"multipleOf": 5}`, json.Number("12345678901234567891"),
			"the number must be a multiple of 5"},
		{"a multiple with a far power", `{"multipleOf": 3}`, json.Number("9e300000000"), ""},
		{"no multiple of a larger step", `{"multipleOf": 100}`, 50, "the number must be a multiple of 100"},
		{"nothing is a multiple", `{"multipleOf": 100}`, 0, ""},
		{"a long number", `{"type": "integer", "enum": [12345678901234567890]}`, json.Number("12345678901234567890"), ""},
		{"a long number's neighbour", `{"type": "integer", "enum": [12345678901234567890]}`,
			json.Number("12345678901234567891"), "the value must be one of 12345678901234567890"},
		{"a long number above", `{"maximum": 12345678901234567890}`, json.Number("12345678901234567891"),
			"the number must be at most 12345678901234567890"},
		{"a long number with a fraction", `{"type": "integer"}`, json.Number("1234567890123456789.5"),
			"the value must be of type integer"},
		{"a million", `{"maximum": 1000000}`, 1000001, "the number must be at most 1000000"},
		{"negative numbers", `{"minimum": -2, "maximum": -1}`, -1.5, ""},
		{"below a negative number", `{"minimum": -2}`, -12, "the number must be at least -2"},
		{"above a negative number", `{"maximum": -1}`, 0, "the number must be at most -1"},
		{"zero and a fraction", `{"exclusiveMinimum": 0}`, 0.001, ""},
		{"a list in the enum", `{"enum": [[1, {"a": 2}]]}`, []any{1.0, map[string]any{"a": json.Number("2.0")}}, ""},
		{"items", `{"items": {"type": "string"}}`, []any{"a"}, ""},
		{"an item of another type", `{"items": {"type": "string"}}`, []any{"a", 1},
			"item 2: the value must be of type string"},
		{"no items at all", `{"items": false}`, []any{1}, "item 1: it is not allowed"},
		{"too few items", `{"minItems": 2}`, []any{1}, "the list must have at least 2 items"},
		{"too many items", `{"maxItems": 2}`, []any{1, 2, 3}, "the list must have at most 2 items"},
		{"different items", `{"uniqueItems": true}`, []any{1, "1", []any{1}}, ""},
		{"an item twice", `{"uniqueItems": true}`, []any{[]any{1}, 2, []any{1.0}},
			"item 3 is in the list already, and each must be there once"},
		{"a missing key", `{"required": ["a", "b"]}`, map[string]any{"a": 1}, `the key "b" is missing`},
		{"a wrong key", `{"properties": {"a": {"minimum": 2}}}`, map[string]any{"a": 1, "b": 1},
			`the key "a": the number must be at least 2`},
		{"a further key", `{"properties": {"a": true}, "additionalProperties": false}`, map[string]any{"a": 1, "b": 1},
			`the key "b": it is not allowed`},
		{"a further key of a type", `{"additionalProperties": {"type": "string"}}`, map[string]any{"b": 1},
			`the key "b": the value must be of type string`},
		{"a key in a list", `{"items": {"properties": {"a": {"items": {"maximum": 1}}}}}`,
			[]any{map[string]any{"a": []any{1, 2}}}, `item 1: the key "a": item 2: the number must be at most 1`},
		{"all", `{"allOf": [{"minimum": 1}, {"maximum": 2}]}`, 3, "the number must be at most 2"},
		{"any", `{"anyOf": [{"type": "string"}, {"minimum": 2}]}`, 2, ""},
		{"not any", `{"anyOf": [{"type": "string"}, {"minimum": 2}]}`, 1, "the value fits none of the schemas of anyOf"},
		{"one", `{"oneOf": [{"minimum": 1}, {"minimum": 2}]}`, 1, ""},
		{"two for one", `{"oneOf": [{"minimum": 1}, {"minimum": 2}]}`, 2,
			"the value must fit one of the schemas of oneOf, and fits 2"},
		{"not", `{"not": {"type": "string"}}`, 1, ""},
		{"but it is", `{"not": {"type": "string"}}`, "x", "the value must not fit the schema of not"},
		{"too much work", `{"items": {"anyOf": [` + strings.Repeat(`{"type": "string"},`, 2000) + `{"type": "number"}]}}`,
			slices.Repeat([]any{1}, 2000), "the value takes too long to check against the schema"},
		{"too large a pattern", `{"pattern": "` + strings.Repeat("(a|b){900}", 20) + `"}`, "a", "the schema's pattern is not understood"},
		{"a slow pattern", `{"pattern": "^(.{0,30}x){0,30}$"}`, strings.Repeat("x", 60_000),
			"the value takes too long to check against the schema"},
		{"many slow patterns", `{"not": {"allOf": [` + strings.Repeat(`{"pattern": "(a{0,30}){0,30}"},`, 10_000) + `true]}}`,
			"a", "the value takes too long to check against the schema"},
		{"many long texts in an enum", `{"items": {"not": {"enum": [` + strings.Repeat(`"`+strings.Repeat("x", 1000)+`",`, 500) +
			`1]}}}`, slices.Repeat([]any{strings.Repeat("x", 999)}, 1000),
			"the value takes too long to check against the schema"},
		{"too much work, the other way round", `{"not": {"items": {"not": {"anyOf": [` +
			strings.Repeat(`{"type": "string"},`, 2000) + `{"type": "number"}]}}}}`,
			append(slices.Repeat([]any{true}, 2000), 1), "the value takes too long to check against the schema"},
	} {
		var schema map[string]any
		d := json.NewDecoder(strings.NewReader(c.schema))
		d.UseNumber() // as the store reads it
		if err := d.Decode(&schema); err != nil {
			t.Fatal(err)
		}
		got, want := fmt.Sprint(dag.Param{Name: "p", Default: "?", Schema: schema}.Check(c.value)), says+c.want
		if c.want == "" {
			want = "<nil>"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

// TestConfAsJSON measures the conf as Jinja's tojson writes it, at its limit.
func TestConfAsJSON(t *testing.T) {
	t.Parallel()
	const most = 128<<10 - 1 - len(`DAG_RUN_CONF={"A": "", "B": "", "C": [""]}`)
	for _, c := range []struct {
		text string
		size int
	}{
		{"a", 1}, {"~", 1}, {" ", 1}, {"\n", 2}, {"\r", 2}, {"\t", 2}, {"\b", 2}, {"\f", 2}, {`"`, 2}, {`\`, 2},
		{"\x01", 6}, {"\x1f", 6}, {"\x7f", 6}, {"<", 6}, {">", 6}, {"&", 6}, {"'", 6}, {"é", 6}, {"\u2028", 6},
		{"\uffff", 6}, {"🎉", 12},
	} {
		n := 36
		fill := most - n*c.size
		conf := func(more int) map[string]any {
			a, b := strings.Repeat("x", fill/2), strings.Repeat("x", fill-fill/2+more)
			return map[string]any{"A": a, "B": b, "C": []any{strings.Repeat(c.text, n)}}
		}
		if err := dag.CheckConf(conf(0)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if err := dag.CheckConf(conf(1)); err == nil ||
			!strings.HasSuffix(err.Error(), "it takes 131072 bytes, of which a process gets 131071 at most") {
			t.Errorf("%q and one byte more: %v", c.text, err)
		}
	}
}
