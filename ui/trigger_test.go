package ui

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/store"
)

// paramDAG declares a param of each kind.
func paramDAG() *dag.DAG {
	d := newDAG("churn-model", "run_model")
	d.Params = []dag.Param{
		{Name: "SCORING_DATE", Default: "", Description: "Score this date",
			Schema: map[string]any{"type": "string", "format": "date"}},
		{Name: "LIMIT", Default: 10, Schema: map[string]any{"type": "integer", "minimum": 1, "maximum": 100}},
		{Name: "MODE", Default: "fast", Schema: map[string]any{"type": "string", "enum": []any{"fast", "exact"}}},
		{Name: "DRY_RUN", Default: true, Schema: map[string]any{"type": "boolean"}},
		{Name: "COLUMNS", Default: []any{"a"}, Schema: map[string]any{"type": "array"}},
		{Name: "TEXT", Default: "hello"},
	}
	return d
}

// defaults is the form as a browser sends it untouched.
func defaults() url.Values {
	return url.Values{
		"mode": {"config"}, "conf": {"{}"}, "param.SCORING_DATE": {""}, "param.LIMIT": {"10"}, "param.MODE": {"fast"},
		"param.DRY_RUN": {"true"}, "param.COLUMNS": {`["a"]`}, "param.TEXT": {"hello"},
	}
}

// shownError is an error in its place beside a field.
var shownError = regexp.MustCompile(`<p class="error"[^>]*>[^<]`)

func (s *site) lastRun() *dag.Run {
	s.Helper()
	runs, _, err := s.store.Runs(s.Context(), store.RunFilter{})
	if err != nil {
		s.Fatal(err)
	}
	if len(runs) == 0 {
		return nil
	}
	return &runs[0]
}

func TestTriggerFormShowsFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(paramDAG())
	p := s.get(http.StatusOK, "/dags/churn-model/trigger")
	p.wants(t, "Trigger DAG w/ config", `type="date"`, `min="1" max="100"`, "Score this date", "Un-pause the DAG",
		`<option selected value="fast">`, `["a"]`)
}

func TestTriggerAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(paramDAG())
	w := s.post("/dags/churn-model/trigger", url.Values{"mode": {"now"}}, "")
	r := s.lastRun()
	if w.Code != http.StatusSeeOther || r == nil || w.Header().Get("Location") != runURL(r.DAG, r.ID) {
		t.Fatalf("%d to %q, run %+v", w.Code, w.Header().Get("Location"), r)
	}
	if r.User != "alice" || r.TriggeredBy != "ui" || len(r.Conf) != 0 {
		t.Errorf("run by %q via %q with conf %v, want alice via ui without", r.User, r.TriggeredBy, r.Conf)
	}
	if row, err := s.store.DAG(t.Context(), r.DAG); err != nil || !row.Paused {
		t.Errorf("the DAG is active (%v), want paused: the box was not ticked", err)
	}
}

func TestTriggerWithConfig(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change url.Values
		want   map[string]any
	}{
		{"defaults are left out", nil, map[string]any{}},
		{"a date", url.Values{"param.SCORING_DATE": {"2026-01-31"}}, map[string]any{"SCORING_DATE": "2026-01-31"}},
		{"a number", url.Values{"param.LIMIT": {"7"}}, map[string]any{"LIMIT": 7}},
		{"a choice", url.Values{"param.MODE": {"exact"}}, map[string]any{"MODE": "exact"}},
		{"an unticked box", url.Values{"param.DRY_RUN": nil}, map[string]any{"DRY_RUN": false}},
		{"a list", url.Values{"param.COLUMNS": {`["b", 1]`}}, map[string]any{"COLUMNS": []any{"b", 1}}},
		{"an emptied text", url.Values{"param.TEXT": {""}}, map[string]any{"TEXT": ""}},
		{"long numbers", url.Values{"conf": {`{"ID": 12345678901234567890, "X": 0.12345678901234567891}`}},
			map[string]any{"ID": json.Number("12345678901234567890"), "X": json.Number("0.12345678901234567891")}},
		{"a long number in a field", url.Values{"param.COLUMNS": {"[12345678901234567890]"}},
			map[string]any{"COLUMNS": []any{json.Number("12345678901234567890")}}},
		{"JSON counts before fields", url.Values{"conf": {`{"LIMIT": 10, "OTHER": null}`}, "param.LIMIT": {"7"}},
			map[string]any{"LIMIT": 10, "OTHER": nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.save(paramDAG())
			form := defaults()
			for key, value := range test.change {
				form[key] = value
			}
			form.Set("unpause", "1")
			form.Set("note", "why")
			w := s.post("/dags/churn-model/trigger", form, "")
			if w.Code != http.StatusSeeOther {
				t.Fatalf("status %d\n%s", w.Code, w.Body)
			}
			r := s.lastRun()
			got := r.Conf
			if got == nil {
				got = map[string]any{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("conf (-want +got):\n%s", diff)
			}
			if row, err := s.store.DAG(t.Context(), r.DAG); err != nil || row.Paused || r.Note != "why" {
				t.Errorf("paused %v, note %q, %v; want active and why", row.Paused, r.Note, err)
			}
		})
	}
}

func TestTriggerTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change url.Values
		want   string
	}{
		{"syntax", url.Values{"conf": {"{\n  \"A\": 1,\n  \"B\" 2\n}"}}, "line 3, column 7"},
		{"too short", url.Values{"conf": {"{\"A\": [1"}}, "line 1, column 9"},
		{"too long", url.Values{"conf": {"{}\n {}"}}, "line 2, column 2"},
		{"a list", url.Values{"conf": {"[1]"}}, "not a JSON object"},
		{"null", url.Values{"conf": {"null"}}, "not a JSON object"},
		{"a number beyond the range", url.Values{"conf": {`{"ID": 1e999}`}}, "put it in quotes"},
		{"a key twice", url.Values{"conf": {"{\"A\": 1,\n\"A\": 2}"}}, "line 2, column 4: key \"A\" stands twice"},
		{"half a character", url.Values{"conf": {`{"A": "\ud800"}`}}, "at key \"A\": half of a surrogate pair"},
		{"JSON that is not UTF-8", url.Values{"conf": {"{\"A\": \"\xff\"}"}}, "line 1, column 1: not UTF-8"},
		{"an illegal key", url.Values{"conf": {`{"a-b": 1}`}}, "a-b"},
		{"a reserved key", url.Values{"conf": {`{"LD_PRELOAD": "x"}`}}, "LD_PRELOAD"},
		{"no number", url.Values{"param.LIMIT": {"many"}}, "Not a number"},
		{"out of bounds", url.Values{"param.LIMIT": {"1000"}}, "100"},
		{"no date", url.Values{"param.SCORING_DATE": {"yesterday"}}, "date"},
		{"no choice", url.Values{"param.MODE": {"slow"}}, "fast"},
		{"no JSON in a field", url.Values{"param.COLUMNS": {"a, b"}}, "line 1, column 1"},
		{"a wrong value in JSON", url.Values{"conf": {`{"LIMIT": "x"}`}}, "LIMIT"},
		{"a date before all dates", url.Values{"logical_date": {"0001-01-01T00:00:00Z"}}, "years 1 to 9999"},
		{"a date after all dates", url.Values{"logical_date": {"9999-12-31T23:59:59-12:00"}}, "years 1 to 9999"},
		{"logical date", url.Values{"logical_date": {"tomorrow"}}, "Not a date and time"},
		{"run id", url.Values{"run_id": {"a/b"}}, "a/b"},
		{"scheduled run id", url.Values{"run_id": {"scheduled__x"}}, "scheduled__"},
		{"note", url.Values{"note": {strings.Repeat("ж", dag.MaxNote+1)}}, "too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.save(paramDAG())
			form := defaults()
			form.Set("param.TEXT", "typed and kept")
			for key, value := range test.change {
				form[key] = value
			}
			w := s.post("/dags/churn-model/trigger", form, "")
			if w.Code != http.StatusUnprocessableEntity {
				t.Fatalf("status %d, want 422\n%s", w.Code, w.Body)
			}
			p := checkPage(t, test.name, w)
			p.wants(t, test.want)
			if p.attr("param.TEXT", "value") != "typed and kept" {
				t.Error("what was typed is lost")
			}
			if !shownError.MatchString(p.source) && !strings.Contains(p.source, `id="faults"`) {
				t.Error("no error is shown")
			}
			if s.lastRun() != nil {
				t.Error("a run was made all the same")
			}
		})
	}
}

