package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"
)

// functions are all that a template can call, beside text/template's own.
var functions = template.FuncMap{
	"toYaml":  toYAML,
	"quote":   quote,
	"comment": comment,
}

// toYAML writes a value as YAML on one line: a scalar, or a list or map in flow
// style with the keys sorted. It knows strings, bools, numbers, nil, []string,
// []any, map[string]string and map[string]any.
func toYAML(value any) (string, error) {
	var b strings.Builder
	err := writeYAML(&b, value, 0)
	return b.String(), err
}

// maxDepth is dag.Parse's limit with room for what stands around the value.
const maxDepth = 24

func writeYAML(b *strings.Builder, value any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("a value is nested deeper than %d", maxDepth)
	}
	switch v := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case uint64:
		b.WriteString(strconv.FormatUint(v, 10))
	case json.Number:
		b.WriteString(exactNumber(v.String()))
	case float64:
		return writeFloat(b, v)
	case string:
		b.WriteString(scalar(v))
	case []string:
		return writeList(b, v, depth)
	case []any:
		return writeList(b, v, depth)
	case map[string]string:
		return writeMap(b, v, depth)
	case map[string]any:
		return writeMap(b, v, depth)
	default:
		return fmt.Errorf("a value of type %T cannot be written as YAML", value)
	}
	return nil
}

func writeList[V any](b *strings.Builder, list []V, depth int) error {
	b.WriteByte('[')
	for i, item := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := writeYAML(b, item, depth+1); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func writeMap[V any](b *strings.Builder, m map[string]V, depth int) error {
	b.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(scalar(k) + ": ")
		if err := writeYAML(b, m[k], depth+1); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeFloat(b *strings.Builder, f float64) error {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("%v is not a number for YAML", f)
	}
	// Both YAML 1.1 and 1.2 read a float when it has a point; with a signed
	// exponent, too.
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		s = mantissa + "e" + exponent
	} else if !strings.Contains(s, ".") {
		s += ".0"
	}
	b.WriteString(s)
	return nil
}

// exactNumber writes a number of JSON with its digits, and an exponent as both YAML 1.1
// and 1.2 read it: behind a point, with a sign.
func exactNumber(text string) string {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(text), "e")
	if !ok {
		return text
	}
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if !strings.HasPrefix(exponent, "-") {
		exponent = "+" + strings.TrimPrefix(exponent, "+")
	}
	return mantissa + "e" + exponent
}

// plain are the strings that need no quotes, inside flow style, in YAML 1.1
// (Airflow's) and 1.2 alike, except for the words below.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// words are the strings that a YAML parser takes for something else.
var words = map[string]bool{
	"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true,
	"y": true, "n": true, "null": true, "nan": true, "inf": true,
}

func scalar(s string) string {
	if plain.MatchString(s) && !words[strings.ToLower(s)] {
		return s
	}
	return quote(s)
}

// quote writes a string as a double-quoted YAML scalar on one line.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '$':
			// dag-factory replaces $NAME by the environment of Airflow's parser,
			// before it reads the YAML: a model's file could print its secrets.
			b.WriteString(`\x24`)
		case r < 0x100 && (r < ' ' || r > '~'):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000 && !unicode.IsPrint(r) || r == '\uFEFF':
			fmt.Fprintf(&b, `\u%04x`, r)
		case r >= 0x10000 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comment makes a text safe behind a "#": one line, without what dag-factory
// would replace.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '$' || r != ' ' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
