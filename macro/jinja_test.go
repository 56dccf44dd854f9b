package macro_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/macro"
)

// differences are templates of which something else comes here, with what and why.
type differences map[string]struct{ want, why string }

// apartFromAirflow are those of testdata/airflow.txt. docs/airflow.md lists the kinds.
var apartFromAirflow = differences{
	"{{ macros.ds_format_locale(ds, '%Y-%m-%d', 'EEEE', 'fr') }}": {"an error", "English is the only locale"},
	"{{ params.users | map(attribute='nope') | list }}":           {"an error", "what is not defined is in no list"},
	"{{ 3 is sameas 3 }}":                             {"an error", "numbers have no identity"},
	"{% with a = 1 %}{{ a }}{% endwith %}":            {"an error", "the blocks are if, for, set and raw"},
	"{% filter upper %}a{% endfilter %}":              {"an error", "the blocks are if, for, set and raw"},
	"{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1) }}": {"an error", "the blocks are if, for, set and raw"},
	"{{ logical_date.timetuple()[0] }}":               {"an error", "it has no struct_time"},
	"{% do 1 %}":                                      {"an error", "the blocks are if, for, set and raw"},
	"{{ macros.json.dumps(params.users[0]) }}": {`{"age": 30, "city": "Riga", "name": "ann"}`,
		"the keys of a conf are sorted"},
	"{{ var.value.get('nope') }}":           {"an error", "nobody wants the text NOTSET"},
	"{{ var.json.get('broken', 'other') }}": {"an error", "a default stands for what is not there, not for a mistake"},
	"{{ var.json.get('empty', 1) }}":        {"an error", "a default stands for what is not there, not for a mistake"},
}

// apart are the templates of testdata/jinja.txt of which something else comes here than
// in Jinja, with what and why.
var apart = differences{
	`{{ ['\\'] }}`: {"an error",
		"the lexer takes the literal's end for escaped, and says so"},
	"{{ {1: 2}[1] }}{{ {'a': 1, 'a': 2} }}": {"an error", "a key is a text"},
	"{{ 'a'.upper }}":                       {"an error", "a function has no text"},
	"{{ 1 is sameas 1 }}":                   {"an error", "numbers have no identity"},
	"{{ 'ß'.upper() }}":                     {"ß", "a character becomes one character"},
	"{{ 'İ'.lower() | length }}":            {"1", "a character becomes one character"},
	"{{ '²'.isdigit() }}":                   {"False", "only decimal digits count"},
}

// TestJinja renders what Jinja 3.1.6 has rendered (testdata/jinja.py): a row for each
// operator, escape, filter, test and method, at its edges. Where Jinja fails, so do we.
func TestJinja(t *testing.T) {
	t.Parallel()
	compareTable(t, "testdata/jinja.json", 300, func(conf map[string]any) macro.Context {
		c := example()
		c.Run.Conf = conf
		return c
	}, apart)
}

// compareTable renders the templates of a table, of which there must be so many. Where the
// other side fails, so do we; where we differ on purpose, apart says so.
func compareTable(t *testing.T, path string, least int, run func(conf map[string]any) macro.Context, apart differences) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Conf      map[string]any
		Variables map[string]string
		Rows      []struct {
			Template string
			Want     *string
		}
	}
	if err := json.Unmarshal(source, &oracle); err != nil || len(oracle.Rows) < least {
		t.Fatalf("%d rows, %v", len(oracle.Rows), err)
	}
	c := run(oracle.Conf)
	c.Variables = variablesOf(oracle.Variables)
	for _, row := range oracle.Rows {
		task := *c.Task
		task.Image = row.Template
		c.Task = &task
		rendered, err := patient().Render(context.Background(), c)
		got, want := rendered.Image, "an error"
		if err != nil {
			got = "an error"
		}
		if row.Want != nil {
			want = *row.Want
		}
		if other, ok := apart[row.Template]; ok {
			if got == want {
				t.Errorf("%s is as there now", row.Template)
			}
			want = other.want
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s\ngot  %q\nwant %q (%v)", row.Template, got, want, err)
		}
	}
}

// airflowContext is the run of testdata/airflow_table.py.
func airflowContext(conf map[string]any) macro.Context {
	logical := time.Date(2026, 1, 31, 3, 4, 5, 678901000, time.UTC)
	c := example()
	c.Run = dag.Run{
		ID: "manual__1", LogicalDate: logical, StartedAt: logical.Add(time.Minute), Conf: conf,
		Interval: dag.DataInterval{Start: time.Date(2026, 1, 24, 3, 4, 5, 0, time.UTC), End: logical},
	}
	c.Started = logical.Add(2 * time.Minute)
	return c
}

// TestAirflow renders what Airflow 3.3.2 has rendered with its own sandbox, macros and
// dates (testdata/airflow_table.py).
func TestAirflow(t *testing.T) {
	t.Parallel()
	compareTable(t, "testdata/airflow.json", 500, airflowContext, apartFromAirflow)
}
