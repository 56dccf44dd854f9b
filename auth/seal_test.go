package auth

import (
	"strings"
	"testing"

	"dagwright/dag"
)

// TestSeal opens what was sealed for the same purpose, and nothing else.
func TestSeal(t *testing.T) {
	t.Parallel()
	if _, err := newSealer(dag.NewSecret(strings.Repeat("k", MinKey-1))); err == nil {
		t.Error("a key that is too short by one is taken")
	}
	s, err := newSealer(dag.NewSecret(strings.Repeat("k", MinKey)))
	if err != nil {
		t.Fatal(err)
	}
	if sealed := s.seal("a", ""); sealed != "" {
		t.Errorf("nothing is sealed as %q", sealed)
	}
	sealed := s.seal("a", "text")
	if sealed == s.seal("a", "text") {
		t.Error("the same text is sealed alike twice")
	}
	const foreign, otherKey = "not sealed by this instance", "not sealed by this instance, or with another key"
	for name, c := range map[string]struct{ purpose, sealed, want, fault string }{
		"sealed":            {"a", sealed, "text", ""},
		"nothing":           {"a", "", "", ""},
		"another purpose":   {"b", sealed, "", otherKey},
		"no base64":         {"a", "!", "", foreign},
		"one byte":          {"a", "AA", "", foreign},
		"short of a nonce":  {"a", sealed[:14], "", foreign}, // 16 characters are the 12 bytes of a nonce
		"a nonce alone":     {"a", sealed[:16], "", otherKey},
		"cut short":         {"a", sealed[:len(sealed)-4], "", otherKey},
		"its nonce changed": {"a", "AAAA" + sealed[4:], "", otherKey},
	} {
		got, err := s.open(c.purpose, c.sealed)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if got != c.want || fault != c.fault {
			t.Errorf("%s: %q, %q; want %q, %q", name, got, fault, c.want, c.fault)
		}
	}
}
