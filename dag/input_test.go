package dag_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

func TestCheckID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "churn-model", "g.task_1", "0", "...", strings.Repeat("x", 250)} {
		if err := dag.CheckID(good); err != nil {
			t.Errorf("CheckID(%q) = %v", good, err)
		}
	}
	bad := []string{"", ".", "..", "../x", "a/b", "a b", "a\n", "\n", "%2F", "é", "a\x00", strings.Repeat("x", 251),
		strings.Repeat("/", 5000)}
	for _, id := range bad {
		checkRefusal(t, "CheckID", id, dag.CheckID(id))
	}
}

func TestCheckRunID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"scheduled__2026-01-31T03:00:00+00:00", "a~b", "x"} {
		if err := dag.CheckRunID(good); err != nil {
			t.Errorf("CheckRunID(%q) = %v", good, err)
		}
	}
	for _, id := range []string{"", "~", ".", "..", "a/b", "a b", "a\n", "-a", "--help", "ü", strings.Repeat("x", 251),
		strings.Repeat("\x00", 5000)} {
		checkRefusal(t, "CheckRunID", id, dag.CheckRunID(id))
	}
}

func checkRefusal(t *testing.T, what, input string, err error) {
	t.Helper()
	switch {
	case !errors.Is(err, dag.ErrInvalid):
		t.Errorf("%s(%.20q) = %v, want ErrInvalid", what, input, err)
	case len(input) > 80 && strings.Contains(err.Error(), input[:81]):
		t.Errorf("%s shows more than 80 characters of %.20q", what, input)
	case strings.ContainsAny(err.Error(), "\n\x00"):
		t.Errorf("%s(%.20q) shows control characters: %q", what, input, err)
	}
}

func nested(depth int) any {
	var v any = "x"
	for range depth {
		v = []any{v}
	}
	return v
}

