package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dagwright/cli/clitest"
)

// checkoutOf is a git checkout whose one commit has the files.
func checkoutOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"},
		{"-c", "user.name=ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "--message=m"},
	} {
		if out, err := exec.CommandContext(t.Context(), "git",
			append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// TestGenerateOfOtherBranch warns where the kind is taken for granted.
func TestGenerateOfOtherBranch(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t, "CI_COMMIT_BRANCH=")
	dir := checkoutOf(t, map[string]string{".dagwright.yml": "timezone: Europe/Berlin\n"})
	const warning = `warning: branch "release" is neither main nor retrain: it is rendered as scoring; --kind says as what else`
	generate := []string{"generate", dir, "--check", "--project", "gbc/risk/churn-model"}
	for _, more := range [][]string{nil, {"--branch", "retrain"}, {"--branch", "release", "--kind", "retrain"}} {
		p.Run("", ExitDone, "", append(slices.Clone(generate), more...)...)
	}
	if strings.Contains(p.Shown.String(), "warning") {
		t.Error(p.Shown.String())
	}
	p.Run("", ExitDone, warning, append(generate, "--branch", "release")...)
}

// TestGenerateLooksForFolders refuses an entry whose folder is not there, at its line.
func TestGenerateLooksForFolders(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t)
	dir := checkoutOf(t, map[string]string{"notes": "x",
		".dagwright.yml": "models:\n  - {name: a, path: .}\n  - {name: b, path: models/b}\n  - {name: c, path: notes}\n"})
	check := []string{"generate", dir, "--check", "--project", "gbc/risk/churn-model", "--branch", "main"}
	p.Run("", ExitFailed, `.dagwright.yml:3:21: models[1].path: the repository has no folder "models/b"`, check...)
	p.Run("", ExitFailed, `.dagwright.yml:4:21: models[2].path: the repository has no folder "notes"`, check...)
}

// TestGenerateOfPastSchedule warns of a schedule whose years are past.
func TestGenerateOfPastSchedule(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t)
	dir := checkoutOf(t, map[string]string{".dagwright.yml": `scoring: {schedule: "0 6 * * * 0 2020"}`})
	p.Run("", ExitDone, `warning: the schedule "0 6 * * * 0 2020" of churn-model never matches again: its years are past`,
		"generate", dir, "--check", "--project", "gbc/risk/churn-model", "--branch", "main")
}

// TestGenerateOfUncommittedWork renders what is not in the commit whose name it would have: that is
// not pushed, and printed with a warning.
func TestGenerateOfUncommittedWork(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t)
	const nowhere = "file:///nonexistent/dags.git"
	generate := func(dir string, code int, words string, more ...string) {
		t.Helper()
		p.Run("", code, words, append([]string{"generate", dir, "--project", "gbc/risk/churn-model"}, more...)...)
	}
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const model, refusal = ".dagwright.yml", ".dagwright.yml is not as in commit "

	dir := checkoutOf(t, map[string]string{model: "timezone: Europe/Berlin\n", "notes": "x"})
	write(dir, "notes", "nothing of the DAG's")
	generate(dir, ExitFailed, "push to the DAG repository", "--push", nowhere)
	write(dir, model, "timezone: Europe/Paris\n")
	generate(dir, ExitUsage, "dagwright: --push: "+filepath.Join(dir, refusal), "--push", nowhere)
	generate(dir, ExitDone, "warning: "+filepath.Join(dir, refusal))
	generate(dir, ExitUsage, "commit 0123456701234567012345670123456701234567", "--push", nowhere, "--commit",
		"0123456701234567012345670123456701234567")

	dir = checkoutOf(t, map[string]string{"notes": "x"})
	write(dir, model, "timezone: Europe/Paris\n")
	generate(dir, ExitUsage, refusal, "--push", nowhere)

	dir, templates := checkoutOf(t, map[string]string{model: ""}), checkoutOf(t, map[string]string{"README.md": ""})
	write(templates, "README.md", "nothing of the DAG's")
	generate(dir, ExitFailed, "push to the DAG repository", "--push", nowhere, "--templates", templates)
	write(templates, "other.yaml.tmpl", "x")
	generate(dir, ExitUsage, "other.yaml.tmpl is not as in commit HEAD", "--push", nowhere, "--templates", templates)

	p.Run("", ExitUsage, "--push: open checkout", "generate", t.TempDir(), "--project", "a/b", "--branch", "main",
		"--commit", "x", "--push", nowhere)
}

// TestGenerateKnowsTheInstance renders with the offers, the policy and the branches of a
// configuration, and says without one that they are not known.
func TestGenerateKnowsTheInstance(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t, "CI_COMMIT_BRANCH=")
	dir := checkoutOf(t, map[string]string{
		".dagwright.yml": "profile: gpu-small\nvolumes: {/models: models}\nsecrets: {A: churn/a}\ndocs: model.md\n",
		"model.md":       "# Churn\n",
	})
	config := filepath.Join(t.TempDir(), "dagwright.yml")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(config, `models:
  branches: {scoring: trunk, retrain: main}
  profiles: {gpu-small: {node_selector: {pool: gpu}}}
  volumes: {models: {persistent_volume_claim: models}}
kubernetes: {policy: {volume_claims: [models], secrets: [churn]}}
`)
	generate := []string{"generate", dir, "--project", "gbc/risk/churn-model"}
	model := filepath.Join(dir, ".dagwright.yml")
	p.Run("", ExitFailed, model+`:1:10: profile: there is no profile "gpu-small"; what an instance has is known with its configuration`,
		append(slices.Clone(generate), "--check")...)
	p.Run("", ExitDone, "churn-model-retrain:", append(generate, "--config", config)...)
	p.Run("", ExitDone, `doc_md: "# Churn\n"`, append(generate, "--config", config)...)
	p.Run("", ExitDone, "node_selector: {pool: gpu}", append(generate, "--config", config)...)

	write(model, "profile: gpu-larg\n")
	p.Run("", ExitFailed, model+`:1:10: profile: there is no profile "gpu-larg"; this instance has gpu-small`,
		append(generate, "--check", "--config", config)...)
	write(model, "secrets: {A: other/a}\n")
	p.Run("", ExitFailed, `.dagwright.yml:1:14: secrets.A: secret "other" is not for models of gbc/risk/churn-model (models.secrets); they may name churn`,
		append(generate, "--check", "--config", config)...)
	write(model, "docs: none.md\n")
	p.Run("", ExitFailed, ".dagwright.yml:1:7: docs: there is no file none.md in this commit", append(generate, "--check")...)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "none.md")); err != nil {
		t.Fatal(err)
	}
	p.Run("", ExitFailed, ".dagwright.yml:1:7: docs: none.md is not a file", append(generate, "--check")...)
	write(config, "models: {profils: {}}\n")
	p.Run("", ExitUsage, config+`:1:10: models: unknown key "profils"; did you mean "profiles"?`,
		append(generate, "--check", "--config", config)...)
}
