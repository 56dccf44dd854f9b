package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestBrowser drives a real browser over a real "dagwright dev". Screenshots
// go to DAGWRIGHT_SCREENSHOTS when that is set.
func TestBrowser(t *testing.T) {
	t.Parallel()
	for _, need := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Fatalf(`%s is missing: run "make setup", or use "make test", which does it`, need)
		}
	}
	scripts, err := filepath.Abs("../../test/browser")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(scripts, "node_modules")); err != nil {
		t.Fatalf(`playwright-core is missing: run "make setup", or use "make test", which does it: %v`, err)
	}
	url := startDev(t)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(scripts, "main_job.mjs"), url, os.Getenv("DAGWRIGHT_SCREENSHOTS"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// startDev starts "dagwright dev" and returns its address.
func startDev(t *testing.T) string {
	t.Helper()
	return startDevProcess(t).url
}
