package instance

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/shape"
	"dagwright/shape/shapetest"
)

// configReader is the reader of configuration files.
func configReader(t testing.TB) *shapetest.Reader {
	r := &shapetest.Reader{
		Shape: ConfigSchema(),
		Read: func(source []byte) error {
			f, err := parseConfig("f.yml", bytes.NewReader(source))
			if err != nil {
				return err
			}
			c := Config{Listen: "127.0.0.1:8080", Environment: "DEV"}
			c.Scheduler.Executor = "process"
			c.Models.Branches, c.Models.Offers = dag.DefaultBranches(), generator.DefaultInstance().Offers
			if f.decode(&c); len(f.faults) == 0 {
				c.check(f)
			}
			return f.err()
		},
		Structural: regexp.MustCompile(`unknown key|: is (a list|a section|empty); want|want (true or false|"push"|` +
			`"process"|"pipeline"|Exists|NoSchedule|restricted|"none", or|a number of (days|tasks|tries|requests|seconds))`),
	}
	r.Compile(t)
	return r
}

// TestConfigSchema compares the schema of the configuration file with its reader: on all files
// that the tests of this package hold, good and bad, on those of the documents, and on each key
// with values of every kind.
func TestConfigSchema(t *testing.T) {
	t.Parallel()
	r := configReader(t)
	all := shapetest.Literals(t, "*_test.go")
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
			all = append(all, block[1])
		}
	}
	for _, source := range all {
		if !bytes.ContainsAny(source, "\n") { // a table's line, in the place of another
			all = append(all, []byte(replaced(minimalConfig, string(source))))
		}
	}
	for _, leaf := range configLeaves(reflect.TypeFor[Config](), "") {
		for _, value := range []string{"~", `""`, "[]", "{}", "x", "[x]", "{x: y}", "5", "5m", "true", "{x: [y]}"} {
			all = append(all, []byte(withKey(t, leaf.key, value)))
		}
	}
	good := 0
	for _, source := range all {
		if r.Check(t, source) {
			good++
		}
	}
	if good < 100 {
		t.Errorf("%d good files; the test does not find them", good)
	}
}

// FuzzConfigSchema compares the schema with the reader on changed files.
func FuzzConfigSchema(f *testing.F) {
	r := configReader(f)
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(configValues)) {
		keys = append(keys, key[strings.LastIndexByte(key, '.')+1:])
	}
	good := []string{minimalConfig, besideAuth + signInFile}
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random := rand.New(rand.NewPCG(a, b))
		if source, ok := shapetest.Mutate(random, []byte(good[random.IntN(len(good))]), keys); ok {
			r.Check(t, source)
		}
	})
}

// TestConfigSchemaDescribesEveryKey wants a text beside each key that is not a section.
func TestConfigSchemaDescribesEveryKey(t *testing.T) {
	t.Parallel()
	for _, leaf := range configLeaves(reflect.TypeFor[Config](), "") {
		s := ConfigSchema()
		for key := range strings.SplitSeq(leaf.key, ".") {
			sections := []shape.Shape{s}
			if parts, ok := s["anyOf"].([]shape.Shape); ok {
				sections = parts
			}
			s = nil
			for _, section := range sections {
				if keys, ok := section["properties"].(map[string]shape.Shape); ok {
					s = keys[key]
				}
			}
		}
		if text, _ := s["description"].(string); !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %v", leaf.key, s)
		}
	}
}
