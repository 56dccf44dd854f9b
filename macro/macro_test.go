package macro_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/macro"
)

// example is a manual run of a DAG with three params, of which its conf
// overrides one.
func example() macro.Context {
	logical := time.Date(2026, 1, 31, 3, 4, 5, 0, time.UTC)
	return macro.Context{
		DAG: &dag.DAG{
			ID: "churn-model", Owner: "risk-team", Timezone: "Europe/Moscow", Tags: []string{"scoring", "it's"},
			Params: []dag.Param{{Name: "SCORING_DATE", Default: ""}, {Name: "threshold", Default: 0.5},
				{Name: "limit", Default: 10}},
		},
		Run: dag.Run{
			DAG: "churn-model", ID: "manual__2026-01-31T03:04:05+00:00", Type: dag.RunManual,
			LogicalDate: logical, RunAfter: logical,
			Interval: dag.DataInterval{Start: logical.Add(-24 * time.Hour), End: logical},
			Conf: map[string]any{
				"SCORING_DATE": "2026-02-01", "name": "Zoë's <b>&", "none": nil, "yes": true, "n": float64(5), "ratio": 1.5,
				"list": []any{"b", "a", float64(3)}, "nested": map[string]any{"b": float64(1), "a": nil},
			},
		},
		Task: &dag.Task{ID: "run_model", Retries: 2, Owner: "risk-team"},
		Try:  2, MaxTries: 3,
	}
}

// patient is a renderer whose limit of time no machine is slow enough to meet: these tests
// are about the others.
func patient() *macro.Renderer {
	r := macro.New()
	r.Timeout = time.Minute
	return r
}

// render renders one template as the image of a task.
func render(source string) (string, error) {
	c := example()
	c.Task.Image = source
	task, err := patient().Render(context.Background(), c)
	return task.Image, err
}

