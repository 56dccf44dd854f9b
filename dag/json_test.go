package dag_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"dagwright/dag"
)

func TestLossyJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, reason string
		offset       int
	}{
		{`{"a": 1, "b": {"a": [{"a": 2}, {"a": "a"}]}, "c": []}`, "", 0},
		{`"a"`, "", 0},
		{`[]`, "", 0},
		{`{"a": 1, "b": 2, "a": 3}`, `key "a" stands twice`, 20},
		{`[{"b": {"a": 1, "\u0061": 3}}]`, `key "a" stands twice`, 24},
		{`{"a": "\ud835\udcb3 \\ud800 \" �", "b": "é"}`, "", 0},
		{`{"a": "\uD835"}`, `at key "a": half of a surrogate pair, which is not a character`, 14},
		{`{"a": [1, "x\udcb3"]}`, `at key "a": half of a surrogate pair, which is not a character`, 19},
		{`{"a": "\ud835x\udcb3"}`, `at key "a": half of a surrogate pair, which is not a character`, 21},
		{`{"a": "\ud835\n"}`, `at key "a": half of a surrogate pair, which is not a character`, 16},
		{`{"a": "\ud835\ud835\udcb3"}`, `at key "a": half of a surrogate pair, which is not a character`, 26},
		{`{"a": 1, "\ud835": 1}`, `at key "a": half of a surrogate pair, which is not a character`, 17},
		{"{\"a\": \"\xff\"}", "not UTF-8", 0},
	} {
		offset, reason := dag.LossyJSON([]byte(c.text))
		if offset != c.offset || reason != c.reason {
			t.Errorf("%s: %d %q, want %d %q", c.text, offset, reason, c.offset, c.reason)
		}
	}
}

// FuzzLossyJSON decodes and encodes what is said to be kept: it stays the same text, or
// becomes it again.
func FuzzLossyJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, "x\udcb3"]}`, `{"a": {"a": 1}, "b": "\ud835\udcb3"}`, `[1e3, -0, "\u0000"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		_, reason := dag.LossyJSON(text)
		var value any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Count(string(again), `�`)+strings.Count(string(again), `\ufffd`) >
			strings.Count(string(text), "�")+strings.Count(strings.ToLower(string(text)), `\ufffd`)
		if changed && reason == "" && utf8.Valid(text) {
			t.Errorf("%q loses a character and becomes %q", text, again)
		}
	})
}
