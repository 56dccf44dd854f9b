package dag_test

import (
	"testing"

	"dagwright/dag"
)

func TestKindOfFile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]dag.FileKind{
		"dags/gbc/x.yaml": dag.SpecFile, "x.yml": dag.SpecFile, "README.yaml": dag.SpecFile, "dags/a.b.yaml": dag.SpecFile,
		"dags/defaults-retrain.yaml": dag.SpecFile, "dags/defaults/x.yaml": dag.SpecFile,
		"dags/my-defaults.yaml": dag.SpecFile,
		"dags/defaults.yaml":    dag.DefaultsFile, "defaults.yml": dag.DefaultsFile,
		"dags/gbc/defaults.yml": dag.DefaultsFile,
		"x.YAML":                dag.MisnamedFile, "dags/x.Yml": dag.MisnamedFile, "dags/x.yamL": dag.MisnamedFile,
		"Defaults.yaml": dag.MisnamedFile, "dags/DEFAULTS.yml": dag.MisnamedFile, "defaults.YAML": dag.MisnamedFile,
		"README.md": dag.OtherFile, "dags/x.py": dag.OtherFile, "dags/x": dag.OtherFile, "yaml": dag.OtherFile,
		"":               dag.OtherFile,
		".gitlab-ci.yml": dag.OtherFile, ".yaml": dag.OtherFile, "dags/.x.yaml": dag.OtherFile,
		".github/x.yaml": dag.OtherFile,
		"dags/.a/b.yaml": dag.OtherFile, "dags/.x.YAML": dag.OtherFile, "dags/x.yaml.bak": dag.OtherFile,
		"dags/x.yaml~": dag.OtherFile,
	} {
		kind, reason := dag.KindOfFile(path)
		if kind != want || (reason != "") != (want == dag.MisnamedFile) {
			t.Errorf("KindOfFile(%q) is %d, %q; want %d", path, kind, reason, want)
		}
	}
	for _, name := range dag.DefaultsNames() {
		if kind, _ := dag.KindOfFile("dags/" + name); kind != dag.DefaultsFile {
			t.Errorf("%s is %d, want a file of defaults", name, kind)
		}
	}
}
