package generator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/generator"
)

// TestScalarsAsWritten takes the values of a model's file to the rendered spec and back, as
// the scheduler reads it: no number passes through a float.
func TestScalarsAsWritten(t *testing.T) {
	t.Parallel()
	const number, text = `{{ dag_run.conf.get('V', params.V) | tojson }}`, `{{ dag_run.conf.get('V', params.V) }}`
	for _, c := range []struct {
		param    string
		want     any
		template string
	}{
		{"08540", "08540", text},
		{"0123", "0123", text},
		{"5", 5, number},
		{"-5", -5, number},
		{"+5", "+5", text},
		{"0x1F", "0x1F", text},
		{"0o17", "0o17", text},
		{"1_000", "1_000", text},
		{"12345678901234567890", json.Number("12345678901234567890"), number},
		{"123456789012345678901234567890", json.Number("123456789012345678901234567890"), number},
		{"1.10", "1.10", text},
		{"2.5", 2.5, number},
		{"1.0", "1.0", text},
		{".5", ".5", text},
		{"0.12345678901234567891", json.Number("0.12345678901234567891"), number},
		{"1e5", "1e5", text},
		{"1e400", "1e400", text},
		{"1e-400", "1e-400", text},
		{".nan", ".nan", text},
		{"-.inf", "-.inf", text},
		{"true", true, number},
		{"True", "True", text},
		{"no", "no", text},
		{"2026-01-31", "2026-01-31", text},
		{"2026-01-31T05:00:00Z", "2026-01-31T05:00:00Z", text},
		{"~", "", text},
		{"[08540, 12345678901234567890, 1.10, no]", []any{"08540", json.Number("12345678901234567890"), "1.10", "no"}, number},
		{"{type: string, default: 08540}", "08540", text},
		{"{type: string, default: 1.10, enum: [1.10, 5, true]}", "1.10", text},
		{"{type: string, default: true}", "true", text},
		{"{default: 1.10}", "1.10", text},
		{"{type: number, default: 1.10}", 1.1, number},
		{"{type: number, default: 0.12345678901234567891}", json.Number("0.12345678901234567891"), number},
		{"{type: integer, default: 12345678901234567890, minimum: 12345678901234567890}",
			json.Number("12345678901234567890"), number},
		{"{type: boolean, default: True}", true, number},
		{"{type: array, items: {type: string}, default: [08540, 5]}", []any{"08540", "5"}, number},
		{"{type: array, items: {type: number}, default: [1.10]}", []any{1.1}, number},
		{"{type: object, properties: {a: {type: string}}, default: {a: 5, b: 5}}", map[string]any{"a": "5", "b": 5}, number},
	} {
		t.Run(c.param, func(t *testing.T) {
			t.Parallel()
			m, err := generator.ParseModel(".dagwright.yml", []byte("params: {V: "+c.param+"}\nenv: {E: 1.10}\n"),
				generator.DefaultInstance())
			if err != nil {
				t.Fatal(err)
			}
			rendered, err := generator.Render(request("gbc/risk/churn-model", generator.Scoring), m, loadTemplates(t),
				generator.DefaultInstance())
			if err != nil {
				t.Fatal(err)
			}
			d := rendered.Defines
			if diff := cmp.Diff(c.want, d.Params[0].Default); diff != "" {
				t.Errorf("default (-want +got):\n%s\n%s", diff, rendered.Content)
			}
			env := map[string]string{}
			for _, v := range d.Tasks[0].Env {
				env[v.Name] = v.Value
			}
			if env["V"] != c.template || env["E"] != "1.10" {
				t.Errorf("environment %v, want V %s", env, c.template)
			}
		})
	}
}

// TestScalarsThatDoNotFit refuses what is not a number of the type, at its place.
func TestScalarsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ param, want string }{
		{"{type: integer, default: 08540}", "the value must be of type integer"},
		{"{type: number, default: 1e400}", "the value must be of type number"},
		{"{type: number, default: .nan}", "the value must be of type number"},
		{"{type: boolean, default: no}", "the value must be of type boolean"},
		{"{type: integer, default: 12345678901234567891, maximum: 12345678901234567890}",
			"the number must be at most 12345678901234567890"},
	} {
		_, err := generator.ParseModel(".dagwright.yml", []byte("params: {V: "+c.param+"}"), generator.DefaultInstance())
		want := "params.V.default: the default does not fit: invalid param \"V\": " + c.want
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", c.param, err, want)
		}
	}
}
