//go:build airflow

package airflow_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestImportAnswers has the real Airflow load the DAG files of the importer's archive, as
// "dagwright import --airflow" does, and compares with the answers that the importer's tests
// take from there. -update records them.
func TestImportAnswers(t *testing.T) {
	const file = "../../importer/testdata/airflow/built.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var files []string
	answers := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "answers" })
	for _, f := range archive.Files {
		name, ok := strings.CutPrefix(f.Name, "in/")
		if !ok {
			continue
		}
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) == ".py" {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	wanted, err := json.Marshal(map[string][]string{"files": files, "roots": {root}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python(t), "-B", "../../importer/airflow/load.py")
	cmd.Env = append(os.Environ(), "AIRFLOW_HOME="+t.TempDir(), "AIRFLOW__CORE__LOAD_EXAMPLES=False", "STAGE=prod",
		"EVERY=@weekly")
	var faults strings.Builder
	cmd.Stdin, cmd.Stderr = bytes.NewReader(wanted), &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &faults)
	}
	got := strings.ReplaceAll(string(out), root+"/", "")
	if *update {
		if answers < 0 {
			answers = len(archive.Files)
			archive.Files = append(archive.Files, txtar.File{Name: "answers"})
		}
		archive.Files[answers].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if answers < 0 {
		t.Fatalf("%s has no answers; -update records them", file)
	}
	if diff := cmp.Diff(string(archive.Files[answers].Data), got); diff != "" {
		t.Errorf("the answers of Airflow are others (-want +got):\n%s", diff)
	}
}
