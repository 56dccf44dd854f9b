package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// airflowClient is the folder of the scripts, seen from this package.
const airflowClient = "../../test/airflowclient"

// TestAirflowClient has Airflow's own Python client walk through a real
// "dagwright dev". The same script runs against a real Airflow in "make
// airflow-compare".
func TestAirflowClient(t *testing.T) {
	t.Parallel()
	python := pythonProgram(t, "python")
	d := startDevProcess(t)
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(airflowClient, "scenario.py"), "--url",
		d.url).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestSchemathesis has generated requests search for answers that break the
// OpenAPI document: its examples at the bounds of each parameter and field.
// "make schemathesis" searches on.
func TestSchemathesis(t *testing.T) {
	t.Parallel()
	program := pythonProgram(t, "schemathesis")
	config, err := filepath.Abs(filepath.Join(airflowClient, "schemathesis.toml"))
	if err != nil {
		t.Fatal(err)
	}
	d := startDevProcess(t)
	cmd := exec.CommandContext(t.Context(), program, "--config-file", config, "run", d.url+"/openapi.json", "--url", d.url,
		"--phases", "coverage", "--no-color")
	cmd.Dir = t.TempDir() // it leaves files where it runs
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// pythonProgram is where test/airflowclient/setup has put a program.
func pythonProgram(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(airflowClient, "setup"), name).Output()
	if err != nil {
		t.Fatalf(`%s is missing: run "make setup", or use "make test", which does it: %v`, name, err)
	}
	return strings.TrimSpace(string(out))
}
