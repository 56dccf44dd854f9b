package generator_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dagwright/generator"
	"dagwright/shape"
	"dagwright/shape/shapetest"
)

// modelReader is the reader of models' files, of an instance that offers a little and allows
// every argument.
func modelReader(t testing.TB) *shapetest.Reader {
	inst := offering()
	inst.Offers.AllowPod = generator.OfferedArguments()
	r := &shapetest.Reader{
		Shape: generator.ModelSchema(),
		Read: func(source []byte) error {
			_, err := generator.ParseModel(".dagwright.yml", source, inst)
			return err
		},
		Structural: regexp.MustCompile(`unknown key|must be a (mapping|list|text|whole)|must be true or false|` +
			`want pipeline,|task_id is missing|name is missing|there is no (trigger rule|type)|is not an argument`),
	}
	r.Compile(t)
	return r
}

// modelFiles are the models' files of this repository's tests and documents that the reader takes.
func modelFiles(t testing.TB, r *shapetest.Reader) [][]byte {
	t.Helper()
	all := shapetest.Literals(t, "*_test.go")
	examples, err := filepath.Glob("../testdata/models/*/.dagwright.yml")
	if err != nil || len(examples) < 2 {
		t.Fatalf("%d examples: %v", len(examples), err)
	}
	for _, name := range append(examples, "../docs/model.md", "../docs/guide.md", "../README.md", "../docs/gitlab.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
		for _, block := range blocks {
			all = append(all, block[1])
		}
		if len(blocks) == 0 {
			all = append(all, text)
		}
	}
	var good [][]byte
	for _, source := range all {
		if r.Check(t, source) && !bytes.HasPrefix(source, []byte("<")) {
			good = append(good, source)
		}
	}
	return good
}

// TestModelSchema compares the schema of a model's file with its reader: on all files that the
// tests of this package hold, good and bad, and on the examples.
func TestModelSchema(t *testing.T) {
	t.Parallel()
	r := modelReader(t)
	good := modelFiles(t, r)
	if len(good) < 50 {
		t.Errorf("%d good files; the test does not find them", len(good))
	}
}

// TestModelSchemaDescribesEveryKey wants the text of docs/model.md beside each key.
func TestModelSchemaDescribesEveryKey(t *testing.T) {
	t.Parallel()
	definitions, _ := generator.ModelSchema()["definitions"].(map[string]shape.Shape)
	if len(definitions) < 35 {
		t.Fatalf("%d definitions", len(definitions))
	}
	for key, s := range definitions {
		section := strings.HasSuffix(key, "scoring") || strings.HasSuffix(key, "retrain")
		if s == nil || s["description"] == nil && !section {
			t.Errorf("%s: %v; want a shape in valueShapes and a row in docs/model.md", key, s)
		}
	}
	if got, _ := definitions["trigger_rule"]["description"].(string); got != "" {
		t.Errorf("trigger_rule stands in tasks alone: %q", got)
	}
	const want = "whole number from 0 to 100. Default: the instance's, else 1. Example: `2`"
	if got := definitions["retries"]["description"]; got != want {
		t.Errorf("retries: %q, want %q", got, want)
	}
}

// modelKeys are all keys of a model's file.
func modelKeys(s shape.Shape) []string {
	keys := []string{"models", "unknown"}
	definitions, _ := s["definitions"].(map[string]shape.Shape)
	for _, key := range slices.Sorted(maps.Keys(definitions)) {
		keys = append(keys, key[strings.LastIndexByte(key, '.')+1:])
	}
	return keys
}

// FuzzModelSchema compares the schema with the reader on changed files.
func FuzzModelSchema(f *testing.F) {
	r := modelReader(f)
	good := modelFiles(f, r)
	keys := modelKeys(r.Shape)
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random := rand.New(rand.NewPCG(a, b))
		if source, ok := shapetest.Mutate(random, good[random.IntN(len(good))], keys); ok {
			r.Check(t, source)
		}
	})
}
