package macro_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/macro"
)

// TestCheck tells what is known to be wrong with a template before any run, and what
// is left to the run.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ source, want string }{
		// right, or right in some run
		{"plain { text }", ""},
		{"{{ ds }} {{ macros.ds_add(ds, -1) }} {{ logical_date.strftime('%Y') }}", ""},
		{"{{ params.nope }} {{ dag_run.conf.nope }} {{ dag_run.conf['nope'].deeper }} {{ params.get('x').y }}", ""},
		{"{{ nope | default('x') }} {{ dag_run.nope | d(1) }}", ""},
		{"{{ nope if nope is defined else 'x' }}", ""},
		{"{% if nope is not defined %}a{% else %}{{ nope.deeper }}{% endif %}", ""},
		{"{% set a = 1 %}{{ a.b }}{% for x, y in params.items() if y %}{{ x }}{{ y }}{{ loop.index }}{{ a }}{% else %}{{ a }}{% endfor %}",
			""},
		{"{% if true %}{% set a = 1 %}{% endif %}{{ a }}", ""},
		{"{{ range(3) | join(',') }} {{ macros.datetime(2026, 1, 1) }} {{ (1 if ds else 2) }} {{ ds[1:] }} {{ -1 }} {{ not ds }}",
			""},
		{"{{ ti.task.task_id }} {{ ti.dag_run.conf.x }} {{ data_interval_end.year }} {{ dag.tags[0] }}", ""},
		{"{% raw %}{{ nope }}{% endraw %} {{ '{{' }} nope {{ '}}' }}", ""},
		{"{% set a %}{{ ds }}{% endset %}{{ a.upper() }} {{ none }} {{ {'a': ds}.a }} {{ 'x' in [ds, (1,)] }}", ""},
		{"{{ 1 // 0 }}", ""},

		{"{% for i in range(10000) %}{{ i }}{% endfor %}", ""},
		{"{% for i in range(9000) %}{% for j in params.x %}{% for k in range(9000) %}x{% endfor %}{% endfor %}{% endfor %}",
			""},
		{"{% for i in range(9000) %}{% if params.x %}{% for k in range(9000) %}x{% endfor %}{% endif %}{% endfor %}", ""},
		{"{% for i in range(9000) if i == 3 %}{% for k in range(9000) %}x{% endfor %}{% endfor %}", ""},
		{"{% for i in params.x %}x{% else %}{% for i in range(9000) %}{% for k in range(params.n) %}x{% endfor %}{% endfor %}{% endfor %}",
			""},
		{"{% set range = params.x %}{% for i in range %}{{ i }}{% endfor %}", ""},

		// wrong in every run
		{"{% for i in range(100000) %}{{ ds }}{% endfor %}", "range makes 10000 numbers at most"},
		{"{% for i in range(-5, 100000, 2) %}x{% endfor %}", "range makes 10000 numbers at most"},
		{"{{ range(1000000) | length }}", "range makes 10000 numbers at most"},
		{"{% for i in range(9000) %}{% for j in range(9000) %}{{ ds }}{% endfor %}{% endfor %}",
			"the task's templates take more than 200000 steps"},
		{"a\n{% for i in range(0, 9000) %}{% for j in [1, 2, 3, 4, 5] %}\n{{ i }}{{ j }}{{ ds }}{% endfor %}{% endfor %}",
			"more than 200000 steps"},
		{strings.Repeat("{% for i in range(9999) %}", 20) + "x" + strings.Repeat("{% endfor %}", 20),
			"more than 200000 steps"},
		{"{{ ds", "syntax is wrong"},
		{"{{ }}", "syntax is wrong"},
		{"{{ in }}", "expression is missing"},
		{`{% include "x" %}`, "include %} is not available"},
		{"a\nb {{ dss }}", "line 2 of the template: dss is not defined"},
		{"{% if params.x %}{{ dss }}{% endif %}", "dss is not defined"},
		{"{{ params.x + dss }}", "dss is not defined"},
		{"{{ [1, dss] }}", "dss is not defined"},
		{"{{ {'a': dss} }}", "dss is not defined"},
		{"{{ params[dss] }}", "dss is not defined"},
		{"{{ ds[dss:] }}", "dss is not defined"},
		{"{{ params.get('x', dss) }}", "dss is not defined"},
		{"{{ logical_date.add(days=dss) }}", "dss is not defined"},
		{"{{ -dss }}", "dss is not defined"},
		{"{{ not dss }}", "dss is not defined"},
		{"{{ (1 if dss else 2) }}", "dss is not defined"},
		{"{{ 1 if dss }}", "dss is not defined"},
		{"{{ 1 if ds else dss }}", "dss is not defined"},
		{"{{ ds | replace(dss, '') }}", "dss is not defined"},
		{"{{ ds | default(dss) }}", "dss is not defined"},
		{"{{ dss | upper | default('x') }}", "dss is not defined"},
		{"{{ 4 is divisibleby(dss) }}", "dss is not defined"},
		{"{% for x in dss %}{% endfor %}", "dss is not defined"},
		{"{% for x in [1] %}{{ y }}{% endfor %}", "y is not defined"},
		{"{% for x in [1] %}{% set y = 1 %}{% endfor %}{{ y }}", "y is not defined"},
		{"{{ a }}{% set a = 1 %}", "a is not defined"},
		{"{% set a = dss %}", "dss is not defined"},
		{"{% set a %}{{ dss }}{% endset %}", "dss is not defined"},
		{"{% for x in [1] %}{{ loop.cyclic }}{% endfor %}", "loop.cyclic is not defined"},
		{"{{ dag_run.nope }}", "dag_run.nope is not defined"},
		{"{{ dag_run.nope.deeper | default(1) }}", "dag_run.nope is not defined"},
		{"{{ ds.strftime('%Y') }}", "ds.strftime is not defined"},
		{"{% set a, b = 1, dss %}", "dss is not defined"},
		{"{% set a.b = 1 %}", "a is not defined"},
		{"{% for a, (b, c) in params.x %}{{ a }}{{ b }}{{ d }}{% endfor %}", "d is not defined"},
		{"{{ 'a' in dss | upper }}", "dss is not defined"},
		{"{{ logical_date.tz.nope }}", "logical_date.tz.nope is not defined"},
		{"{{ macros.dateutil.relativedelta.nope }}", "macros.dateutil.relativedelta.nope is not defined"},
		{"{{ macros.dateutil.tz.gettz('x') }}", "macros.dateutil.tz is not available"},
		{"{{ ds | map('nope') | list }}", `no filter "nope"`},
		{"{{ ds | selectattr('a', 'nope') | list }}", `no test "nope"`},
		{"{{ logical_date.is_past() }}", "is_past is not available: a template reads no clock"},
		{"{{ logical_date.date().age }}", ""},
		{"{{ 1 +* 2 }}", "an expression is missing"},
		{"{{ range(**ds) }}", "arguments by ** are not supported"},
		{"{{ range(*dss) }}", "dss is not defined"},
		{"{{ range(*ds, 1) }}", "an argument follows one that must be the last"},
		{"{{ " + strings.Repeat("not ", 300) + "1 }}", "nested 200 deep"},
		{"{{ logical_date.replaced(day=1) }}", "logical_date.replaced is not defined"},
		{"{{ 'a'.nope() }}", "is not defined"},
		{"{{ ds() }}", "ds cannot be called: it is str"},
		{"{{ dag_run() }}", "dag_run cannot be called"},
		{"{{ var.value.x }}{{ var.json.x.y }}{{ var.value.get('x') }}", ""},
		{"{{ var.nope }}", "var.nope is not defined"},
		{"{{ var.value.get('x').nope }}", ""},
		{"{{ var.value.__class__ }}", "var.value.__class__ is not defined"},
		{"{{ var.value('x') }}", "var.value cannot be called"},
		{"{% if params.x %}{{ yesterday_ds }}{% endif %}", "yesterday_ds is not available"},
		{"{{ ti.xcom_pull('a') }}", "no XCom"},
		{"{{ macros.uuid.uuid4() }}", "macros.uuid is not available"},
		{"{{ ds | nope }}", `no filter "nope"`},
		{"{{ params.x is nope }}", `no test "nope"`},
		{"{{ 1 < 2 < dss }}", "dss is not defined"},
		{"{{ ds[::dss] }}", "dss is not defined"},
		{"{{ " + strings.Repeat("1,", 20_000) + " }}", "10000 words and signs"},
	} {
		name := tt.source[:min(len(tt.source), 70)]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := macro.New().Check(dag.Task{Image: tt.source})
			if tt.want == "" && err != nil {
				t.Fatalf("error %v, want none", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, dag.ErrInvalid)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if text := macro.New().CheckText(tt.source); (text == nil) != (err == nil) {
				t.Errorf("CheckText: %v, Check: %v", text, err)
			}
		})
	}
}