func TestCheckConf(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, c := range []struct {
		name string
		conf map[string]any
		want string // in the error; "" for none
	}{
		{"nil", nil, ""},
		{"plain", map[string]any{"SCORING_DATE": "2026-01-31", "_x1": 5, "o": map[string]any{"a": nil}}, ""},
		{"like a reserved one", map[string]any{"PATHS": "", "AIRFLOW_HOME": "", "path": ""}, ""},
		{"empty key", map[string]any{"": secret}, `""`},
		{"digit first", map[string]any{"1A": secret}, `"1A"`},
		{"blank", map[string]any{"A B": secret},
			`conf key "A B" is not a name of an environment variable: use letters, digits and "_", not beginning with a digit, at most 250 characters`},
		{"dash", map[string]any{"A-B": secret}, `"A-B"`},
		{"equals sign", map[string]any{"A=B": secret}, `"A=B"`},
		{"unicode", map[string]any{"Ä": secret}, `"Ä"`},
		{"long key", map[string]any{strings.Repeat("K", 251): secret}, `"KKK`},
		{"PATH", map[string]any{"PATH": secret}, `"PATH"`},
		{"IFS", map[string]any{"IFS": secret}, `"IFS"`},
		{"LD_PRELOAD", map[string]any{"LD_PRELOAD": secret}, `"LD_PRELOAD"`},
		{"BASH_ENV", map[string]any{"BASH_ENV": secret}, `"BASH_ENV"`},
		{"PYTHONPATH", map[string]any{"PYTHONPATH": secret}, `"PYTHONPATH"`},
		{"AIRFLOW_CTX_TRY_NUMBER", map[string]any{"AIRFLOW_CTX_TRY_NUMBER": secret}, `"AIRFLOW_CTX_TRY_NUMBER"`},
		{"DAGWRIGHT_X", map[string]any{"DAGWRIGHT_X": secret}, `"DAGWRIGHT_X"`},
		{"KUBERNETES_SERVICE_HOST", map[string]any{"KUBERNETES_SERVICE_HOST": secret}, `"KUBERNETES_SERVICE_HOST"`},
		{"DAG_RUN_CONF", map[string]any{"DAG_RUN_CONF": secret}, `"DAG_RUN_CONF"`},
		{"LOGICAL_DATE", map[string]any{"LOGICAL_DATE": secret}, `"LOGICAL_DATE"`},
		{"PIP_INDEX_URL", map[string]any{"PIP_INDEX_URL": secret}, `"PIP_INDEX_URL"`},
		{"UV_INDEX_URL", map[string]any{"UV_INDEX_URL": secret}, `"UV_INDEX_URL"`},
		{"AWS_ENDPOINT_URL_S3", map[string]any{"AWS_ENDPOINT_URL_S3": secret}, `"AWS_ENDPOINT_URL_S3"`},
		{"XDG_CONFIG_HOME", map[string]any{"XDG_CONFIG_HOME": secret}, `"XDG_CONFIG_HOME"`},
		{"infinity", map[string]any{"A": json.Number("1e999")}, `"A": it has a number that is beyond`},
		{"infinity inside", map[string]any{"A": []any{map[string]any{"b": json.Number("-1e999")}}}, `"A"`},
		{"many digits", map[string]any{"A": json.Number("12345678901234567890")}, ""},
		{"https_proxy", map[string]any{"https_proxy": secret}, `"https_proxy"`},
		{"NUL", map[string]any{"A": secret + "\x00"}, `"A"`},
		{"large value", map[string]any{"A": secret + strings.Repeat("x", 64<<10)}, "64 KiB"},
		{"large in all", map[string]any{
			"A": strings.Repeat("x", 60<<10), "B": strings.Repeat("x", 60<<10), "C": strings.Repeat("x", 60<<10),
			"D": strings.Repeat("x", 60<<10), "E": strings.Repeat("x", 60<<10),
		}, "256 KiB"},
		{"small, and large when escaped", map[string]any{"A": strings.Repeat("<", 30<<10)}, "DAG_RUN_CONF"},
		{"as JSON just fitting", map[string]any{"A": strings.Repeat("x", 64<<10), "B": strings.Repeat("x", 64<<10-32)}, ""},
		{"as JSON one too long", map[string]any{"A": strings.Repeat("x", 64<<10), "B": strings.Repeat("x", 64<<10-31)},
			"takes 131072 bytes"},
		{"deep", map[string]any{"A": nested(40)}, "deeper than 32"},
		{"no JSON", map[string]any{"A": math.NaN()}, "not JSON"},
		{"first key of several", map[string]any{"B-": "", "A-": ""}, `"A-"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := dag.CheckConf(c.conf)
			if c.want == "" {
				if err != nil {
					t.Errorf("CheckConf = %v", err)
				}
				return
			}
			if !errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("CheckConf = %v, want ErrInvalid with %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("CheckConf shows a value: %v", err)
			}
		})
	}
}

func TestConfEnv(t *testing.T) {
	t.Parallel()
	got := dag.ConfEnv(map[string]any{
		"TEXT": "a\nb", "INT": 5, "FLOAT": 0.5, "ON": true, "NONE": nil, "BIG": json.Number("12345678901234567890"),
		"LIST": []any{1, "<&>"}, "OBJECT": map[string]any{"b": 1, "a": "é"},
	})
	want := []dag.EnvVar{
		{Name: "BIG", Value: "12345678901234567890"}, {Name: "FLOAT", Value: "0.5"}, {Name: "INT", Value: "5"},
		{Name: "LIST", Value: `[1,"<&>"]`}, {Name: "NONE", Value: "null"}, {Name: "OBJECT", Value: `{"a":"é","b":1}`},
		{Name: "ON", Value: "true"}, {Name: "TEXT", Value: "a\nb"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ConfEnv (-want +got):\n%s", diff)
	}
}

func TestParamCheck(t *testing.T) {
	t.Parallel()
	schema := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	date := schema("type", "string", "format", "date")
	for _, c := range []struct {
		name   string
		schema map[string]any
		value  any
		ok     bool
	}{
		{"no schema", nil, []any{1}, true},
		{"date", date, "2026-01-31", true},
		{"the default", date, "", true},
		{"no date", date, "2026-02-30", false},
		{"date-time", schema("format", "date-time"), "2026-01-31T05:00:00+03:00", true},
		{"no date-time", schema("format", "date-time"), "2026-01-31", false},
		{"string for number", schema("type", "number"), "5", false},
		{"JSON number", schema("type", "integer"), json.Number("5"), true},
		{"whole float", schema("type", "integer"), 5.0, true},
		{"fraction", schema("type", "integer"), 5.5, false},
		{"null not allowed", schema("type", "string"), nil, false},
		{"null allowed", schema("type", []any{"null", "string"}), nil, true},
		{"boolean", schema("type", "boolean"), true, true},
		{"object", schema("type", "object"), map[string]any{}, true},
		{"array for object", schema("type", "object"), []any{}, false},
		{"enum", schema("enum", []any{"a", 1}), 1.0, true},
		{"outside the enum", schema("enum", []any{"a", 1}), "b", false},
		{"at the minimum", schema("minimum", 0), 0.0, true},
		{"below the minimum", schema("minimum", 0), -0.1, false},
		{"above the maximum", schema("maximum", 1.5), 2, false},
		{"not below the exclusive maximum", schema("exclusiveMaximum", 2), 2, false},
		{"short", schema("minLength", 3), "äö", false},
		{"long", schema("maxLength", 3), "äöüß", false},
		{"just right", schema("maxLength", 4), "äöüß", true},
		{"pattern", schema("pattern", "^[a-z]+$"), "abc", true},
		{"against the pattern", schema("pattern", "^[a-z]+$"), "ABC", false},
		{"wrong pattern", schema("pattern", "("), "x", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := dag.Param{Name: "p", Default: "", Schema: c.schema}.Check(c.value)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, dag.ErrInvalid) {
				t.Errorf("Check(%v) = %v, want ok %v", c.value, err, c.ok)
			}
		})
	}
	err := dag.Param{Name: "p", Schema: date}.Check("s3cr3t")
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), `"p"`) {
		t.Errorf("Check shows the value or not the name: %v", err)
	}
}

// FuzzParse looks for panics, for errors that lack what people need, and for
// DAGs that cannot be written as JSON or break what Parse promises.
func FuzzParse(f *testing.F) {
	f.Add([]byte("d:\n  tasks:\n" + task))
	f.Add([]byte(cycle("a", "b", "c")))
	f.Add([]byte(manyDAGs()[:500]))
	f.Add([]byte("d: &a {<<: *a, tasks: [*a]}"))
	f.Add([]byte("d:\n  params: {p: {__type__: airflow.sdk.Param, __args__: [1], type: integer}}\n  tasks:\n" + task))
	f.Add([]byte(
		"d: {schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: x}, task_groups: {g: }, tasks: {a: {task_group_name: g}}}"))
	f.Fuzz(func(t *testing.T, source []byte) {
		dags, err := dag.Parse("f", source,
			dag.Defaults{File: "defaults.yml", Source: []byte("tags: [x]\ndefault_args: {retries: 1}\n")})
		if err != nil {
			checkFaults(t, err)
			return
		}
		for _, d := range dags {
			if err := dag.CheckID(string(d.ID)); err != nil || len(d.Tasks) == 0 {
				t.Errorf("DAG %q has %d tasks: %v", d.ID, len(d.Tasks), err)
			}
			if len(dag.Order(d)) != len(d.Tasks) {
				t.Errorf("Order of %q loses tasks", d.ID)
			}
			if _, err := json.Marshal(d); err != nil {
				t.Errorf("write %q as JSON: %v", d.ID, err)
			}
		}
	})
}

func checkFaults(t *testing.T, err error) {
	t.Helper()
	var faults dag.SpecErrors
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("error is %T with %d faults", err, len(faults))
	}
	for _, fault := range faults {
		if fault.File == "" || fault.Reason == "" || !utf8.ValidString(fault.Reason) {
			t.Errorf("fault lacks its file or reason: %+v", fault)
		}
	}
}

func TestPlainNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"0": 0, "-7": -7, "9223372036854775807": 9223372036854775807,
		"9223372036854775808":     json.Number("9223372036854775808"),
		"12345678901234567890":    json.Number("12345678901234567890"),
		"10000000000000000000000": json.Number("10000000000000000000000"),
		"-12345678901234567890":   json.Number("-12345678901234567890"),
		"0.1":                     0.1, "1.10": 1.1, "-2.50": -2.5, "1e3": 1000.0, "1E3": 1000.0, "2.5e-3": 0.0025,
		"0.0": 0.0, "0e5": 0.0, "100e-2": 1.0,
		"0.1234567890123456789": json.Number("0.1234567890123456789"),
		"9007199254740993.0":    json.Number("9007199254740993.0"),
		"1e999":                 json.Number("1e999"), "1e-999": json.Number("1e-999"), "5e-324": 5e-324,
		"3e-324":                 json.Number("3e-324"),
		"1e99999999999999999999": json.Number("1e99999999999999999999"),
	} {
		if got := dag.PlainNumber(json.Number(text)); got != want {
			t.Errorf("%s becomes %T %v, want %T %v", text, got, got, want, want)
		}
	}
}

func TestCheckEnvironment(t *testing.T) {
	t.Parallel()
	const most = 128<<10 - 1
	value := func(n int) []dag.EnvVar { return []dag.EnvVar{{Name: "A", Value: strings.Repeat("x", n)}} }
	for name, tt := range map[string]struct {
		env     []dag.EnvVar
		command []string
		want    string
	}{
		"nothing":                    {nil, nil, ""},
		"a variable that just fits":  {value(most - len("A=")), nil, ""},
		"a variable too long":        {value(most - len("A=") + 1), nil, `the variable "A" takes 131072 bytes`},
		"an argument that just fits": {nil, []string{"x", strings.Repeat("x", most)}, ""},
		"an argument too long":       {nil, []string{"x", strings.Repeat("x", most+1)}, "part 2 has 131072 bytes"},
		"a NUL in a variable":        {[]dag.EnvVar{{Name: "A", Value: "a\x00b"}}, nil, `the variable "A" holds a NUL`},
		"a NUL in an argument":       {nil, []string{"x", "a\x00"}, "part 2 holds a NUL"},
		"too much in all":            {slices.Repeat(value(most-2), 8), []string{"x"}, "in all"},
	} {
		err := dag.CheckEnvironment(tt.env, tt.command)
		if tt.want == "" && err != nil || tt.want != "" &&
			(!errors.Is(err, dag.ErrInvalid) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestCheckNote(t *testing.T) {
	t.Parallel()
	for note, want := range map[string]bool{
		"": true, strings.Repeat("ж", dag.MaxNote): true, strings.Repeat("ж", dag.MaxNote+1): false,
	} {
		if err := dag.CheckNote(note); (err == nil) != want {
			t.Errorf("%.10q: %v", note, err)
		}
	}
}