func TestTriggerConflict(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(paramDAG())
	form := defaults()
	form.Set("run_id", "mine")
	form.Set("logical_date", "2026-01-31T06:00:00+03:00")
	w := s.post("/dags/churn-model/trigger", form, "")
	r := s.lastRun()
	if w.Code != http.StatusSeeOther || r.ID != "mine" ||
		!r.LogicalDate.Equal(time.Date(2026, 1, 31, 3, 0, 0, 0, time.UTC)) {
		t.Fatalf("status %d, run %+v", w.Code, r)
	}
	w = s.post("/dags/churn-model/trigger", form, "")
	if w.Code != http.StatusConflict {
		t.Fatalf("status %d, want 409", w.Code)
	}
	p := checkPage(t, "conflict", w)
	if p.attr("run_id", "value") != "mine" {
		t.Error("the run id is lost")
	}
	form.Del("run_id")
	if w = s.post("/dags/churn-model/trigger", form, ""); w.Code != http.StatusConflict {
		t.Errorf("a second run of one logical date: status %d, want 409", w.Code)
	}
}

// TestTriggerFormIsRepeated sends one form twice, as somebody does who got no answer, and
// then forms that are others.
func TestTriggerFormIsRepeated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(paramDAG())
	key := func() string {
		found := formKey.FindStringSubmatch(s.get(http.StatusOK, "/dags/churn-model/trigger").source)
		if found == nil || found[1] == "" {
			t.Fatal("the form has no key")
		}
		return found[1]
	}
	form := defaults()
	form.Set(keyField, key())
	runs := map[string]bool{}
	send := func(want int) {
		t.Helper()
		w := s.post("/dags/churn-model/trigger", form, "")
		runs[w.Header().Get("Location")] = true
		if w.Code != http.StatusSeeOther || len(runs) != want {
			t.Fatalf("status %d, %d runs; want 303 and %d\n%s", w.Code, len(runs), want, w.Body)
		}
	}
	send(1)
	send(1)
	form.Set("param.LIMIT", "7")
	send(2)
	form.Set("note", "why")
	send(3)
	form.Set(keyField, key())
	send(4)
	form.Del(keyField)
	send(5)
	send(6)
}

// formKey is the key of a form.
var formKey = regexp.MustCompile(`name="idempotency_key" value="([^"]*)"`)

// TestTriggerPreviewOfFaults previews a form with faults: the page says what is wrong,
// and not what the containers would get.
func TestTriggerPreviewOfFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(paramDAG())
	s.run("churn-model", "mine")
	for _, test := range []struct{ field, value, want string }{
		{"param.LIMIT", "1000", `<a href="#param.LIMIT">`},
		{"conf", "{", `<a href="#conf">`},
		{"run_id", "mine", `Run "mine" of DAG "churn-model" exists already`},
	} {
		form := defaults()
		form.Set("mode", "preview")
		right := s.post("/dags/churn-model/trigger", form, "")
		p := checkPage(t, "right", right)
		p.wants(t, "What the containers will get", "AIRFLOW_CTX_DAG_ID")
		p.lacks(t, "Please correct")
		form.Set(test.field, test.value)
		w := s.post("/dags/churn-model/trigger", form, "")
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d, want 200", test.field, w.Code)
		}
		p = checkPage(t, test.field, w)
		p.wants(t, "Please correct:", test.want, "Correct the fields first")
		p.lacks(t, "The run was not started", "What the containers will get", "AIRFLOW_CTX_DAG_ID")
	}
}

// TestPreviewShowsTheContext wants the context variables that the run will have.
func TestPreviewShowsTheContext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server.Now = func() time.Time { return now.Add(123456789) }
	s.save(paramDAG())
	form := defaults()
	form.Set("mode", "preview")
	context := func() string {
		w := s.post("/dags/churn-model/trigger", form, "")
		var text string
		for _, line := range strings.Split(checkPage(t, "preview", w).text, "\n") {
			text += " " + strings.TrimSpace(line)
		}
		return strings.Join(strings.Fields(text), " ")
	}
	for _, want := range []string{
		"AIRFLOW_CTX_DAG_ID churn-model", "AIRFLOW_CTX_DAG_RUN_ID set when the run starts",
		"AIRFLOW_CTX_LOGICAL_DATE 2026-03-01T12:00:00.123456Z",
	} {
		if got := context(); !strings.Contains(got, want) {
			t.Errorf("preview lacks %q:\n%s", want, got)
		}
	}
	form.Set("run_id", "mine")
	if got := context(); !strings.Contains(got, "AIRFLOW_CTX_DAG_RUN_ID mine") {
		t.Errorf("preview lacks the run id:\n%s", got)
	}
}

