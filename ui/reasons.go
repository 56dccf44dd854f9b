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
	literal int // bytes of the format that are not verbs
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
			case 'v':
				b.WriteString(`(\S+?)`)
			default:
				b.WriteString(`(.*?)`)
			}
			literal += v[0] - at
			at = v[1]
		}
		b.WriteString(regexp.QuoteMeta(w.english[at:]))
		if at < len(w.english) || at == 0 || strings.IndexByte("vqd", w.english[at-1]) >= 0 {
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
		lines[i] = rd.russianFault(line)
	}
	return strings.Join(lines, "\n")
}

// runReason is the reason of a run. Russian has a gender for what was marked, which
// the reasons of runs and of tasks do not tell apart.
func (rd *reader) runReason(text string) string {
	if rd.lang == language.Russian && strings.HasPrefix(text, "marked ") {
		text = "run was " + text
	}
	return rd.reason(text)
}

// fault is a fault of a file, whose place is shown before it, in the reader's
// language. One that the table does not know is introduced as words of the program.
func (rd *reader) fault(text string) string {
	if rd.lang != language.Russian {
		return text
	}
	if russian, ok := russianReason(text, maxNestedReasons); ok {
		return russian
	}
	return "текст ошибки: " + text
}

// faultPlace is where a fault is said to be: a file and its line, and a field.
var faultPlace = regexp.MustCompile(`^[\w./-]+:\d+(?::\d+)?: (?:[\w.\[\]-]+: )?`)

// russianFault translates a line behind the place that it begins with.
func (rd *reader) russianFault(line string) string {
	place := faultPlace.FindString(line)
	if place != "" {
		return place + rd.fault(line[len(place):])
	}
	text, _ := russianReason(line, maxNestedReasons)
	return text
}

// maxNestedReasons bounds how many reasons may stand in one another, as in
// "task a failed: stopped: cancelled by alice".
const maxNestedReasons = 7

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
		whole := p.russian
		if values := found[1 : len(found)-1]; len(values) > 0 {
			whole = fmt.Sprintf(p.russian, russianValues(p.russian, values, depth)...)
		}
		if rest := found[len(found)-1]; rest != "" {
			whole += ": " + russianPart(rest, depth)
		}
		return whole, true
	}
	return text, false
}

var (
	// russianVerb is where a value stands in a Russian text.
	russianVerb = regexp.MustCompile(`%[sv]`)
	// foreign is a text that has two English words in a row.
	foreign = regexp.MustCompile(`^[A-Z]?[a-z]{2,} [a-z]{2,}|[^.,;:)] [a-z]{2,} [a-z]{2,}`)
)

// russianValues are the values of a reason as they stand in its Russian text. One
// that has no Russian is put into quotes when the sentence goes on after it.
func russianValues(russian string, values []string, depth int) []any {
	places := russianVerb.FindAllStringIndex(russian, -1)
	all := make([]any, len(values))
	for i, value := range values {
		text := russianPart(value, depth)
		switch {
		case i >= len(places):
		case russian[places[i][0]:places[i][1]] == "%v":
			text = stateRussian(value)
		case text == value && places[i][1] < len(russian) && foreign.MatchString(value):
			text = "«" + value + "»"
		}
		all[i] = text
	}
	return all
}

// stateRussian names a state of a run or a task, which may be quoted.
func stateRussian(state string) string {
	state = strings.Trim(state, `"`)
	return cmp.Or(russian[strings.ReplaceAll(state, "_", " ")], state)
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
		return "(" + stateRussian(strings.Trim(s, "()")) + ")"
	})
}
