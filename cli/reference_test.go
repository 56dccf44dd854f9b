package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// TestReference wants docs/cli.md to say what --help says. It sets variables that
// are defaults of flags, so it is not parallel.
func TestReference(t *testing.T) {
	for _, name := range []string{"CI_PROJECT_PATH", "CI_PROJECT_ID", "CI_COMMIT_BRANCH", "CI_COMMIT_SHA", "CI_SERVER_URL",
		"GITLAB_URL"} {
		t.Setenv(name, "")
	}
	var got bytes.Buffer
	if err := writeReference(&got, newRootCommand()); err != nil {
		t.Fatal(err)
	}
	const file = "../docs/cli.md"
	if *updateGolden {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("docs/cli.md is not what --help says; run \"make golden\" (-want +got):\n%s", diff)
	}
}

// Every command says what it does, and those that take arguments show how.
func TestEveryCommandHelps(t *testing.T) {
	t.Parallel()
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Args == nil && c.Name() != "help" {
			t.Errorf("%s: want a short text without a full stop, and a check of its arguments", c.CommandPath())
		}
		if strings.Contains(c.Use, " ") && c.Example == "" && len(c.Commands()) == 0 && c.Parent().Name() != "context" {
			t.Errorf("%s: want an example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRootCommand())
}

func TestManPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newWorkstation(t).Run("", ExitDone, "", "man", dir)
	page, err := os.ReadFile(filepath.Join(dir, "dagwright-runs-wait.1"))
	if err != nil || !bytes.Contains(page, []byte("goes on")) {
		t.Errorf("%v: %s", err, page)
	}
}
