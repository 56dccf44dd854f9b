package dag

import (
	"cmp"
	"encoding/json"
	"math"
	"math/big"
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

// exactNumber is a decimal number: its digits times ten to the power of its exponent.
type exactNumber struct {
	negative bool
	digits   string // without zeros at either end; empty for 0
	exponent int
}

// exactOf reads the kinds of number that YAML and JSON decoders give, without rounding.
func exactOf(v any) (exactNumber, bool) {
	var text string
	switch v := v.(type) {
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'e', -1, 64)
	case json.Number:
		text = string(v)
	}
	const far = 1 << 30 // a power of ten that nobody means
	digits, exponent, ok := decimal(text)
	digits, negative := strings.CutPrefix(digits, "-")
	if !ok || text == "" || strings.Trim(digits, "0123456789") != "" || exponent > far || exponent < -far {
		return exactNumber{}, false
	}
	return exactNumber{negative: negative && digits != "", digits: digits, exponent: exponent}, true
}

func (n exactNumber) isWhole() bool { return n.exponent >= 0 }

// compare is below, at or above 0 as n is below, at or above m.
func (n exactNumber) compare(m exactNumber) int {
	switch {
	case n.negative && m.negative:
		return m.size(n)
	case n.negative:
		return -1
	case m.negative:
		return 1
	}
	return n.size(m)
}

func (n exactNumber) isAtLeast(m exactNumber) bool { return n.compare(m) >= 0 }
func (n exactNumber) isAtMost(m exactNumber) bool  { return n.compare(m) <= 0 }
func (n exactNumber) isAbove(m exactNumber) bool   { return n.compare(m) > 0 }
func (n exactNumber) isBelow(m exactNumber) bool   { return n.compare(m) < 0 }

// size compares without the signs.
func (n exactNumber) size(m exactNumber) int {
	if n.digits == "" || m.digits == "" {
		return cmp.Compare(len(n.digits), len(m.digits))
	}
	return cmp.Or(cmp.Compare(n.exponent+len(n.digits), m.exponent+len(m.digits)), cmp.Compare(n.digits, m.digits))
}

// isMultiple reports whether n is a whole number of times step, which is not 0.
func (n exactNumber) isMultiple(step exactNumber) bool {
	if n.digits == "" || n.exponent < step.exponent {
		return n.digits == "" // n ends in a digit behind the last one of step
	}
	of, _ := new(big.Int).SetString(step.digits, 10)
	rest, _ := new(big.Int).SetString(n.digits, 10)
	zeros := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.exponent-step.exponent)), of)
	return rest.Mul(rest.Mod(rest, of), zeros).Mod(rest, of).Sign() == 0
}
