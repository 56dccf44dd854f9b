package importer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"dagwright/importer"
)

// builtArchive has DAG files, what an Airflow answered of them (test/airflow records that), the
// specs and report of an import, and the lines of a comparison.
const builtArchive = "testdata/airflow/built.txtar"

// TestAirflow imports what an Airflow has built, and compares that with what is read.
func TestAirflow(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile(builtArchive)
	if err != nil {
		t.Fatal(err)
	}
	in, out := unpack(t, archive), t.TempDir()
	im := newImporter()
	im.Airflow = answering(t, archive)
	got := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "in/") || f.Name == "answers" {
			got.Files = append(got.Files, f)
		}
	}
	r, err := im.Specs(t.Context(), []string{in}, out)
	if err != nil {
		t.Fatal(err)
	}
	short := strings.NewReplacer(in+"/", "")
	got.Files = append(got.Files, collect(t, out)...)
	got.Files = append(got.Files, txtar.File{Name: "report.md", Data: []byte(short.Replace(r.Markdown()))})
	if r, err = im.Check(t.Context(), []string{in}); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, l := range r.Lines {
		if l.Left {
			lines.WriteString("differs: ")
		}
		lines.WriteString(short.Replace(l.String()) + "\n")
	}
	got.Files = append(got.Files, txtar.File{Name: "check.txt", Data: []byte(lines.String())})
	text := txtar.Format(got)
	if *update {
		writeFile(t, builtArchive, string(text))
	}
	want, err := os.ReadFile(builtArchive)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("-update rewrites %s (-want +got):\n%s", builtArchive, diff)
	}
}

// answering is an interpreter that answers as the Airflow of an archive did.
func answering(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	folder := t.TempDir()
	for _, f := range archive.Files {
		if f.Name == "answers" {
			writeFile(t, filepath.Join(folder, "answers"), string(f.Data))
		}
	}
	script := filepath.Join(folder, "python")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec cat "+filepath.Join(folder, "answers")+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

// TestAirflowThatEnds wants a file at which the interpreter ends to be reported, and those that
// follow to be loaded by another.
func TestAirflowThatEnds(t *testing.T) {
	t.Parallel()
	in, folder := t.TempDir(), t.TempDir()
	for _, name := range []string{"a.py", "b.py"} {
		writeFile(t, filepath.Join(in, name), strings.Replace(good, `"good"`, `"`+name[:1]+`"`, 1))
	}
	script := filepath.Join(folder, "python")
	if err := os.WriteFile(script, []byte(`#!/bin/sh
grep -q a.py && { echo "no room" >&2; exit 3; }
echo '{"dags": [{"args": [], "kwargs": [["dag_id", "b"]], "at": ["", 0]}], "groups": [], "edges": [], "notes": [],'\
 '"tasks": [{"args": [], "kwargs": [["task_id", "t"], ["image", "i:1"]], "at": ["", 0], "dag": 0, "group": -1,'\
 '"class": "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator"}]}'
`), 0o755); err != nil {
		t.Fatal(err)
	}
	im := newImporter()
	im.Airflow = script
	r, err := im.Specs(t.Context(), []string{in}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if lines := linesOf(r, "a.py"); !strings.Contains(lines, "python ended: exit status 3: no room") {
		t.Errorf("lines %q", lines)
	}
	if len(r.Written) != 1 || r.Written[0].Path != "b.yaml" {
		t.Errorf("written %v, want b.yaml", r.Written)
	}
}

// TestNoAirflow wants an interpreter that is not there to be told apart from a missing python3.
func TestNoAirflow(t *testing.T) {
	t.Parallel()
	im := newImporter()
	im.Airflow = "/no/such/python"
	in := t.TempDir()
	writeFile(t, filepath.Join(in, "good.py"), good)
	if _, err := im.Check(t.Context(), []string{in}); !errors.Is(err, importer.ErrAirflow) {
		t.Errorf("error %v", err)
	}
}
