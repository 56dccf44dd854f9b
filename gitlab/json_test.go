package gitlab

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzSkip compares what the reader takes for JSON with encoding/json.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,-0.5e+3,"\u00e9"]`, `{"a":[true,false,null]}`, `01`, `1.`, `"\ud800"`, `nul`,
		`[1,]`, "\"\x01\"", ` 1 `, `-`, `1e`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j := newJSONReader(bytes.NewReader(data))
		err := j.skip()
		if err == nil {
			err = j.end()
		}
		if err != nil && (strings.Contains(err.Error(), "digits:") || strings.Contains(err.Error(), "nested")) {
			return // limits that encoding/json does not have
		}
		if valid := json.Valid(data); valid != (err == nil) {
			t.Errorf("%q: valid is %v, the reader says %v", data, valid, err)
		}
	})
}

// FuzzText compares strings with what encoding/json makes of them.
func FuzzText(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\ud83d\ude00"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\n\t\/"`, "\"\xff\"", `"é"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want string
		if json.Unmarshal(data, &want) != nil {
			return
		}
		j := newJSONReader(bytes.NewReader(data))
		got, whole, err := j.text(1 << 20)
		if err != nil || !whole {
			t.Fatalf("%q: %v, %v", data, whole, err)
		}
		// A run of wrong bytes becomes one U+FFFD here and several there.
		squeeze := func(s string) string {
			for strings.Contains(s, "\uFFFD\uFFFD") {
				s = strings.ReplaceAll(s, "\uFFFD\uFFFD", "\uFFFD")
			}
			return s
		}
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte(`"`)) && squeeze(got) != squeeze(want) {
			t.Errorf("%q: %q, want %q", data, got, want)
		}
	})
}
