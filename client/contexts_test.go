package client

import (
	"errors"
	"strings"
	"testing"

	"dagwright/usage"
)

func TestChooseServer(t *testing.T) {
	t.Parallel()
	c := Contexts{Current: "dev", Contexts: map[string]Context{
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
		{name: "a URL of production is production", server: "https://prod.example.com/dagwright",
			want: "https://prod.example.com/dagwright (context prod)", production: true},
		{name: "the environment", env: map[string]string{ContextVariable: "prod"},
			want: "https://prod.example.com/dagwright (context prod)", production: true},
		{name: "a URL goes first", env: map[string]string{ContextVariable: "prod", ServerVariable: "http://x"},
			want: "http://x"},
		{name: "a flag goes before the environment", context: "dev", env: map[string]string{ServerVariable: "http://x"},
			want: "https://dev.example.com (context dev)"},
		{name: "both", server: "http://x", context: "dev", fault: "want one of --server and --context, not both"},
		{name: "misspelt", context: "prd", fault: `no context "prd"; there are dev, prod; did you mean "prod"?`},
		{name: "no URL", server: "prod.example.com", fault: "want a URL such as https://dagwright.example.com"},
		{name: "a password", server: "https://ann:geheim@x", fault: `server "https://ann:xxxxx@x": want a URL without user`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Choose(test.server, test.context, func(name string) string { return test.env[name] })
			if test.fault != "" {
				if !errors.As(err, new(usage.Error)) || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil || got.String() != test.want || got.Production != test.production {
				t.Errorf("got %s, production %v, %v; want %s", got, got.Production, err, test.want)
			}
		})
	}
	none, err := Contexts{}.Choose("", "", func(string) string { return "" })
	if err != nil || none.String() != DefaultServer {
		t.Errorf("without contexts: %s, %v", none, err)
	}
}