// TestCheckFindsEachField gives the fault of each field, by its path.
func TestCheckFindsEachField(t *testing.T) {
	t.Parallel()
	err := macro.New().Check(dag.Task{
		Image: "{{ a }}", Cmds: []string{"ok", "{{ b }}"}, Arguments: []string{"{{ c }}"},
		Env: []dag.EnvVar{{Name: "D", Value: "{{ d1 }}"}, {Name: "{{ e1 }}", Value: "x"}, {Name: "F", Value: "{{ ds }}"}},
		Pod: map[string]any{"labels": map[string]any{"g": "{{ g }}"}, "service_account_name": "{{ no_template }}"},
	})
	want := "image: a is not defined\ncmds[1]: b is not defined\narguments[0]: c is not defined\n" +
		"env_vars.D: d1 is not defined\nenv_vars: e1 is not defined\nlabels.g: g is not defined"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// TestCheckIgnoresTheTextBefore gives a template the same fault whatever text stands before
// its first mark, at the line where it is.
func TestCheckIgnoresTheTextBefore(t *testing.T) {
	t.Parallel()
	for _, template := range []string{
		"{{ dss }}", "{{ ds }}{{ dss }}", "{% if dss %}{% endif %}", "{# {{ dss }} #}", "{{- dss -}}", "{{{ dss }}}", "{{ 'a",
		"{{ ds }}\n{{ dss }}", "{% raw %}{{ dss }}{% endraw %}", "}}{{ ds", "{{ ds }}",
	} {
		for _, text := range []string{"", "a", "{", "{ }", "a\nb\n", "a\r\nb\rc", "é}} %} ", "'\"\\"} {
			want, got := macro.New().CheckText(text+template), macro.New().Check(dag.Task{Image: text + template})
			if (want == nil) != (got == nil) || want != nil && got.Error() != "image: "+want.Error() {
				t.Errorf("%q before %q: %v, want %v", text, template, got, want)
			}
		}
	}
}

// FuzzCheck holds that a template without a fault never fails for what Check knows of,
// and that checking ends.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"{{ ds }}", "{{ dss }}", "{% for i in range(3) %}{{ i }}{{ loop.x }}{% endfor %}", "{{ dag_run.conf | tojson }}",
		"{% set a = 1 if b else 2 %}{{ a }}", "{{ x if x is defined }}", "{{ macros.datetime.strptime('a', 'b') }}",
		"{{ [1] | map(ds) | list }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		checked := macro.New().CheckText(source)
		_, err := render(source)
		if checked == nil && err != nil &&
			(strings.Contains(err.Error(), "syntax is wrong") || strings.Contains(err.Error(), "there is no filter")) {
			t.Errorf("CheckText finds nothing, and rendering %q fails: %v", source, err)
		}
	})
}
