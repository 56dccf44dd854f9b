package instance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/macro"
)

// variablesOf reads the section variables of a text.
func variablesOf(t *testing.T, text string) variablesConfig {
	t.Helper()
	f, err := parseConfig("dagwright.yml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Variables variablesConfig `yaml:"variables"`
	}
	f.decode(&c)
	if err := f.err(); err != nil {
		t.Fatal(err)
	}
	return c.Variables
}

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestVariablesAreRead holds what variables come to, in each way of writing them: as
// "airflow variables import" of 3.3.2 keeps them, with numbers as they are written.
func TestVariablesAreRead(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"folder/bucket": "s3://models\n", "folder/two": "a\nb\r\n", "folder/..data/x": "hidden", "folder/empty": "",
		"all.json": `{"name": "churn", "price": 1.10, "on": true, "nothing": null, "smile": "\ud83d\ude00",
			"described": {"value": "v", "description": "d"}, "deep": {"value": {"b": 1, "a": []}, "description": null},
			"map": {"z": {"y": "<&>"}, "list": [1, {}]}}`,
		"more.yml": "version: 1.10\nzip: 08540\nanswer: no\ntext: 'yes'\nnested: {b: 1e400, a: [x, 08, .5, ~, 2026-01-31]}\n" +
			"with: {value: inner, description: d}\n",
	})
	c := variablesOf(t, `variables:
  values: {plain: 0x10, day: 2026-01-31, a.b: dotted, tree: {k: [true, "t", 12345678901234567890]}, none: ""}
  files: [`+dir+`/folder, `+dir+`/all.json, `+dir+`/more.yml]
`)
	got, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"bucket": "s3://models", "two": "a\nb", "empty": "",
		"name": "churn", "price": "1.10", "on": "true", "nothing": "null", "smile": "😀", "described": "v",
		"deep":    "{\n  \"b\": 1,\n  \"a\": []\n}",
		"map":     "{\n  \"z\": {\n    \"y\": \"<&>\"\n  },\n  \"list\": [\n    1,\n    {}\n  ]\n}",
		"version": "1.10", "zip": "08540", "answer": "no", "text": "yes", "with": "inner",
		"nested": "{\n  \"b\": \"1e400\",\n  \"a\": [\n    \"x\",\n    \"08\",\n    \".5\",\n    null,\n    \"2026-01-31\"\n  ]\n}",
		"plain":  "0x10", "day": "2026-01-31", "a.b": "dotted", "none": "",
		"tree": "{\n  \"k\": [\n    true,\n    \"t\",\n    12345678901234567890\n  ]\n}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

// TestVariablesThatCannotBeRead holds the refusals: with the key and the file, and never
// with a value.
func TestVariablesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"list.json": `["hush"]`, "broken.json": `{"a": hush}`, "twice.json": `{"a": 1, "a": 2}`, "null.json": "null",
		"broken.yml": "a: *hush\n", "list.yml": "- hush\n", "empty.yml": "", "null.yml": "a: ~\n", "text.txt": "hush",
		"nul/a": "hush\x00", "latin/a": "hush\xff", "big/a": strings.Repeat("hush", 40_000),
		"deep.yml": "a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n", "merge.yml": "a: {<<: {b: hush}}\n",
		"bomb.yml": "a: &a [hush, hush]\n" + bomb("abcdefghijklmnopqrstuvwxy"), "name.json": `{"a\nb": "hush"}`,
		"one/a": "hush", "other/a": "hush", "folder/inner/a": "hush",
	})
	for files, want := range map[string]string{
		"none": "variables.files[0]: DIR/none: no such file or directory", "list.json": "is not a JSON object",
		"broken.json": "DIR/broken.json is not a JSON object", "twice.json": `key "a" stands twice`,
		"null.json": "is not a JSON object", "broken.yml": "DIR/broken.yml:1: is not YAML",
		"list.yml": "is not a mapping", "empty.yml": "is not a mapping", "null.yml": `null.yml:1: the variable "a" is empty`,
		"text.txt": "is not a folder, and its name ends in none of .json", "nul": `the variable "a" has a NUL character`,
		"latin": "is not text in UTF-8", "big": "has more than 13107", "deep.yml": "nested deeper than 32",
		"merge.yml": "has a key that is not a text", "bomb.yml": "has more than 131072 bytes",
		"name.json":      `"a\nb" is not a name`,
		"one, DIR/other": `variables.files[1]: DIR/other/a: the variable "a" is in DIR/one/a, too`,
		"folder":         "is a directory",
	} {
		files = strings.ReplaceAll("variables: {files: [DIR/"+files+"]}", "DIR", dir)
		_, err := variablesOf(t, files).read()
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), want) ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q in it, and no value", files, err, want)
		}
	}
	for text, want := range map[string]string{
		"variables: {values: {a: ~}}":                 `variables.values.a: is empty; want a value, or ""`,
		"variables: {values: [a]}":                    "variables.values: is a list; want names with values",
		"variables: {values: {a: 1, a: 2}}":           "variables.values.a: is here a second time",
		"variables: {value: {a: 1}}":                  `variables: unknown key "value"`,
		"variables: {projects: {gbc/: [a]}}":          `variables.projects: has the name "gbc/"; want names of variables by`,
		"variables: {projects: {gbc: a}}":             "variables.projects.gbc: is \"a\"; want names of variables by",
		"variables: {dags: {x: [a, \"\"]}}":           "variables.dags.x[1]: is empty",
		"variables: {values: {a: {b: {<<: {c: 1}}}}}": "variables.values.a: has a key that is not a text",
	} {
		_, fault := readConfig(t, minimalConfig+text+"\n")
		if !strings.Contains(fault, want) {
			t.Errorf("%s: %q, want %q", text, fault, want)
		}
	}
}

