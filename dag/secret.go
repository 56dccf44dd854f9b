package dag

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must not be shown: a password, a key, a token, an address
// with a password in it. However it is printed, logged or encoded, it shows only
// that it is there. The zero Secret is none.
//
// The text is behind a pointer: package fmt does not follow pointers inside of what
// it prints, not even where it may not call the methods of a field.
type Secret struct{ text *string }

// NewSecret hides a text; an empty one makes no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal is the text, for those who need it to prove something.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// String does not show the secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "[secret]"
}

// GoString does not show the secret.
func (s Secret) GoString() string { return "dag.Secret(" + s.String() + ")" }

// Format does not show the secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText does not show the secret; JSON uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML does not show the secret.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue does not show the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
