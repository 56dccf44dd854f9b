package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrowser drives Chromium over all of a real "dagwright dev". Screenshots go to
// DAGWRIGHT_SCREENSHOTS when that is set.
func TestBrowser(t *testing.T) {
	t.Parallel()
	needForBrowsers(t, "chromium")
	d := startDevProcess(t)
	// One after the other: they share the server, and a browser needs a core. The
	// guide comes first, since it begins with new DAGs.
	for _, script := range []string{"guide", "acts", "ways", "network", "live", "axe", "windows"} {
		if script == "windows" {
			d.addNeedy(t)
		}
		t.Run(script, func(sub *testing.T) {
			// The server belongs to the whole test, also when a script restarts it.
			runScript(sub, script, d, func() { d.restart(t) })
		})
	}
}

// TestBrowserFirefox drives Firefox over the main path, on a server of its own: beside
// TestBrowser, which takes longest.
func TestBrowserFirefox(t *testing.T) {
	t.Parallel()
	needForBrowsers(t, "firefox-esr")
	d := startDevProcess(t)
	runScript(t, "mainpath", d, func() { d.restart(t) }, "BROWSER=firefox")
}

// needForBrowsers fails a test at once without what its scripts need.
func needForBrowsers(t *testing.T, program string) {
	t.Helper()
	for _, need := range []string{"node", program} {
		if _, err := exec.LookPath(need); err != nil {
			t.Fatalf(`%s is missing: run "make setup", or use "make test", which does it`, need)
		}
	}
	if _, err := os.Stat(filepath.Join(browserScripts, "node_modules", "axe-core")); err != nil {
		t.Fatalf(`playwright-core and axe-core are missing: run "make setup", or use "make test", which does it: %v`, err)
	}
}

// browserScripts is the folder of the scripts, seen from this package.
const browserScripts = "../../test/browser"

// runScript runs one script to its end. A line "stop" or "start" of its output
// asks for that to be done to the server, and is answered with "ok". env is added to
// the environment of the script.
func runScript(t *testing.T, script string, d *devProcess, restart func(), env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", script+".mjs", d.url, os.Getenv("DAGWRIGHT_SCREENSHOTS"))
	cmd.Dir, cmd.Env = browserScripts, append(os.Environ(), env...)
	var faults strings.Builder
	cmd.Stderr = &faults
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch line := lines.Text(); line {
		case "stop":
			d.stop()
			_, err = io.WriteString(in, "ok\n")
		case "start":
			restart()
			_, err = io.WriteString(in, "ok\n")
		default:
			t.Log(line)
		}
		if err != nil {
			t.Errorf("answer the script: %v", err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &faults)
	}
}

// addNeedy adds the DAG "needy" by hand, of which a run needs two values. A schedule could not
// give them.
func (d *devProcess) addNeedy(t *testing.T) {
	t.Helper()
	clone := d.clone(t, "airflow-dev.git")
	spec, err := os.ReadFile(filepath.Join(clone, "dags", "gbc", "risk", "churn-model.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	needy := strings.NewReplacer(
		"\nchurn-model:", "\nneedy:", `schedule: "0 6 * * *"`, "schedule: null", `type: ["null", string]`, "type: string",
		"\n  tasks:",
		"\n    TARGET: {__type__: airflow.sdk.Param, default: null, description: Table to write to, type: string}\n  tasks:",
	).Replace(string(spec))
	write(t, filepath.Join(clone, "dags", "needy.yaml"), []byte(needy))
	d.push(t, clone, "Add a DAG by hand")
	d.await(t, `"dag_id": ?"needy"`, "/api/v2/dags")
}

// restart starts the server again at its address.
func (d *devProcess) restart(t *testing.T) {
	t.Helper()
	address := strings.TrimPrefix(d.url, "http://")
	d.start(t, "--listen", address)
	if !d.greeted() {
		t.Fatalf("dagwright dev did not come back: %s", d.log)
	}
}
