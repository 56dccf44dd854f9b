package macro_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"dagwright/macro"
)

// apart are the templates of testdata/jinja.txt of which something else comes here than
// in Jinja, with what and why.
var apart = map[string]struct{ want, why string }{
	`{{ ['\\'] }}`:                          {"an error", "the lexer takes the literal's end for escaped, and says so"},
	"{{ {'b': 1, 'a': 2} | items | list }}": {"[['b', 1], ['a', 2]]", "a tuple is a list"},
	"{{ {'a': 1}.items() | list }}":         {"[['a', 1]]", "a tuple is a list"},
	"{{ 'ß'.upper() }}":                     {"ß", "a character becomes one character"},
	"{{ 'İ'.lower() | length }}":            {"1", "a character becomes one character"},
	"{{ '²'.isdigit() }}":                   {"False", "only decimal digits count"},
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
		rendered, err := macro.New().Render(context.Background(), c)
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
