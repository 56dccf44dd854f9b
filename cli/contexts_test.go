package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// What is wrong in the file is reported with its line and the key that was meant, and
// the file stays as it is.
func TestContextFileFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"contexts: {dev: {servr: 'http://x'}}":       `config.yml: line 1: unknown key "servr"; did you mean "server"?`,
		"contexts: {dev: {server: 'x'}}":             `context dev: server "x": want a URL`,
		"contexts: {'a b': {server: 'http://x'}}":    `name "a b": want letters`,
		"contexts: [dev]":                            "config.yml: ",
		"curren: dev":                                `did you mean "current"?`,
		"current: dev":                               `no context "dev": there is none yet, add one with "dagwright context add dev URL"`,
		"contexts: {dev: {server: 'http://x', a: 1}": "config.yml: ",
	} {
		ann := newWorkstation(t)
		if err := os.MkdirAll(filepath.Dir(ann.File("config.yml")), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ann.File("config.yml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ann.Run("", ExitUsage, want, "dags", "list")
		ann.Run("", ExitUsage, "", "context", "use", "other")
		if got, err := os.ReadFile(ann.File("config.yml")); err != nil || string(got) != text {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
}

// A system user has no home; commands work, and settings cannot be kept.
func TestWithoutHome(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	nobody := newWorkstation(t, "HOME=", "XDG_CONFIG_HOME=")
	nobody.Run("", ExitDone, "churn-model", "dags", "list", "--server", s.url)
	nobody.Run("", ExitFailed, "set HOME or XDG_CONFIG_HOME", "context", "add", "dev", s.url)
}