// bomb is YAML of which each line doubles the one before.
func bomb(names string) (text string) {
	for i := 1; i < len(names); i++ {
		text += names[i:i+1] + ": &" + names[i:i+1] + " [*" + names[i-1:i] + ", *" + names[i-1:i] + "]\n"
	}
	return text
}

// TestWhoMayReadVariables is the policy: what nobody has listed is for nobody, ids count for
// DAGs without a project, and a stranger's error names the variable and the key.
func TestWhoMayReadVariables(t *testing.T) {
	t.Parallel()
	s, err := openVariables(variablesOf(t, `variables:
  values: {bucket: hush1, risk_limit: hush2, fraud_limit: hush3, night: hush4, nobody: hush5}
  projects: {"*": [bucket], gbc/risk: ["risk_*"], GBC/fraud/x: [fraud_limit, absent]}
  dags: {"nightly-*": [night], churn: [nobody]}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ project, id, name, want string }{
		{"gbc/any/x", "x", "bucket", "hush1"},
		{"", "by-hand", "bucket", "hush1"},
		{"gbc/risk/churn", "churn", "risk_limit", "hush2"},
		{"GBC/Risk", "x", "risk_limit", "hush2"},
		{"gbc/fraud/x", "x", "fraud_limit", "hush3"},
		{"", "nightly-copy", "night", "hush4"},
		{"gbc/risk-evil/x", "x", "risk_limit",
			`variable "risk_limit" is not for DAGs of gbc/risk-evil/x (variables.projects); they may read bucket`},
		{"gbc/fraud/y", "x", "fraud_limit", "is not for DAGs of gbc/fraud/y (variables.projects)"},
		{"gbc/evil/nightly-x", "nightly-x", "night", "is not for DAGs of gbc/evil/nightly-x (variables.projects)"},
		{"gbc/evil/churn", "churn", "nobody", "is not for DAGs of gbc/evil/churn"},
		{"", "daily", "night", `variable "night" is not for the DAG daily, which has no project (variables.dags); it may read bucket`},
		{"gbc/fraud/x", "x", "absent", `variable "absent" does not exist: variables.values and variables.files have none`},
		{"gbc/fraud/x", "x", "unheard", `variable "unheard" does not exist`},
	} {
		got, err := s.Variable(&dag.DAG{ID: dag.ID(c.id), Source: dag.Source{Project: c.project}}, c.name)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err != nil && strings.Contains(got, "hush") {
			t.Errorf("%s of %s: %q, want %q", c.name, c.project+" "+c.id, got, c.want)
		}
		if missing := errors.Is(err, macro.ErrNoVariable); missing != strings.Contains(c.want, "does not exist") {
			t.Errorf("%s of %s: missing is %t", c.name, c.project, missing)
		}
	}
	if _, err := (*variableSet)(nil).Variable(&dag.DAG{}, "x"); !errors.Is(err, macro.ErrNoVariable) {
		t.Errorf("without variables: %v", err)
	}
}

// TestVariablesAreReadAgain changes a folder of variables: names that come and go change the
// version, values do not, and a broken folder changes nothing.
func TestVariablesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"a": "1"})
	s, err := openVariables(variablesOf(t, "variables: {files: ["+dir+"], projects: {'*': ['*']}}"))
	if err != nil {
		t.Fatal(err)
	}
	look := func(want string) (version string) {
		t.Helper()
		s.checked = time.Time{} // as if variablesAge had passed
		var got []string
		for _, name := range []string{"a", "b"} {
			v, err := s.Variable(&dag.DAG{}, name)
			if err == nil {
				got = append(got, name+"="+v)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("variables %q, want %q", text, want)
		}
		return s.Version()
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := look("a=1")
	write("a", "two")
	if second := look("a=two"); second != first {
		t.Error("another value is another version")
	}
	write("b", "3")
	third := look("a=two b=3")
	if third == first {
		t.Error("another name is the same version")
	}
	write("b", "x\x00")
	if look("a=two b=3") != third {
		t.Error("a broken folder changes the version")
	}
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if look("a=two") != first {
		t.Error("the earlier names have another version")
	}
}

// TestVariablesElsewhere checks DAGs on a machine without the instance's files: a name that
// the DAG may read can be in them, and another is refused unless there is a default.
func TestVariablesElsewhere(t *testing.T) {
	t.Parallel()
	s := knownVariables(variablesOf(t,
		"variables: {values: {here: x}, files: [/nonexistent/variables], projects: {gbc: [here, there]}}"))
	for template, want := range map[string]string{
		"{{ var.value.here }}{{ var.value.there }}": "", "{{ var.value.get('other', 1) }}": "",
		"{{ var.value.other }}": `tasks[0].image: variable "other" is not for DAGs of gbc/x (variables.projects)`,
	} {
		err := s.checker()(&dag.DAG{Source: dag.Source{Project: "gbc/x"}, Tasks: []dag.Task{{Image: template}}})
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", template, err, want)
		}
	}
}
