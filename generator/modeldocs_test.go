package generator

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentedModelFile finds every key of a model's file in docs/model.md.
func TestDocumentedModelFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/model.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"models[].name", "models[].path", "models[].watch", "scoring.schedule", "scoring.command",
		"retrain.schedule", "retrain.tasks", "models"}
	for key := range (&modelReader{}).settings(&Model{}) {
		switch key {
		case "scoring", "retrain": // their keys are listed
		case "resources":
			keys = append(keys, "resources.requests", "resources.limits")
		default:
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/model.md lacks %s", key)
		}
	}
}
