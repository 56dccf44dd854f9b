package macro_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/macro"
)

// errForeign is what an instance says of another team's variable.
var errForeign = errors.New("variable foreign is not for this DAG (variables.projects)")

// variablesOf are the variables of an instance, of which foreign is for others.
func variablesOf(values map[string]string) macro.Variables {
	return func(_ *dag.DAG, name string) (string, error) {
		if name == "foreign" {
			return "", errForeign
		}
		v, ok := values[name]
		if !ok {
			return "", macro.NoVariable(fmt.Sprintf("variable %q does not exist", name))
		}
		return v, nil
	}
}

// TestVariablesThatCannotBeRead holds what of variables is an error when a task is
// rendered: that it names the variable, and never has a value in it. Another try may find
// other variables.
func TestVariablesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	variables := variablesOf(map[string]string{
		"secret": "hush-hush", "zone": "Mars/Base", "big": strings.Repeat("1,", 200_000),
	})
	for _, tt := range []struct{ source, want string }{
		{"{{ var.value.nope }}", `variable "nope" does not exist`},
		{"{{ var.value.nope | default('x') }}", `variable "nope" does not exist`},
		{"{{ var.value.get('nope') }}", `variable "nope" does not exist`},
		{"{{ var.json.nope.key }}", `variable "nope" does not exist`},
		{"{{ var.value.get(1, 'x') }}", "var.value.get: expected a string"},
		{"{{ var.value.foreign }}", "variable foreign is not for this DAG"},
		{"{{ var.value.get('foreign', 'x') }}", "variable foreign is not for this DAG"},
		{"{{ var.json.get('foreign', 'x') }}", "variable foreign is not for this DAG"},
		{"{{ var.json.secret }}", `variable "secret": the text is not JSON`},
		{"{{ var.value[var.value.secret] }}", `variable "…" does not exist`},
		{"{{ var.value.secret }}{{ var.value.nope }}", `variable "nope" does not exist`},
		{"{{ params[var.value.secret] }}", `params["…"] is not defined`},
		{"{{ logical_date.in_timezone(var.value.zone) }}", `no time zone "…"`},
		{"{{ '{:hush}'.format(1) ~ var.value.secret }}", "format"},
		{"{{ var.json.big }}", "make more than"},
		{"{% for i in range(5000) %}{{ var.value.get('a' ~ i, 'x') }}{% endfor %}", "go over more than"},
	} {
		c := example()
		c.Task.Image, c.Variables = tt.source, variables
		_, err := patient().Render(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush-hush") ||
			strings.Contains(err.Error(), "Mars") {
			t.Errorf("%s: error %v, want %q in it, and no value", tt.source, err, tt.want)
		}
		unread := strings.Contains(tt.source, "{:hush}") || strings.Contains(tt.source, "get(1") // it fails before
		if !unread && errors.Is(err, macro.ErrEveryTry) {
			t.Errorf("%s: every try is said to end so", tt.source)
		}
	}
	c := example()
	c.Task.Image = "{% for i in range(900) %}{{ var.json.list[0] }}{% endfor %}" // read once
	c.Variables = variablesOf(map[string]string{"list": "[7" + strings.Repeat(",1", 50_000) + "]"})
	if task, err := patient().Render(t.Context(), c); err != nil || len(task.Image) != 900 {
		t.Errorf("a list that is asked for often: %d bytes, %v", len(task.Image), err)
	}
	c = example()
	c.Task.Image = "{{ var.value.get('x', 'none') }}" // without variables
	if task, err := patient().Render(t.Context(), c); err != nil || task.Image != "none" {
		t.Errorf("without variables: %q, %v", task.Image, err)
	}
}

// TestVariablesOfTemplates lists what templates name as they are written.
func TestVariablesOfTemplates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ source, want string }{
		{"{{ ds }}", ""},
		{"{{ var.value.a }}", "a"},
		{"{{ var['value']['a'] }}{{ var.json['b'].c.d }}", "b"}, // the first is made of a text
		{"{{ var.value['a'] }}", "a"},
		{"{{ var.json.a.b.c }}{{ var.json.a }}", "a"},
		{"{{ var.value.get('a') }}", "a"},
		{"{{ var.value.get('a', ds) }}", "a?"},
		{"{{ var.json.get(key='a', default={}).b }}", "a?"},
		{"{{ var.json.get('a', {}) }}{{ var.value.a }}", "a"},
		{"{{ var.value.get(ds) }}{{ var.value[ds] }}{{ var.value.get() }}", ""},
		{"{% if params.x %}{{ var.value.a }}{% else %}{{ var.value.get('b', var.value.c) }}{% endif %}", "a b? c"},
		{"{% set v = var.value %}{{ v.a }}", ""}, // what v is, is not known
		{"{{ var.value.a | upper ~ var.value.b }}", "a b"},
		{"{{ var.value.__class__ }}", ""},
		{"{% for i in var.json.a %}{{ i }}{% endfor %}", "a"},
		{"{{ var.value.a if var.value.b is defined }}", "b a"},
	} {
		var got []string
		for _, use := range macro.New().VariablesOf(dag.Task{Image: tt.source}) {
			if use.Field != "image" {
				t.Errorf("%s: field %q", tt.source, use.Field)
			}
			if use.Optional {
				use.Name += "?"
			}
			got = append(got, use.Name)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.source, diff)
		}
	}
}

// TestCheckVariables holds which faults a DAG has before a run, each at its field.
func TestCheckVariables(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Tasks: []dag.Task{
		{Image: "{{ var.value.a }}", Arguments: []string{"{{ var.value.get('nope', 1) }}", "{{ var.json.nope.x }}"}},
		{Env: []dag.EnvVar{{Name: "X", Value: "{{ var.value.get('foreign', 'x') }}"}},
			Pod: map[string]any{"labels": map[string]any{"l": "{{ var.value.get('gone') }}"}}},
	}}
	err := macro.New().CheckVariables(d, variablesOf(map[string]string{"a": "1"}))
	want := fmt.Sprintf("tasks[0].arguments[1]: %s\ntasks[1].env_vars.X: %s\ntasks[1].labels.l: %s",
		`variable "nope" does not exist`, errForeign, `variable "gone" does not exist`)
	if err == nil || !errors.Is(err, dag.ErrInvalid) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	d.Tasks = d.Tasks[:1]
	d.Tasks[0].Arguments = d.Tasks[0].Arguments[:1]
	if err := macro.New().CheckVariables(d, variablesOf(map[string]string{"a": "1"})); err != nil {
		t.Error(err)
	}
}
