package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFreshDevIsQuiet starts "dev" in a new folder: when it says that it runs, its
// examples are there, and nothing is worth a warning.
func TestFreshDevIsQuiet(t *testing.T) {
	t.Parallel()
	d := &devProcess{dir: filepath.Join(t.TempDir(), "dev"), log: &lockedBuffer{}}
	d.start(t)
	if !d.greeted() {
		t.Fatalf("dagwright dev ended without a greeting: %s", d.log)
	}
	_, dags := d.get(t, "/api/v2/dags")
	for _, id := range []string{"churn-model", "churn-model-retrain", "fraud-model", "fraud-model-retrain"} {
		if !strings.Contains(dags, id) {
			t.Errorf("%s is not there when dev says that it runs: %s", id, dags)
		}
	}
	if _, audit := d.get(t, "/api/v2/eventLogs"); strings.Contains(audit, "import_error") {
		t.Errorf("a fresh dev has an import error in its audit log: %s", audit)
	}
	if log := d.log.String(); log != "" {
		t.Errorf("a fresh dev says %q", log)
	}
}
