package dag

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// PlainNumber returns a whole number as an int where it fits, a fraction or a power as
// a float64 where that is the very same number, and all else as it is, digit for digit:
// an id with 20 digits must reach a container as it was written.
func PlainNumber(n json.Number) any {
	if i, err := strconv.Atoi(string(n)); err == nil && strconv.Itoa(i) == string(n) {
		return i
	}
	if !strings.ContainsAny(string(n), ".eE") {
		return n
	}
	if f, ok := exactFloat(string(n)); ok {
		return f
	}
	return n
}

// PlainNumbers replaces every json.Number in v by its [PlainNumber], in place where it
// can, and returns v or what takes its place.
func PlainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = PlainNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = PlainNumbers(e)
		}
	case json.Number:
		return PlainNumber(v)
	}
	return v
}

// exactFloat is the float64 that a number is, if it is one that is written with the
// same digits.
func exactFloat(text string) (float64, bool) {
	const maxText = 400 // a float64 has at most 17 digits; the rest are zeros
	if len(text) > maxText {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, false
	}
	digits, exponent, ok := decimal(text)
	again, exponentAgain, _ := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	return f, ok && digits == again && exponent == exponentAgain
}

// decimal takes a decimal number apart: its digits without zeros at either end, after
// its sign, and the power of ten that belongs to the last of them.
func decimal(text string) (digits string, exponent int, ok bool) {
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			return "", 0, false
		}
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		exponent = 0
	}
	if negative {
		trimmed = "-" + trimmed
	}
	return trimmed, exponent, true
}

// isFinite reports whether a JSON number is within the range of the numbers that
// programs read: beyond it they read infinity.
func isFinite(n json.Number) bool {
	f, err := n.Float64()
	return err == nil && !math.IsInf(f, 0)
}
