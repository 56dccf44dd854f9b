package dag_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
)

// TestSecretIsNeverShown prints a secret, alone and inside of other things, in
// every way that the program prints things.
func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	const canary = "canary-3f2a9c1"
	type holder struct {
		Public dag.Secret
		hidden dag.Secret
		many   []dag.Secret
		by     map[string]dag.Secret
	}
	s := dag.NewSecret(canary)
	h := holder{s, s, []dag.Secret{s}, map[string]dag.Secret{"a": s}}
	var out bytes.Buffer
	for _, v := range []any{s, &s, h, &h, []any{s, h}, fmt.Errorf("wrap: %v", s), map[string]any{"s": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		fmt.Fprintln(&out, string(text), err)
		slog.New(slog.NewTextHandler(&out, nil)).Info("a secret", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("a secret", "v", v)
	}
	for _, v := range []any{s, map[string]dag.Secret{"a": s}} {
		text, err := yaml.Marshal(v)
		fmt.Fprintln(&out, string(text), err)
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary),
		fmt.Sprint([]byte(canary))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret is shown as %q in\n%s", form, out.String())
		}
	}
	if s.Reveal() != canary || s.IsZero() || !dag.NewSecret("").IsZero() || (dag.Secret{}).Reveal() != "" {
		t.Error("a secret does not keep its text")
	}
}
