package dag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// LossyJSON finds what decoding a JSON text would change without a word: a key that stands
// twice in an object, half of a surrogate pair, and what is not UTF-8. It returns where,
// as an offset, and what, "" when there is nothing. The text must be valid JSON.
func LossyJSON(text []byte) (offset int, reason string) {
	if !utf8.Valid(text) {
		return 0, "not UTF-8"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []map[string]bool // the keys of each object around, nil for a list
	key, wantsKey := "", false
	for {
		before := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			return 0, "" // the end
		}
		here := int(d.InputOffset())
		word, isText := token.(string)
		if isText && halfSurrogate(text[before:here]) {
			return here, fmt.Sprintf("at key %s: half of a surrogate pair, which is not a character", clip(key))
		}
		switch {
		case token == json.Delim('{'):
			open = append(open, map[string]bool{})
		case token == json.Delim('['):
			open = append(open, nil)
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:len(open)-1]
		case wantsKey:
			key = word
			if open[len(open)-1][key] {
				return here, fmt.Sprintf("key %s stands twice", clip(key))
			}
			open[len(open)-1][key] = true
			wantsKey = false
			continue
		}
		wantsKey = len(open) > 0 && open[len(open)-1] != nil
	}
}

// halfSurrogate reports whether a JSON string, with what stands before it, has an escape
// of half a character beyond U+FFFF without the other half.
func halfSurrogate(text []byte) bool {
	high := false // an escape of the first half is before this one
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			if high {
				return true
			}
			continue
		}
		i++
		code := uint64(0)
		if text[i] == 'u' {
			code, _ = strconv.ParseUint(string(text[i+1:i+5]), 16, 16) // valid JSON
			i += len("0000")
		}
		low := code >= 0xdc00 && code < 0xe000
		if low != high {
			return true
		}
		high = code >= 0xd800 && code < 0xdc00
	}
	return false
}
