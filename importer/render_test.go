package importer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/generator"
	"dagwright/importer"
	"dagwright/instance"
	"dagwright/templates"
)

// importedFolder has the DAG files of a whole model.
const importedFolder = "../testdata/imported"

// TestImportedModel holds the bytes of the specs that an instance makes of an imported model.
// A real Airflow loads the same specs in test/airflow, and a cluster runs them in cmd/dagwright.
func TestImportedModel(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	im := newImporter()
	im.Project = "gbc/imported-model"
	r, err := im.Model(t.Context(), []string{importedFolder}, out)
	if err != nil || r.Left() > 0 {
		t.Fatalf("left: %v, %v", r.Lines, err)
	}
	model, rendering := readImported(t, out, r)
	set, err := templates.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for kind, branch := range map[generator.Kind]string{generator.Scoring: "main", generator.Retrain: "retrain"} {
		request := generator.Request{Project: im.Project, ProjectID: 7, Branch: branch, Kind: kind,
			Commit: "3f2a9c1d5e6b7a8091a2b3c4d5e6f7a8b9c0d1e2"}
		request.Docs, err = model.ReadDocs(kind, func(path string) ([]byte, error) {
			return os.ReadFile(filepath.Join(out, path))
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := generator.Render(request, model, set, rendering)
		if err != nil {
			t.Fatal(err)
		}
		wantGolden(t, filepath.Join("..", "testdata", "golden", string(got.DAG)+".yaml"), got.Content)
	}
}

// readImported reads a model file as an instance does whose configuration is what the report
// proposes.
func readImported(t *testing.T, folder string, r importer.Report) (generator.Model, generator.Instance) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "dagwright.yml")
	writeFile(t, config, r.Configuration)
	rendering, err := instance.ReadRendering(config)
	if err != nil {
		t.Fatalf("the proposed configuration is refused: %v\n%s", err, r.Configuration)
	}
	source, err := os.ReadFile(filepath.Join(folder, ".dagwright.yml"))
	if err != nil {
		t.Fatal(err)
	}
	model, err := generator.ParseModel(".dagwright.yml", source, rendering.Instance)
	if err != nil {
		t.Fatal(err)
	}
	return model, rendering.Instance
}

func wantGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		writeFile(t, file, string(got))
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); -update writes it again:\n%s", file, diff)
	}
}
