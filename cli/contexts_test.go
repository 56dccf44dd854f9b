package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChooseServer(t *testing.T) {
	t.Parallel()
	c := clientConfig{Current: "dev", Contexts: map[string]serverContext{
		"dev": {Server: "https://dev.example.com"}, "prod": {Server: "https://prod.example.com/dagwright/", Production: true},
	}}
	tests := []struct {
		name, server, context string
		env                   map[string]string
		want, fault           string
		production            bool
	}{
		{name: "the current one", want: "https://dev.example.com (context dev)"},
		{name: "a flag", context: "prod", want: "https://prod.example.com/dagwright (context prod)", production: true},
		{name: "a URL", server: "http://127.0.0.1:9/", want: "http://127.0.0.1:9"},
		{name: "a URL of production is production", server: "https://prod.example.com/dagwright", want: "https://prod.example.com/dagwright (context prod)", production: true},
		{name: "the environment", env: map[string]string{contextVariable: "prod"}, want: "https://prod.example.com/dagwright (context prod)", production: true},
		{name: "a URL goes first", env: map[string]string{contextVariable: "prod", serverVariable: "http://x"}, want: "http://x"},
		{name: "a flag goes before the environment", context: "dev", env: map[string]string{serverVariable: "http://x"}, want: "https://dev.example.com (context dev)"},
		{name: "both", server: "http://x", context: "dev", fault: "want one of --server and --context, not both"},
		{name: "misspelt", context: "prd", fault: `no context "prd"; there are dev, prod; did you mean "prod"?`},
		{name: "no URL", server: "prod.example.com", fault: "want a URL such as https://dagwright.example.com"},
		{name: "a password", server: "https://ann:geheim@x", fault: `server "https://ann:xxxxx@x": want a URL without user`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.choose(test.server, test.context, func(name string) string { return test.env[name] })
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) || exitCode(err) != ExitUsage {
					t.Errorf("got %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil || got.String() != test.want || got.production != test.production {
				t.Errorf("got %s, production %v, %v; want %s", got, got.production, err, test.want)
			}
		})
	}
	none, err := clientConfig{}.choose("", "", func(string) string { return "" })
	if err != nil || none.String() != defaultServer {
		t.Errorf("without contexts: %s, %v", none, err)
	}
}

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
