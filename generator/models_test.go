package generator_test

import (
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/testdata"
)

// checkout writes one of the example models into a folder of its own.
func checkout(t *testing.T, name string) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is missing: run \"make setup\", or use \"make test\", which does it")
	}
	files, err := fs.Sub(testdata.Models(), name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run executes the model's Python and returns what it says and its exit code.
func run(t *testing.T, dir string, env []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"AIRFLOW_CTX_DAG_RUN_ID=manual__2026-01-31T00:00:00+00:00"}, env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func wantSays(t *testing.T, out string, code int, words ...string) {
	t.Helper()
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("it does not say %q:\n%s", w, out)
		}
	}
}

// TestModelsScore runs main.py as a scoring DAG does: the date chooses the data.
func TestModelsScore(t *testing.T) {
	t.Parallel()
	for model, result := range map[string]string{"churn-model": "churn", "fraud-model": "fraud"} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			dir := checkout(t, model)
			out, code := run(t, dir,
				[]string{"SCORING_DATE=2026-01-31", "LOGICAL_DATE=2025-12-31", "OUTPUT_DIR=" + filepath.Join(dir, "results")},
				"main.py")
			wantSays(t, out, code, "scoring date: 2026-01-31", "model: model.json version")
			january := resultRows(t, filepath.Join(dir, "results", result+"-2026-01-31.csv"))

			out, code = run(t, dir, []string{"SCORING_DATE=", "LOGICAL_DATE=2025-12-31"}, "main.py")
			wantSays(t, out, code, "scoring date: 2025-12-31")
			december := resultRows(t, filepath.Join(dir, "output", result+"-2025-12-31.csv"))
			if january == december {
				t.Errorf("both dates give the same result:\n%s", january)
			}

			if out, code = run(t, dir, []string{"SCORING_DATE=soon"}, "main.py"); code == 0 ||
				!strings.Contains(out, "want YYYY-MM-DD") {
				t.Errorf("a wrong date: exit code %d, %s", code, out)
			}
			if out, code = run(t, dir, []string{"SCORING_DATE=1999-01-01"}, "main.py"); code == 0 {
				t.Errorf("a date without data: exit code 0, %s", out)
			}
		})
	}
}

func resultRows(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s has %d rows, %v", file, len(rows), err)
	}
	var b strings.Builder
	for _, r := range rows[1:] {
		b.WriteString(strings.Join(r, ",") + "\n")
	}
	return b.String()
}

// TestModelsRetrain runs the four steps as processes of their own, then scores
// with what they registered.
func TestModelsRetrain(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"churn-model", "fraud-model"} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			dir := checkout(t, model)
			registry := filepath.Join(dir, "models")
			env := []string{"MODEL_REGISTRY=" + registry, "ARTIFACTS_DIR=" + filepath.Join(dir, "work")}
			steps := []struct{ step, says string }{
				{"prepare_data", "prepared"}, {"train_model", "loss"}, {"evaluate_model", "the candidate is better"},
				{"register_model", "registered model version"},
			}
			for _, s := range steps {
				out, code := run(t, dir, env, "retrain.py", s.step)
				wantSays(t, out, code, s.says)
			}
			var registered struct{ Version int }
			source, err := os.ReadFile(filepath.Join(registry, "current.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(source, &registered); err != nil || registered.Version < 1 {
				t.Errorf("registered version %d, %v", registered.Version, err)
			}

			// A step that is tried again changes nothing.
			out, code := run(t, dir, env, "retrain.py", "register_model")
			wantSays(t, out, code, "registered already")
			out, code = run(t, dir, append(env, "SCORING_DATE=2026-01-31"), "main.py")
			wantSays(t, out, code, "model: current.json version")

			// A candidate that is not better than the registered model is not taken.
			for _, s := range steps[:2] {
				run(t, dir, env, "retrain.py", s.step)
			}
			out, code = run(t, dir, env, "retrain.py", "evaluate_model")
			wantSays(t, out, code, "the candidate is not better")
			out, code = run(t, dir, env, "retrain.py", "register_model")
			wantSays(t, out, code, "kept the current model")
		})
	}
}

func TestModelsUsage(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"churn-model", "fraud-model"} {
		dir := checkout(t, model)
		for _, args := range [][]string{{"retrain.py"}, {"retrain.py", "nope"}, {"retrain.py", "train_model", "more"}} {
			if out, code := run(t, dir, nil, args...); code != 2 ||
				!strings.Contains(out, "usage: python retrain.py prepare_data | train_model") {
				t.Errorf("%s %v: exit code %d, %s", model, args, code, out)
			}
		}
	}
}