func TestTriggerNeedsAValueWithoutDefault(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := newDAG("churn-model", "run_model")
	d.Params = []dag.Param{{Name: "TARGET", Schema: map[string]any{"type": "string"}}}
	s.save(d)
	for _, mode := range []string{"now", "config"} {
		w := s.post("/dags/churn-model/trigger", url.Values{"mode": {mode}}, "")
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "it needs a value") {
			t.Errorf("%s: status %d, want 422 and why", mode, w.Code)
		}
	}
	w := s.post("/dags/churn-model/trigger", url.Values{"mode": {"config"}, "conf": {`{"TARGET": null}`}}, "")
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "a run must give it a value") {
		t.Errorf("null in the JSON: status %d, want 422 and why", w.Code)
	}
}

func FuzzParseConf(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"A": 1e400}`, `{"A": [1, {"B": 9007199254740993}]}`, "[", `{"a":1,"a":2}`,
		"\xff", `{"é": ]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseConf(text); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// TestTriggerFormIsOne holds the form to one button, named after what it will do,
// which drops nothing.
func TestTriggerFormIsOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := paramDAG()
	d.Params = append(d.Params, dag.Param{Name: "TARGET", Schema: map[string]any{"type": "string"}})
	s.save(d)
	p := s.get(http.StatusOK, "/dags/churn-model/trigger")
	if n := strings.Count(p.source, `<button class="primary"`); n != 1 {
		t.Errorf("%d primary buttons, want 1", n)
	}
	if got := p.attr("param.TARGET", "aria-required"); got != "true" {
		t.Errorf("TARGET is required: %q", got)
	}
	if n := strings.Count(p.source, `class="required"`); n != 1 {
		t.Errorf("%d fields are marked as required, want 1", n)
	}
	named := regexp.MustCompile(`data-config="[^"]*">([^<]*)<`)
	name := func(p page) string { return named.FindStringSubmatch(p.source)[1] }
	if got := name(p); got != "Trigger DAG" {
		t.Errorf("the button of an untouched form says %q", got)
	}
	// The mode of the former button without config drops no field.
	form := defaults()
	form.Set("mode", "now")
	form.Set("param.LIMIT", "7")
	w := s.post("/dags/churn-model/trigger", form, "")
	p = checkPage(t, "refusal", w)
	if w.Code != http.StatusUnprocessableEntity || name(p) != "Trigger DAG w/ config" {
		t.Fatalf("status %d, the button says %q", w.Code, name(p))
	}
	p.wants(t, "The run was not started. Please correct:", `<a href="#param.TARGET">TARGET</a>`)
	if n := strings.Count(p.source, " autofocus"); n != 1 {
		t.Errorf("%d fields have the focus, want 1", n)
	}
	if !strings.Contains(p.source,
		`id="param.TARGET" name="param.TARGET" value="" autocomplete="off" data-default="" aria-describedby="error-param.TARGET" aria-required="true" aria-invalid="true" autofocus`) {
		t.Error("the first wrong field has not the focus")
	}
	form.Set("param.TARGET", "scores")
	if w := s.post("/dags/churn-model/trigger", form, ""); w.Code != http.StatusSeeOther {
		t.Fatalf("status %d", w.Code)
	}
	if diff := cmp.Diff(map[string]any{"LIMIT": 7, "TARGET": "scores"}, s.lastRun().Conf); diff != "" {
		t.Errorf("conf (-want +got):\n%s", diff)
	}
}

// TestBodyThatIsNoForm sends a body that the form's reader does not read: the act must
// not be done with no values.
func TestBodyThatIsNoForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(paramDAG())
	for _, kind := range []string{"application/json", "text/plain", ""} {
		r := httptest.NewRequest(http.MethodPost, "/dags/churn-model/trigger", strings.NewReader(`{"conf": "{}"}`))
		r.Header.Set("Content-Type", kind)
		if w := s.do(r); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a body of the type %q: %d, want 422", kind, w.Code)
		}
	}
	if runs, _, err := s.store.Runs(t.Context(), store.RunFilter{DAG: "churn-model", Limit: 1}); err != nil ||
		len(runs) != 0 {
		t.Errorf("runs: %v, %v; want none", runs, err)
	}
}
