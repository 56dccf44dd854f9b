package generator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/podspec"
	"dagwright/store"
)

// TestPolicyRefusesThePush never commits a spec that the instance would not run:
// the push shows why.
func TestPolicyRefusesThePush(t *testing.T) {
	t.Parallel()
	pods := podspec.Config{Instance: "dev", Namespace: "models", Policy: podspec.Policy{
		Registries: []string{"registry.example.com"}, MaxResources: map[string]string{"memory": "4Gi"},
	}}
	s := newSite(t, func(i *generator.Instance) { i.CheckTask = pods.Check })
	s.wantRefused(s.push("gbc/x", "main", "image: registry.evil/x"),
		`.dagwright.yml:1:8: image: image "registry.evil/x": not in the instance's registries registry.example.com`)
	s.wantRefused(s.push("gbc/x", "main", "resources: {limits: {memory: 64Gi}}"),
		"come to 64Gi of memory; the instance allows 4Gi at most")
	if refs := s.git(s.dags, "for-each-ref"); refs != "" {
		t.Errorf("the DAG repository has %q, want nothing", refs)
	}
	s.wantState(s.push("gbc/x", "main", "resources: {limits: {memory: 4Gi}}"), store.PushRendered)
}

// TestClaimsRefuseThePush never commits a DAG whose owner its project may not have,
// and leaves the name to others.
func TestClaimsRefuseThePush(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(i *generator.Instance) {
		i.CheckClaims = func(d *dag.DAG) error {
			if d.Owner == "risk-team" && d.Source.Project != "gbc/risk/x" {
				return &dag.SpecError{Path: "tasks[0].owner", Reason: "is for projects of gbc/risk alone"}
			}
			if d.Owner == "ops" {
				return &dag.SpecError{Path: "owner", Reason: "is for nobody"}
			}
			return nil
		}
	})
	s.wantRefused(s.push("gbc/sales/x", "main", "owner: risk-team"),
		".dagwright.yml:1:8: owner: is for projects of gbc/risk alone")
	s.wantRefused(s.push("ops/x", "main", ""),
		".dagwright.yml: owner: is left out, so that it is the first group of the project's path: is for nobody")
	s.wantRefused(s.push("gbc/sales/x", "retrain", "owner: risk-team"), "is for projects of gbc/risk alone")
	s.wantState(s.push("gbc/risk/x", "main", "owner: risk-team"), store.PushRendered)
	s.wantState(s.push("gbc/risk/x", "retrain", "owner: risk-team"), store.PushRendered)
	s.wantState(s.push("gbc/sales/retrain", "main", ""), store.PushRendered)
	if text := s.git(s.dags, "show", "main:dags/gbc/sales/retrain.yaml"); !strings.Contains(text, "tags: [scoring]") {
		t.Errorf("a model that is named as a kind has that tag:\n%s", text)
	}
}

// TestGoldenSpecsAreAllowed holds that what the built-in templates make of any
// model, the examples among them, runs under Pod Security "restricted", and that of one
// that takes everything on offer where the instance allows what it offers.
func TestGoldenSpecsAreAllowed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/golden/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden specs: %v", err)
	}
	for _, file := range files {
		parser := dag.Parser{CheckTask: podspec.Config{Instance: "dev", Namespace: "models"}.Check}
		if strings.Contains(file, "rich-model") || strings.Contains(file, "imported-model") {
			parser.CheckTask = pods.Check
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(file, source); err != nil {
			t.Error(err)
		}
	}
}
