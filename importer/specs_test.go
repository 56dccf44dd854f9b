package importer_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/importer"
	"dagwright/instance"
	"dagwright/scheduler"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// today is the day of import in all tests.
var today = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func newImporter() importer.Importer {
	return importer.Importer{
		Parser:    dag.Parser{CheckSchedule: scheduler.CheckSchedule},
		CheckTask: instance.CheckTask(instance.AnyInstance()),
		CheckModel: func(file string, source, offers []byte) error {
			inst := instance.DefaultInstance()
			if err := yaml.Unmarshal(offers, &inst.Offers); err != nil {
				return err
			}
			_, err := generator.ParseModel(file, source, inst)
			return err
		},
		Now: today,
	}
}

// TestModels imports the Python files of each archive of testdata/models as a model's, and
// compares its file, which must be one that the generator reads, and the report.
func TestModels(t *testing.T) {
	t.Parallel()
	for _, archive := range archives(t, "testdata/models") {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			r := checkArchive(t, archive, importer.Importer.Model)
			config := filepath.Join(t.TempDir(), "dagwright.yml")
			writeFile(t, config, r.Configuration)
			if _, err := instance.ReadRendering(config); err != nil && r.Configuration != "" {
				t.Errorf("the proposed configuration is refused: %v", err)
			}
		})
	}
}

// TestModelDocs wants the Markdown file of another to stay, and that of an import to be written
// again without a word.
func TestModelDocs(t *testing.T) {
	t.Parallel()
	const own = "# Churn\nby hand\n"
	for name, tt := range map[string]struct{ there, want, line string }{
		"none":    {"", "Doc\n", ""},
		"same":    {"Doc\n", "Doc\n", ""},
		"another": {own, own, "doc_md is not written, since the file is there already and says something else"},
	} {
		in, out := t.TempDir(), t.TempDir()
		writeFile(t, filepath.Join(in, "good.py"), strings.Replace(good, `DAG("good"`, `DAG("good", doc_md="Doc"`, 1))
		file := filepath.Join(out, "docs", "model.md")
		if tt.there != "" {
			if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			writeFile(t, file, tt.there)
		}
		r, err := newImporter().Model(t.Context(), []string{in}, out)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if lines := linesOf(r, "model.md"); err != nil || string(got) != tt.want || !strings.Contains(lines, tt.line) ||
			(lines != "") != (tt.line != "") {
			t.Errorf("%s: file %q, %v, lines %q", name, got, err, lines)
		}
	}
}

// TestSpecs imports the Python files of each archive of testdata/specs and compares the
// specs, all of which must be valid, and the report.
func TestSpecs(t *testing.T) {
	t.Parallel()
	for _, archive := range archives(t, "testdata/specs") {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			checkArchive(t, archive, importer.Importer.Specs)
		})
	}
}

func archives(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(folder + "/*.txtar")
	if err != nil || len(found) == 0 {
		t.Fatalf("no archives in %s: %v", folder, err)
	}
	return found
}

type importing func(importer.Importer, context.Context, []string, string) (importer.Report, error)

// checkArchive imports what an archive has under in/, and compares what is written with what
// it has under out/, and the report with its file "report".
func checkArchive(t *testing.T, file string, run importing) importer.Report {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in, out := unpack(t, archive), t.TempDir()
	r, err := run(newImporter(), t.Context(), []string{in}, out)
	if err != nil {
		t.Fatal(err)
	}
	got := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "in/") {
			got.Files = append(got.Files, f)
		}
	}
	got.Files = append(got.Files, collect(t, out)...)
	for i := range r.Lines {
		if r.Lines[i].Reason != "" {
			r.Lines[i].Reason = "…" // the words of other packages
		}
	}
	report := strings.NewReplacer(in+"/", "", in, "in").Replace(r.Markdown())
	got.Files = append(got.Files, txtar.File{Name: "report.md", Data: []byte(report)})
	text := txtar.Format(got)
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("import differs from %s; -update rewrites it (-want +got):\n%s", file, diff)
	}
	return r
}

// unpack writes the files under in/ into a folder, which it returns.
func unpack(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range archive.Files {
		name, ok := strings.CutPrefix(f.Name, "in/")
		if !ok {
			continue
		}
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// collect reads the files of a folder as those of an archive under out/, and wants every
// spec to be valid.
func collect(t *testing.T, root string) []txtar.File {
	t.Helper()
	var files []txtar.File
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if filepath.Ext(file) == ".yaml" {
			if _, err := newImporter().Parser.Parse(rel, text); err != nil {
				t.Errorf("a spec was written that is not valid: %v", err)
			}
		}
		files = append(files, txtar.File{Name: "out/" + filepath.ToSlash(rel), Data: text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// TestCorpus counts how many files of the archives are carried over whole, with something
// left, and not at all, and compares with testdata/corpus.txt.
func TestCorpus(t *testing.T) {
	t.Parallel()
	total, whole, part, not := 0, 0, 0, 0
	var names strings.Builder
	for _, archive := range archives(t, "testdata/specs") {
		parsed, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		in := unpack(t, parsed)
		r := importSpecs(t, in)
		for _, file := range r.Files {
			switch name, left := filepath.Base(archive)+"/"+strings.TrimPrefix(file, in+"/"), leftIn(r, file); {
			case !isWritten(r, in, file) && !left: // a module of others
				continue
			case !left:
				whole++
			case isWritten(r, in, file):
				part++
				fmt.Fprintf(&names, "with a report: %s\n", name)
			default:
				not++
				fmt.Fprintf(&names, "not: %s\n", name)
			}
			total++
		}
	}
	got := fmt.Sprintf("DAG files: %d\nwhole: %d\nwith a report: %d\nnot: %d\n\n%s", total, whole, part, not, names.String())
	const file = "testdata/corpus.txt"
	if *update {
		writeFile(t, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the corpus is carried over otherwise (-want +got):\n%s", diff)
	}
}

func leftIn(r importer.Report, file string) bool {
	return slices.ContainsFunc(r.Lines, func(l importer.Line) bool { return l.Left && l.File == file })
}

// isWritten reports whether a file of specs was made from a file below in.
func isWritten(r importer.Report, in, file string) bool {
	stem := strings.TrimSuffix(strings.TrimPrefix(file, in+"/"), ".py")
	return slices.ContainsFunc(r.Written, func(w importer.Written) bool {
		return w.Path == stem+".yaml" || w.Path == stem+"_dag.yaml"
	})
}