// TestText holds what templates come to. The answers are those of Jinja 3.1.6
// with pendulum 3 for the same context, except for what a comment says.
func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ source, want string }{
		// Airflow's names.
		{"{{ ds }} {{ ds_nodash }}", "2026-01-31 20260131"},
		{"{{ ts }} {{ ts_nodash }} {{ ts_nodash_with_tz }}",
			"2026-01-31T03:04:05+00:00 20260131T030405 20260131T030405+0000"},
		{"{{ logical_date }}", "2026-01-31 03:04:05+00:00"},
		{"{{ data_interval_start }}|{{ data_interval_end | ds }}", "2026-01-30 03:04:05+00:00|2026-01-31"},
		{"{{ run_id }} {{ dag_run.run_id }} {{ dag_run.run_type }}",
			"manual__2026-01-31T03:04:05+00:00 manual__2026-01-31T03:04:05+00:00 manual"},
		{"{{ dag.dag_id }} {{ task.task_id }} {{ ti.try_number }} {{ task_instance.max_tries }}",
			"churn-model run_model 2 2"},
		{"{{ task_instance_key_str }}", "churn-model__run_model__20260131"},
		{"{{ dag_run.logical_date | ts }} {{ dag_run.start_date }}", "2026-01-31T03:04:05+00:00 None"},
		{"{{ dag.tags }} {{ dag.timezone }}", `['scoring', "it's"] Europe/Moscow`},

		// conf and params.
		{"{{ params.SCORING_DATE }} {{ params.threshold }} {{ params.limit }}", "2026-02-01 0.5 10"},
		{"{{ dag_run.conf.get('SCORING_DATE', params.SCORING_DATE) }}", "2026-02-01"},
		{"{{ dag_run.conf.get('X', 'other') }} {{ dag_run.conf.get('X') }}", "other None"},
		{"{{ dag_run.conf['n'] + 1 }} {{ dag_run.conf.n }} {{ params['name'] }}", "6 5 Zoë's <b>&"},
		{"{{ dag_run.conf.nested }} {{ dag_run.conf.list }}", "{'a': None, 'b': 1} ['b', 'a', 3]"},
		{"{{ dag_run.conf.none }} {{ dag_run.conf.yes }} {{ dag_run.conf.ratio }}", "None True 1.5"},
		{"{{ dag_run.conf.nested | tojson }}", `{"a": null, "b": 1}`},
		{"{{ dag_run.conf.name | tojson }}", `"Zo\u00eb\u0027s \u003cb\u003e\u0026"`},
		{"{{ {'b':1,'a':[1,2.0,none,true,'é<']}|tojson(2) }}",
			"{\n  \"a\": [\n    1,\n    2.0,\n    null,\n    true,\n    \"\\u00e9\\u003c\"\n  ],\n  \"b\": 1\n}"},
		{"{{ '🎉' | tojson }}", `"\ud83c\udf89"`},
		{"{{ params.nope | default('x') }} {{ nope | default(3) }} {{ '' | default('y', true) }}", "x 3 y"},
		{"{{ 'yes' if params.nope is defined else 'no' }} {{ params.limit is defined }}", "no True"},
		{"{% for k, v in dag_run.conf.nested.items() %}{{ k }}={{ v }};{% endfor %}", "a=None;b=1;"},
		{"{{ 'nested' in dag_run.conf }} {{ 'q' not in dag_run.conf }} {{ 'a' in dag_run.conf.get('list') }}",
			"True True True"},

		// Dates.
		{"{{ logical_date.strftime('%Y/%m/%d %H-%M-%S %j %a %b %p %f %z %%') }}",
			"2026/01/31 03-04-05 031 Sat Jan AM 000000 +0000 %"},
		{"{{ logical_date.strftime('%c|%U|%V|%G|%W|%u|%w|%-d|%-m') }}", "Sat Jan 31 03:04:05 2026|04|05|2026|04|6|6|31|1"},
		{"{{ logical_date.format('YYYY-MM-DD dddd Do Q DDDD E d Z ZZ X x SSS A [at] HH:mm:ss h') }}",
			"2026-01-31 Saturday 31st 1 031 6 6 +00:00 +0000 1769828645 1769828645000 000 AM at 03:04:05 3"},
		{"{{ logical_date.in_timezone('Europe/Moscow') }} {{ logical_date.in_tz('Europe/Moscow').isoformat() }}",
			"2026-01-31 06:04:05+03:00 2026-01-31T06:04:05+03:00"},
		{"{{ logical_date.add(months=1) | ds }} {{ logical_date.subtract(days=1, hours=4) }}",
			"2026-02-28 2026-01-29 23:04:05+00:00"},
		{"{{ logical_date.add(microseconds=5) }}", "2026-01-31 03:04:05.000005+00:00"},
		{"{{ logical_date.year }}-{{ logical_date.month }}-{{ logical_date.day }} {{ logical_date.day_of_week }} {{ logical_date.weekday() }} {{ logical_date.week_of_year }}",
			"2026-1-31 5 5 5"},
		{"{{ logical_date - macros.timedelta(days=1) }} {{ (logical_date + macros.timedelta(hours=22)) | ds }}",
			"2026-01-30 03:04:05+00:00 2026-02-01"},
		{"{{ (data_interval_end - data_interval_start).days }} {{ (data_interval_end - data_interval_start).total_seconds() }}",
			"1 86400.0"},
		{"{{ data_interval_start < data_interval_end }} {{ logical_date == data_interval_end }}", "True True"},
		{"{{ macros.timedelta(days=-1, seconds=5) }} {{ macros.timedelta(days=2, microseconds=5) }}",
			"-1 day, 0:00:05 2 days, 0:00:00.000005"},
		{"{{ macros.ds_add(ds, -31) }} {{ macros.ds_format(ds, '%Y-%m-%d', '%d.%m.%y') }}", "2025-12-31 31.01.26"},
		{"{{ logical_date.start_of('month') }} {{ logical_date.end_of('month') }}",
			"2026-01-01 00:00:00+00:00 2026-01-31 23:59:59.999999+00:00"},
		{"{{ logical_date.to_date_string() }} {{ logical_date.to_iso8601_string() }} {{ logical_date.timestamp() }}",
			"2026-01-31 2026-01-31T03:04:05Z 1769828645.0"},
		{"{{ logical_date.set(2026, 3, 29, 1, 0, 0).in_timezone('Europe/Berlin').add(days=-1) }}", "2026-03-28 03:00:00+01:00"},
		{"{{ logical_date.set(2026, 3, 28, 1, 30, 0).in_timezone('Europe/Berlin').add(days=1) }}", "2026-03-29 03:30:00+02:00"},
		{"{{ logical_date.set(2026, 10, 24, 0, 30, 0).in_timezone('Europe/Berlin').add(days=1) }}", "2026-10-25 02:30:00+01:00"},
		{"{{ macros.datetime.strptime('31/01/2026', '%d/%m/%Y') | ds }} {{ macros.json.loads('{\"a\": [1]}').a[0] }}",
			"2026-01-31 1"},

		// Python's values.
		{"{{ -7 // 2 }} {{ -7 % 3 }} {{ 7/2 }} {{ 2**-1 }} {{ 1e16 }} {{ 1.5e-7 }} {{ 100000.0 }}", "-4 2 3.5 0.5 1e+16 1.5e-07 100000.0"},
		{"{{ true + 1 }} {{ 'a' ~ 1 ~ none }} {{ 'x' * 3 }} {{ [1]*2 + [2] }}", "2 a1None xxx [1, 1, 2]"},
		{"{{ 1 if false }}|", "|"},
		{`{{ 'a\\b' }} {{ '\u00e9\x41\n' }} {{ "it's" }} {{ ["it's", 'q"'] }}`, "a\\b éA\n it's [\"it's\", 'q\"']"},
		{"{{ 'hello'[1:3] }} {{ 'hello'[-2:] }} {{ 'hello'[0] }} {{ [1,2,3][-1] }}", "el lo h 3"},
		{"{{ 2.5|round }} {{ 2.567|round(2) }} {{ '3.7'|int }} {{ 'x'|int }} {{ '1e3'|float }}", "2.0 2.57 3 0 1000.0"},
		{"{{ [3,1,'b','A']|length }} {{ ['b','A']|sort }} {{ [1,2]|max }} {{ [1,1,2]|unique|list }} {{ 'abc'|reverse }} {{ [1,2,3]|sum }}",
			"4 ['A', 'b'] 2 [1, 2] cba 6"},
		{"{{ 'a b&c/d'|urlencode }} {{ 'a<b'|e }} {{ '  x '|trim }}|{{ 'ab'|join('-') }}", "a%20b%26c/d a&lt;b x|a-b"},
		{"{{ \"it's fOO bar-baz\"|title }} {{ 'aBC'|capitalize }} {{ 'a,b'.split(',') }} {{ '7'.zfill(3) }}",
			"It's Foo Bar-Baz Abc ['a', 'b'] 007"},
		{"{{ 'churn-model'.replace('-', '_').upper() }} {{ ','.join(['a', 'b']) }}", "CHURN_MODEL a,b"},
		{"{{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }} {{ [1, 'a'] == [1, 'a'] }} {{ not '' }}",
			"True True False True True"},
		{"{{ none is none }} {{ 3 is odd }} {{ 4 is divisibleby 2 }} {{ 'x' is string and 1 is number }}",
			"True True True True"},
		{"{{ ('a' if params.limit > 5 else 'b') ~ ['x' if false else 'y' if false else 'z', 1] }}", "a['z', 1]"},
		{"{{ 1 if false else 2 if false else 3 }} {{ ds if params.limit is defined else 'n' }}", "3 2026-01-31"},
		{"{{ params.nope | default('p' if params.limit else 'q') }} {{ {'k': 1 if true else 2}['k' if true else 'j'] }}",
			"p 1"},
		{"{{ '' or 'fallback' }} {{ 'a' and 'b' }}", "fallback b"},

		// Blocks.
		{"{% if params.limit > 5 %}many{% elif params.limit %}few{% else %}none{% endif %}", "many"},
		{"{% for x in [] %}{{ x }}{% else %}empty{% endfor %}", "empty"},
		{"{% for x in range(5) if x is even %}{{ loop.index }}:{{ x }}{{ '' if loop.last else ', ' }}{% endfor %}",
			"1:0, 2:2, 3:4"},
		{"{% set a = 'x' %}{% for i in [1] %}{% set a = 'y' %}{% endfor %}{{ a }}", "x"},
		{"{% set a %}<{{ ds }}>{% endset %}{{ a }}", "<2026-01-31>"},
		{"{% raw %}{{ ds }}{% endraw %}", "{{ ds }}"},
		{"a  {{- ' b ' -}}  c {#- no -#} d", "a b cd"},
		{"{{\n  ds\n    if params.limit\n  and true\n  else 'no'\n}}", "2026-01-31"},
		{"no template } } {", "no template } } {"},
		{"{{ ds }}\n", "2026-01-31\n"}, // Jinja would cut the last line break; a value must not lose any.
	} {
		t.Run(tt.source, func(t *testing.T) {
			t.Parallel()
			got, err := render(tt.source)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("%s\ngot  %q\nwant %q", tt.source, got, tt.want)
			}
		})
	}
}

