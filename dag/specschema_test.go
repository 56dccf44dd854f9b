package dag_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/shape"
	"dagwright/shape/shapetest"
)

// specReader is the reader of spec files, which looks into the tasks' pods, too.
func specReader(t testing.TB) *shapetest.Reader {
	pods := podspec.Config{Instance: "dev", Namespace: "models", Policy: podspec.Policy{PodSecurity: "privileged"}}
	r := &shapetest.Reader{
		Shape: dag.SpecSchema(podspec.Shapes()),
		Read: func(source []byte) error {
			_, err := dag.Parser{CheckTask: pods.Check}.Parse("s", source)
			if err != nil && strings.Contains(string(source), "__type__") {
				// What the Python client's objects have in them is the reader's business.
				if _, own := dag.Parse("s", source); own != nil {
					return own
				}
				return errors.New("a pod is wrong")
			}
			return err
		},
		Structural: regexp.MustCompile(`unknown (key|field)|must be a (mapping|list|number of seconds)|` +
			`must be true or false|is none of|must be a string, not (null|a boolean|a number|a list|a mapping)`),
		Hidden: regexp.MustCompile(`^/default/|/default_args/`),
	}
	r.Compile(t)
	return r
}

// specFiles are the specs of this repository's tests and documents that the reader takes.
func specFiles(t testing.TB, r *shapetest.Reader) [][]byte {
	t.Helper()
	all := shapetest.Literals(t, "*_test.go")
	all = append(all, shapetest.Literals(t, "../podspec/*_test.go")...)
	for _, pattern := range []string{"../testdata/golden/*.yaml", "../docs/*.md", "../importer/testdata/*/*.txtar",
		"../testdata/script/*.txtar", "../test/airflow/testdata/*/*.y*ml", "../test/airflow/testdata/*.y*ml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
			for part := range strings.SplitSeq(string(text), "\n-- ") {
				_, file, _ := strings.Cut(part, " --\n")
				all = append(all, []byte(file))
			}
			for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
				all = append(all, block[1])
			}
		}
	}
	var good [][]byte
	for _, source := range all {
		if r.Check(t, source) {
			good = append(good, source)
		}
	}
	return good
}

// TestSpecSchema compares the schema of a spec with its reader: on all files that the tests of
// this package hold, good and bad, on generated ones, and on changed ones.
func TestSpecSchema(t *testing.T) {
	t.Parallel()
	r := specReader(t)
	good := specFiles(t, r)
	if len(good) < 50 {
		t.Errorf("%d good files; the test does not find them", len(good))
	}
}

func specKeys(s shape.Shape) (keys []string) {
	definitions, _ := s["definitions"].(map[string]shape.Shape)
	for _, name := range []string{"dag", "task", "task_group"} {
		section, _ := definitions[name]["properties"].(map[string]shape.Shape)
		for key := range section {
			keys = append(keys, key)
		}
	}
	return append(keys, "unknown")
}

// TestDefaultsSchema compares the schema of a defaults file with its reader.
func TestDefaultsSchema(t *testing.T) {
	t.Parallel()
	r := &shapetest.Reader{
		Shape: dag.DefaultsSchema(podspec.Shapes()),
		Read: func(source []byte) error {
			_, err := dag.Parse("s", []byte("d:\n  tasks:\n"+task), dag.Defaults{File: "defaults.yml", Source: source})
			return err
		},
		Structural: regexp.MustCompile(
			`unknown key|must be a (mapping|list)|must be true or false|cannot stand in a defaults file`),
		Hidden: regexp.MustCompile(`/default_args/`),
	}
	r.Compile(t)
	for source, want := range map[string]bool{
		"{}": true, "catchup: false\ntags: [a]": true,
		"default_args: {owner: risk, retries: 2, provide_context: true}": true,
		"schedule: '@daily'\ndescription: x":                             true,
		"tasks: []":                                                      false, "catchup: x": false, "unknown: 1": false,
		"default_args: [x]": false, "tags: x": false, "task_groups: []": false, "dagrun_timeout: 60": true,
	} {
		if got := r.Check(t, []byte(source)); got != want {
			t.Errorf("%s: taken %v, want %v", source, got, want)
		}
	}
}

// FuzzSpecSchema compares the schema with the reader on changed files.
func FuzzSpecSchema(f *testing.F) {
	r := specReader(f)
	good, keys := specFiles(f, r), specKeys(r.Shape)
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random := rand.New(rand.NewPCG(a, b))
		if source, ok := shapetest.Mutate(random, good[random.IntN(len(good))], keys); ok {
			r.Check(t, source)
		}
	})
}
