package instance

import (
	"strings"
	"testing"
)

func TestSiblingConfig(t *testing.T) {
	t.Parallel()
	c, fault := readConfig(t, minimalConfig+`
environment: PROD
production: true
sibling: {name: DEV, url: "https://dev.example.com"}
`)
	if fault != "" {
		t.Fatal(fault)
	}
	if c.Sibling.Name != "DEV" || c.Sibling.URL != "https://dev.example.com" || !c.Production {
		t.Errorf("read as %+v, production %v", c.Sibling, c.Production)
	}
	for wrong, want := range map[string]string{
		`{url: "https://dev.example.com"}`:        "sibling: want a name and the address",
		`{name: DEV, url: dev.example.com}`:       `sibling.url: is "dev.example.com"; want the address`,
		`{name: DEV, url: "javascript:alert(1)"}`: `sibling.url: is "javascript:alert(1)"; want the address`,
	} {
		if _, fault := readConfig(t, minimalConfig+"\nsibling: "+wrong+"\n"); !strings.Contains(fault, want) {
			t.Errorf("%s: fault %q", wrong, fault)
		}
	}
}