// TestRefused holds what is an error, and that the error says why.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ source, want string }{
		{"{{ nope }}", "image: nope is not defined"},
		{"{{ params.nope }}", "params.nope is not defined"},
		{"{{ dag_run.conf.nope }}", "dag_run.conf.nope is not defined"},
		{"{{ dag_run.conf['nope'] }}", `dag_run.conf["nope"] is not defined`},
		{"{{ dag_run.nope.deeper }}", "dag_run.nope is not defined"},
		{"{{ nope + 1 }}{{ 1 }}", "nope is not defined"},
		{"{{ nope | upper }}", "nope is not defined"},
		{"{% if nope %}{% endif %}", "nope is not defined"},
		{"a\nb\n{{ nope }}", "line 3 of the template: nope is not defined"},
		{"{{ var.value.x }}", `variable "x" does not exist`},
		{"{{ var.value }}", "var.value has no text"},
		{"{{ conn.db.host }}", "conn is not available"},
		{"{{ conf.get('core', 'fernet_key') }}", "conf is not available"},
		{"{{ prev_data_interval_end_success }}", "prev_data_interval_end_success is not available"},
		{"{{ yesterday_ds }}", "use macros.ds_add(ds, -1)"},
		{"{{ ti.xcom_pull('a') }}", "no XCom"},
		{"{{ macros.uuid.uuid4() }}", "macros.uuid is not available"},
		{`{% include "/etc/passwd" %}`, "include %} is not available"},
		{`{% import "/etc/passwd" as x %}`, "import %} is not available"},
		{`{% from "/etc/passwd" import x %}`, "from %} is not available"},
		{`{% extends "/etc/passwd" %}`, "extends %} is not available"},
		{"{% if true %}{% macro f() %}{% endmacro %}{% endif %}", "macro %} is not available"},
		{"{{ ds.__class__ }}", "ds.__class__ is not defined"},
		{"{{ dag.Tasks }}", "dag.Tasks is not defined"},
		{"{{ self }}", "self is not defined"},
		{"{{ ds | attr('x') }}", "no such attribute"},
		{"{{ ds is prime }}", `no test "prime"`},
		{"{{ dag_run }}", "dag_run has no text"},
		{"{{ ds() }}", "ds cannot be called"},
		{"{{ 1 // 0 }}", "division by zero"},
		{"{{ 1 % 0 }}", "division by zero"},
		{"{{ 'a' + 1 }}", "+ does not work between str and int"},
		{"{{ 1 < 'a' }}", "< does not work between int and str"},
		{"{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
			"deeper than 500"},
		{"{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}",
			"deeper than 500"},
		{"{% set ns = namespace(x=[], y=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}" +
			"{% endfor %}{{ ns.x == ns.y }}", "deeper than 500"},
		{"{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}", "Namespace has no text"},
		{"{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x | tojson }}", "Namespace cannot be written as JSON"},
		{"{{ macros.dateutil.parser.parse('next tuesday') }}", "for other forms use macros.datetime.strptime"},
		{"{{ macros.dateutil.parser.parse('2026-01') }}", "expected a date with year, month and day"},
		{"{{ logical_date.diff() }}", "a template reads no clock"},
		{"{{ logical_date.is_past() }}", "a template reads no clock"},
		{"{{ logical_date.format('YYYY', locale='fr') }}", "dates are written in English (en)"},
		{"{{ logical_date.astimezone() }}", "the machine's time zone is not known"},
		{"{{ prev_ds }}", "logical_date.subtract(weeks=1) | ds if weekly"},
		{"{{ (1 if false) + 1 }}", "+ does not work between undefined and int"},
		{"{{ if(1, 2, 3) }}", "if is not defined"},
		{"{{ logical_date | tojson }}", "DateTime cannot be written as JSON"},
		{"{{ ds | ds }}", "expected a datetime"},
		{"{{ logical_date.in_timezone('Mars/Base') }}", `no time zone "Mars/Base"`},
		{"{{ logical_date.add(fortnights=1) }}", "no argument fortnights"},
		{"{{ logical_date.add(years=9000) }}", "too large"},
		{"{{ macros.timedelta(days=106752) }}", "too large"},
		{"{{ macros.timedelta(days=106751, hours=24) }}", "too large"},
		{"{{ macros.timedelta(days=-106752) }}", "too large"},
		{"{% for x in [0] %}{{ 1 // x }}{% endfor %}", "division by zero"},
		{"{% for x in [0] %}{{ 1 // x }}{% endfor %}{{ ds }}", "division by zero"},
		{"{{ ds", "syntax is wrong"},
		{"{{ }}", "syntax is wrong"},
		{"{{ in }}", "expression is missing"},
		{"{# open", "syntax is wrong"},
		{"{% if x is %}{% endif %}", "syntax is wrong"},
		{"{{ ds ? 1 }}", "unexpected character '?'"},
		{"{{ $ds }}", "unexpected character '$'"},
		{"{% for %}", "syntax is wrong"},
		{"{% endif %}", "is not available"},

		// Bombs.
		{"{% for i in range(10**9) %}x{% endfor %}", "range makes 10000 numbers at most"},
		{"{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}", "steps"},
		{"{{ 'x' * 10**9 }}", "bytes of values"},
		{"{{ ('9' * 300000)|int * 2 }}", "too large"},
		{"{{ '-9223372036854775809'|int }}", "too large"},
		{"{{ 1e30|int }}", "too large"},
		{"{{ [0] * 10**12 }}", "bytes of values"},
		{"{{ 'x' * -9223372036854775807 }}{{ 9**9**9 }}", "too large"},
		{"{% set a = 'xxxxxxxx' %}" + strings.Repeat("{% set a = a ~ a %}", 40), "bytes of values"},
		{"{% set a = ['xxxxxxxx'] %}" + strings.Repeat("{% set a = [a, a] %}", 40) + "{{ a }}", "longer than"},
		{"{% set a = ['xxxxxxxx'] %}" + strings.Repeat("{% set a = [a, a] %}", 40) + "{{ a == [a] or a == a }}", "steps"},
		{"{% set a = ['xxxxxxxx'] %}" + strings.Repeat("{% set a = [a, a] %}", 40) + "{{ a | tojson }}", "longer than"},
		{"{% for i in range(9999) %}" + strings.Repeat("x", 1000) + "{% endfor %}", "longer than"},
		{"{{ 'aaaaaaaaaaaaaaaaaaaa'.replace('a', 'x' * 1000000) }}", "bytes of values"},
		{"{{ '1'.zfill(1000000000) }}", "width"},
		{"{{ " + strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000) + " }}", "nested 50 deep"},
		{strings.Repeat("{% if true %}", 2000), "500 blocks"},
		{"{{ ds }}" + strings.Repeat("x", 70000), "65536 bytes at most"},
	} {
		name := tt.source
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(tt.source)
			if err == nil {
				t.Fatalf("rendered %.200q, want an error", got)
			}
			if !errors.Is(err, dag.ErrInvalid) {
				t.Errorf("%v is not dag.ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// TestErrorsHideConf keeps values of the conf out of errors, which reach logs.
func TestErrorsHideConf(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		"{{ dag_run.conf.name + 1 }}", "{{ dag_run.conf.name.nope }}", "{{ dag_run.conf.name() }}",
		"{{ macros.ds_add(dag_run.conf.name, 1) }}", "{{ macros.ds_format(dag_run.conf.name, '%Y', '%Y') }}",
		"{{ dag_run.conf.name | ds }}", "{{ macros.json.loads(dag_run.conf.name) }}", "{{ dag_run.conf.list | sort }}",
	} {
		_, err := render(source)
		if err == nil {
			t.Errorf("%s: no error", source)
			continue
		}
		if strings.Contains(err.Error(), "Zoë") {
			t.Errorf("%s: the error shows a value of the conf: %v", source, err)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	c := example()
	c.Task = &dag.Task{
		ID: "run_model", Image: "registry.example.com/churn:{{ dag_run.conf.n }}",
		Cmds: []string{"python", "main.py"}, Arguments: []string{"--date", "{{ ds }}"},
		Env: []dag.EnvVar{{Name: "{{ 'LOGICAL' }}_DATE", Value: "{{ ds }}"}, {Name: "PLAIN", Value: "a"}},
		Pod: map[string]any{
			"labels":               map[string]any{"{{ key }}": "{{ ds_nodash }}", "n": 1},
			"container_resources":  map[string]any{"limits": map[string]any{"cpu": "{{ params.limit }}"}},
			"volumes":              []any{map[string]any{"name": "{{ task.task_id }}"}},
			"service_account_name": "{{ ds }}",
		},
	}
	before := c.Task.Pod["labels"].(map[string]any)["{{ key }}"]
	got, err := patient().Render(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := dag.Task{
		ID: "run_model", Image: "registry.example.com/churn:5",
		Cmds: []string{"python", "main.py"}, Arguments: []string{"--date", "2026-01-31"},
		Env: []dag.EnvVar{{Name: "LOGICAL_DATE", Value: "2026-01-31"}, {Name: "PLAIN", Value: "a"}},
		Pod: map[string]any{
			"labels":               map[string]any{"{{ key }}": "20260131", "n": 1},
			"container_resources":  map[string]any{"limits": map[string]any{"cpu": "10"}},
			"volumes":              []any{map[string]any{"name": "run_model"}},
			"service_account_name": "{{ ds }}", // no templated field in Airflow
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered task (-want +got):\n%s", diff)
	}
	if after := c.Task.Pod["labels"].(map[string]any)["{{ key }}"]; after != before {
		t.Error("Render changed the task that it was given")
	}
}

func TestErrorNamesField(t *testing.T) {
	t.Parallel()
	for field, task := range map[string]dag.Task{
		"env_vars.SCORING_DATE": {Env: []dag.EnvVar{{Name: "SCORING_DATE", Value: "{{ nope }}"}}},
		"arguments[1]":          {Arguments: []string{"a", "{{ nope }}"}},
		"labels.team":           {Pod: map[string]any{"labels": map[string]any{"team": "{{ nope }}"}}},
		"volumes[0].name":       {Pod: map[string]any{"volumes": []any{map[string]any{"name": "{{ nope }}"}}}},
	} {
		c := example()
		c.Task = &task
		_, err := patient().Render(context.Background(), c)
		var fault *dag.SpecError
		if !errors.As(err, &fault) || fault.Path != field {
			t.Errorf("error %v does not name the field %s", err, field)
		}
	}
}

// TestGeneratedSpecs renders every task of the specs that the generator makes.
func TestGeneratedSpecs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "golden", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d specs, %v", len(files), err)
	}
	r := macro.New()
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dags, err := dag.Parse(file, source)
		if err != nil {
			t.Fatal(err)
		}
		for i := range dags[0].Tasks {
			if err := r.Check(dags[0].Tasks[i]); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			for date, conf := range map[string]map[string]any{"": nil, "2026-02-01": {"SCORING_DATE": "2026-02-01"}} {
				c := example()
				c.DAG, c.Task, c.Run.Conf = dags[0], &dags[0].Tasks[i], conf
				task, err := r.Render(context.Background(), c)
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				for _, v := range task.Env {
					want := map[string]string{"LOGICAL_DATE": "2026-01-31", "SCORING_DATE": date, "THRESHOLD": "0.5", "LIMIT": "10"}
					if w, ok := want[v.Name]; ok && v.Value != w {
						t.Errorf("%s: %s is %q, want %q", file, v.Name, v.Value, w)
					}
					if v.Name == "DAG_RUN_CONF" && !json.Valid([]byte(v.Value)) {
						t.Errorf("%s: DAG_RUN_CONF is not JSON: %s", file, v.Value)
					}
				}
			}
		}
	}
}

// TestConcurrent renders many templates with one renderer at once, more than its
// cache holds.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	r := macro.New()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				c := example()
				c.Task.Image = "{{ ds }}" + strings.Repeat(" ", i) + "{{ params.limit }}"
				task, err := r.Render(context.Background(), c)
				if want := "2026-01-31" + strings.Repeat(" ", i) + "10"; err != nil || task.Image != want {
					t.Errorf("rendered %q, %v", task.Image, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzRender feeds a renderer with hostile templates: it must return, with a
// bounded result or with dag.ErrInvalid.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"{{ ds }}", "{% for i in range(3) %}{{ i }}{% endfor %}", "{{ dag_run.conf | tojson }}", "{% if x is %}",
		"{{ 'a\\\\' }}", "{{ [1, {'a': (1,)}][0:1] }}", "{% set a = 1 if b else 2 %}", "{%- raw -%} {% endraw %}",
		"{{ f(a=1, *b) }}", "{{ a.1.b }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := render(source)
		if err != nil && !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%v is not dag.ErrInvalid", err)
		}
		if err == nil && len(got) > 1<<20 && got != source {
			t.Errorf("the result has %d bytes", len(got))
		}
	})
}

// BenchmarkRender renders a generated scoring task: four templated variables.
func BenchmarkRender(b *testing.B) {
	c := example()
	c.Task.Image, c.Task.Cmds = "registry.example.com/gbc/risk/churn-model:3f2a9c1", []string{"python", "main.py"}
	c.Task.Env = []dag.EnvVar{
		{Name: "LOGICAL_DATE", Value: "{{ ds }}"},
		{Name: "DAG_RUN_CONF", Value: "{{ dag_run.conf | tojson }}"},
		{Name: "SCORING_DATE", Value: "{{ dag_run.conf.get('SCORING_DATE', params.SCORING_DATE) }}"},
		{Name: "THRESHOLD", Value: "{{ dag_run.conf.get('threshold', params.threshold) }}"},
	}
	for name, renderer := range map[string]func() *macro.Renderer{"cold": macro.New, "warm": sync.OnceValue(macro.New)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := renderer().Render(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestLongNumbers hands on numbers of a conf that no float holds: as they are written.
func TestLongNumbers(t *testing.T) {
	t.Parallel()
	c := example()
	c.Run.Conf = map[string]any{"ID": json.Number("12345678901234567890"), "X": json.Number("0.12345678901234567891"),
		"BIG": json.Number("1e400")}
	for source, want := range map[string]string{
		"{{ dag_run.conf | tojson }}":                      `{"BIG": 1e400, "ID": 12345678901234567890, "X": 0.12345678901234567891}`,
		"{{ dag_run.conf.ID }}":                            "12345678901234567890",
		"{{ [dag_run.conf.X] }}":                           "[0.12345678901234567891]",
		"{{ dag_run.conf.X + 1 }}":                         "1.1234567890123457",
		"{{ dag_run.conf.ID > 5 }}":                        "True",
		"{{ dag_run.conf.ID == 5 }}":                       "False",
		"{{ 'yes' if dag_run.conf.ID }}":                   "yes",
		"{{ -dag_run.conf.X }}":                            "-0.12345678901234568",
		"{{ dag_run.conf.ID is number }}":                  "True",
		"{{ dag_run.conf.ID ~ '' }}":                       "12345678901234567890",
		"{{ [dag_run.conf.ID] | unique | list | length }}": "1",
	} {
		c.Task.Image = source
		task, err := patient().Render(t.Context(), c)
		if err != nil || task.Image != want {
			t.Errorf("%s: %q, %v; want %q", source, task.Image, err, want)
		}
	}
}
