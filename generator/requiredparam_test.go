package generator_test

import (
	"strings"
	"testing"

	"dagwright/generator"
)

// TestParamsWithoutDefault wants a param without a default to be required where a person
// triggers the DAG, and to have a value where a schedule does.
func TestParamsWithoutDefault(t *testing.T) {
	t.Parallel()
	const source = `params:
  DAY: {type: string, format: date}
  COUNT: {type: integer}
  GIVEN: {type: integer, default: 3}
scoring: {schedule: none}
retrain: {schedule: "@weekly"}
`
	m, err := generator.ParseModel(".dagwright.yml", []byte(source), generator.DefaultInstance())
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[generator.Kind][]string{
		generator.Scoring: {
			"DAY: {__type__: airflow.sdk.Param, format: date, type: string}\n",
			"COUNT: {__type__: airflow.sdk.Param, type: integer}\n",
			"GIVEN: {__type__: airflow.sdk.Param, default: 3, type: integer}\n",
		},
		generator.Retrain: {
			`DAY: {__type__: airflow.sdk.Param, default: null, format: date, type: ["null", string]}` + "\n",
			"COUNT: {__type__: airflow.sdk.Param, default: 0, type: integer}\n",
		},
	} {
		spec, err := generator.Render(request("gbc/x", kind), m, loadTemplates(t), generator.DefaultInstance())
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if !strings.Contains(string(spec.Content), line) {
				t.Errorf("%s: no line %q in\n%s", kind, line, spec.Content)
			}
		}
	}
	_, err = generator.ParseModel(".dagwright.yml", []byte("params: {N: {type: integer, minimum: 1}}\n"),
		generator.DefaultInstance())
	const want = ".dagwright.yml:1:13: params.N: has no default, and what a DAG with a schedule takes then does not fit: "
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
