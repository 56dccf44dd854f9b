package templates_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"dagwright/templates"
)

func files(content map[string]string) fstest.MapFS {
	dir := fstest.MapFS{}
	for name, s := range content {
		dir[name] = &fstest.MapFile{Data: []byte(s)}
	}
	return dir
}

func TestFor(t *testing.T) {
	t.Parallel()
	set, err := templates.Load(files(map[string]string{
		"churn-model.yaml.tmpl":         "own",
		"default-retrain.yaml.tmpl":     "replaced",
		"fraud-model-retrain.yaml.tmpl": "own retrain",
		"README.md":                     "[[ not a template",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		project string
		retrain bool
		name    string
		source  string
	}{
		{"gbc/risk/churn-model", false, "churn-model.yaml.tmpl", "own"},
		{"gbc/risk/churn-model", true, "default-retrain.yaml.tmpl", "replaced"},
		{"gbc/risk/fraud-model", true, "fraud-model-retrain.yaml.tmpl", "own retrain"},
		{"gbc/risk/fraud-model", false, "default.yaml.tmpl", ""},
	} {
		got := set.For(tt.project, tt.retrain)
		if got.Name != tt.name || tt.source != "" && got.Source != tt.source {
			t.Errorf("For(%q, %v) is %s %q, want %s %q", tt.project, tt.retrain, got.Name, got.Source, tt.name, tt.source)
		}
	}
	// printf own | sha256sum
	if got, want := set.For("churn-model",
		false).Digest, "5b3975651c3cab92d044c096dc30a1c2d9525497457472de48c51ecb363d1f4a"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestLoadReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := templates.Load(files(map[string]string{
		"a.yaml.tmpl": "one\ntwo [[ nope . ]]",
		"b.yaml.tmpl": "one\n\n[[ if ]]",
		"c.yaml.tmpl": strings.Repeat("x", 300<<10),
	}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"a.yaml.tmpl:2: function \"nope\"", "b.yaml.tmpl:3: missing value for if",
		"c.yaml.tmpl: it has more than"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestExecuteFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source string
		data   any
		line   int
		want   string
	}{
		"missing key":   {"\n\n[[ .nope ]]", map[string]any{}, 3, "nope"},
		"missing field": {"[[ .Nope ]]", struct{ A int }{}, 1, "Nope"},
		"strange type":  {"\n[[ toYaml . ]]", struct{}{}, 2, "cannot be written as YAML"},
		"no number":     {"[[ toYaml . ]]", math.NaN(), 1, "not a number"},
		"too long": {"[[ range . ]][[ range $ ]]xxxxxxxxxx[[ end ]][[ end ]]", make([]int, 1000), 0,
			"more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := templates.Load(files(map[string]string{"x.yaml.tmpl": tt.source}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = set.For("x", false).Execute(tt.data)
			var fault *templates.Error
			if !errors.As(err, &fault) || fault.File != "x.yaml.tmpl" || fault.Line != tt.line && tt.line != 0 ||
				!strings.Contains(fault.Reason, tt.want) {
				t.Errorf("error %v, want one of x.yaml.tmpl:%d that says %q", err, tt.line, tt.want)
			}
		})
	}
}

// TestPassThrough holds that Airflow's marks pass through a template.
func TestPassThrough(t *testing.T) {
	t.Parallel()
	set, err := templates.Load(files(map[string]string{"x.yaml.tmpl": `a: "{{ ds }}" # [[ comment . ]]`}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.For("x", false).Execute("a\nb $HOME \u2028c")
	if want := `a: "{{ ds }}" # a?b ?HOME ?c`; err != nil || string(got) != want {
		t.Errorf("rendered %q, %v; want %q", got, err, want)
	}
}

// FuzzValue writes hostile strings with toYaml and quote, in every place that a
// template has, and reads them back with a YAML parser.
func FuzzValue(f *testing.F) {
	for _, s := range []string{
		"", "plain", "true", "No", "~", "null", "1", "1e3", "0x1f", "12:30", "2026-01-01", "a: b", "- a", "#c", "a #c",
		"{{ ds }}", "]]", "[[", "'", `"`, `\`,
		"a\nb", "\r", "\t", " a ", "é", "\u0085", "\u2028", "\ufeff", "🎉", "$HOME ${HOME}", "%a", "@a", "`a", "*a", "&a",
		"!a", "|", ">", "=", "<<", "---", "...", "\x00", "\x7f", "\u00a0",
	} {
		f.Add(s)
	}
	set, err := templates.Load(files(map[string]string{
		"x.yaml.tmpl": "[[ toYaml .S ]]: [[ toYaml .S ]]\nq: [[ quote .S ]]\nf: [[ toYaml .F ]]\n",
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		if len(s) > 200 || s == "q" || s == "f" {
			return // YAML takes no key longer than 1,024 as written; the others stand in the template
		}
		flow := map[string]any{"list": []any{s, s}, "map": map[string]any{s + "k": s}}
		body, err := set.For("x", false).Execute(map[string]any{"S": s, "F": flow})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "$") {
			t.Errorf("%q has a $", body)
		}
		var got map[string]any
		if err := yaml.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		want := map[string]any{s: s, "q": s, "f": flow}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", body, diff)
		}
	})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	set, err := templates.Load(files(map[string]string{"x.yaml.tmpl": "[[ toYaml . ]]"}))
	if err != nil {
		t.Fatal(err)
	}
	for want, value := range map[string]any{
		"null": nil, "true": true, "-3": -3, "0.5": 0.5, "2.0": 2.0, "1.0e+30": 1e30, "1.5e-09": 1.5e-9,
		`[1, "2", a, {b: [x]}]`:        []any{1, "2", "a", map[string]any{"b": []string{"x"}}},
		`{cpu: "500m", memory: "1Gi"}`: map[string]string{"memory": "1Gi", "cpu": "500m"},
	} {
		got, err := set.For("x", false).Execute(value)
		if err != nil || string(got) != want {
			t.Errorf("toYaml(%v) = %q, %v; want %q", value, got, err, want)
		}
	}
}
