package macro_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// apart are the templates of testdata/jinja.txt of which something else comes here than
// in Jinja, with what and why.
var apart = map[string]struct{ want, why string }{
	`{{ ['\\'] }}`: {"an error",
		"the lexer takes the literal's end for escaped, and says so"},
	"{{ {'b': 1, 'a': 2} | items | list }}":                          {"[['b', 1], ['a', 2]]", "a tuple is a list"},
	"{{ {'a': 1}.items() | list }}":                                  {"[['a', 1]]", "a tuple is a list"},
	"{{ 1 < 2 < 3 }}{{ 3 > 2 > 2 }}{{ 1 < 3 > 2 }}{{ 1 == 1 == 1 }}": {"an error", "comparisons are not chained"},
	"{{ not 1 == 2 }}{{ not (1 and 0) }}{{ not not 0 }}":             {"an error", "not stands before no other not"},
	"{{ [1] < [2] }}{{ [1, 2] < [1] }}{{ [1] <= [1] }}":              {"an error", "lists have no order"},
	"{{ [1, 2, 3][0:2] }}{{ [1, 2, 3][::2] }}{{ 'abc'[::-1] }}":      {"an error", "a slice has no step"},
	"{{ 'a' 'b' }}": {"an error", "texts side by side are not put together"},
	"{{ () }}{{ (1,) }}{{ (1, 2) }}{{ (1) }}": {"[][1][1, 2]1", "a tuple is a list"},
	"{{ [1, 2,] }}{{ {'a': 1,} }}":            {"an error", "the parser wants an item after a comma"},
	"{{ {1: 2}[1] }}{{ {'a': 1, 'a': 2} }}":   {"an error", "a key is a text"},
	"{{ none | int }}{{ [] | int }}{{ 'ff' | int(0, 16) }}{{ '0b11' | int(0, 2) }}{{ '11' | int(base=2) }}": {"an error",
		"int has no base"},
	"{{ 'a b' | urlencode }}{{ {'a': 'b c', 'd': 1} | urlencode }}{{ [['a', 1]] | urlencode }}{{ 1 | urlencode }}": {"an error",
		"a dict makes no query"},
	"{{ 'a'.upper }}": {"an error", "a function has no text"},
	"{{ 2 is even and 3 is odd }}{{ 2.0 is even }}{{ 'x' is defined }}": {"an error", "a float is neither even nor odd"},
	"{{ 1 is sameas 1 }}":        {"an error", "values have no identity"},
	"{{ 'ß'.upper() }}":          {"ß", "a character becomes one character"},
	"{{ 'İ'.lower() | length }}": {"1", "a character becomes one character"},
	"{{ '²'.isdigit() }}":        {"False", "only decimal digits count"},
}

// TestJinja renders what Jinja 3.1.6 has rendered (testdata/jinja.py): a row for each
// operator, escape, filter, test and method, at its edges. Where Jinja fails, so do we.
func TestJinja(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/jinja.json")
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Conf map[string]any
		Rows []struct {
			Template string
			Want     *string
		}
	}
	if err := json.Unmarshal(source, &oracle); err != nil || len(oracle.Rows) < 300 {
		t.Fatalf("%d rows, %v", len(oracle.Rows), err)
	}
	c := example()
	c.Run.Conf = oracle.Conf
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
				t.Errorf("%s is as in Jinja now", row.Template)
			}
			want = other.want
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s\ngot  %q\nwant %q (%v)", row.Template, got, want, err)
		}
	}
}
