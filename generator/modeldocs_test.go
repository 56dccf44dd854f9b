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
	r := &modelReader{}
	keys := []string{"models", "models[].name", "models[].path", "models[].watch"}
	for key := range r.settings(&Model{}) {
		if key != "scoring" && key != "retrain" { // their keys follow
			keys = append(keys, key)
		}
	}
	common := r.common(&Settings{})
	for section, readers := range map[string]map[string]func(*field){
		"scoring": r.scoring(&ScoringModel{}), "retrain": r.retrain(&RetrainModel{}),
		"retrain.tasks[]": r.step(&Step{}, nil),
	} {
		for key := range readers {
			if common[key] == nil && key != "pod" {
				key = section + "." + key
			}
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/model.md lacks %s", key)
		}
	}
}
