package ui

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// reasonPattern finds one of the reasonWords in a text.
type reasonPattern struct {
	*regexp.Regexp

	russian string
	literal int // bytes of the format that are no verbs
}

var reasonVerb = regexp.MustCompile(`%[.\d]*[a-z]`)

// reasonPatterns are made when a reason is first read in Russian; those that
// say most come first.
var reasonPatterns = sync.OnceValue(func() []reasonPattern {
	var patterns []reasonPattern
	for _, w := range reasonWords {
		var b strings.Builder
		b.WriteString(`(?s)^`)
		at, literal := 0, 0
		for _, v := range reasonVerb.FindAllStringIndex(w.english, -1) {
			b.WriteString(regexp.QuoteMeta(w.english[at:v[0]]))
			switch w.english[v[1]-1] {
			case 'd':
				b.WriteString(`(-?\d+)`)
			case 'q':
				b.WriteString(`("(?:[^"\\]|\\.)*")`)
			default:
				b.WriteString(`(.*?)`)
			}
			literal += v[0] - at
			at = v[1]
		}
		b.WriteString(regexp.QuoteMeta(w.english[at:]))
		if at < len(w.english) || at == 0 {
			b.WriteString(`(?:: (.*))?`) // words of Kubernetes or of a program may follow
		} else {
			b.WriteString(`()`)
		}
		patterns = append(patterns, reasonPattern{regexp.MustCompile(b.String() + `$`), w.russian, literal + len(w.english) - at})
	}
	slices.SortStableFunc(patterns, func(a, b reasonPattern) int { return cmp.Compare(b.literal, a.literal) })
	return patterns
})

// reason is a reason of the store in the reader's language. The store keeps
// them in English, as the API gives them; what the table of reasons does not
// know, such as the words of Kubernetes, stays as it is.
func (rd *reader) reason(text string) string {
	if rd.lang != language.Russian || text == "" {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = russianFault(line)
	}
	return strings.Join(lines, "\n")
}

// faultPlace is where a fault is said to be: a file and its line, and a field.
var faultPlace = regexp.MustCompile(`^[\w./-]+:\d+(?::\d+)?: (?:[\w.\[\]-]+: )?`)

// russianFault translates a line behind the place that it begins with.
func russianFault(line string) string {
	place := faultPlace.FindString(line)
	if text, ok := russianReason(line[len(place):], maxNestedReasons); ok {
		return place + text
	}
	return line
}

// maxNestedReasons bounds how many reasons may stand in one another, as in
// "task a failed: stopped: cancelled by alice".
const maxNestedReasons = 5

func russianReason(text string, depth int) (string, bool) {
	if depth == 0 {
		return text, false
	}
	text = strings.TrimPrefix(text, "invalid ")
	for _, p := range reasonPatterns() {
		found := p.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		values := make([]any, len(found)-2)
		for i, value := range found[1 : len(found)-1] {
			values[i] = russianPart(value, depth)
		}
		whole := p.russian
		if len(values) > 0 {
			whole = fmt.Sprintf(p.russian, values...)
		}
		if rest := found[len(found)-1]; rest != "" {
			whole += ": " + russianPart(rest, depth)
		}
		return whole, true
	}
	return text, false
}

var stateInBrackets = regexp.MustCompile(`\((?:not started|[a-z_]+)\)`)

// russianPart translates a value of a reason that is a reason itself. A single
// word is a name, and stays.
func russianPart(value string, depth int) string {
	if !strings.Contains(value, " ") {
		return value
	}
	if text, ok := russianReason(strings.TrimSuffix(value, ": "), depth-1); ok {
		return text + value[len(strings.TrimSuffix(value, ": ")):]
	}
	return stateInBrackets.ReplaceAllStringFunc(value, func(s string) string {
		state := strings.ReplaceAll(strings.Trim(s, "()"), "_", " ")
		return "(" + cmp.Or(russian[state], state) + ")"
	})
}
