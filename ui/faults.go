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

// faultPattern finds one of the faultWords in a text.
type faultPattern struct {
	*regexp.Regexp

	english, russian string
	anyHead          bool // it begins with a value of any text, so that the start of the text says nothing
	literal          int  // bytes of the format that are not verbs
}

var (
	faultVerb = regexp.MustCompile(`%[.\d]*[a-z]`)
	// anyHead is a format that begins with a text that is not quoted.
	anyHead = regexp.MustCompile(`^%[.\d]*[sw]`)
)

// faultPatterns are made when a fault is first read in Russian. Those that say most
// come first; those that begin with any text come last, since they would take the
// start of another sentence for a value.
var faultPatterns = sync.OnceValue(func() []faultPattern {
	var patterns []faultPattern
	for _, w := range faultWords {
		var b strings.Builder
		b.WriteString(`(?s)^`)
		at, literal := 0, 0
		for _, v := range faultVerb.FindAllStringIndex(w.english, -1) {
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
		patterns = append(patterns, faultPattern{
			Regexp: regexp.MustCompile(b.String() + `$`), english: w.english, russian: w.russian,
			anyHead: anyHead.MatchString(w.english), literal: literal + len(w.english) - at,
		})
	}
	slices.SortStableFunc(patterns, func(a, b faultPattern) int {
		switch {
		case a.anyHead && !b.anyHead:
			return 1
		case b.anyHead && !a.anyHead:
			return -1
		}
		return cmp.Compare(b.literal, a.literal)
	})
	return patterns
})

// translated is the text of an error in the reader's language. What the table of
// faults does not know, such as the words of GitLab, stays as it is.
func (rd *reader) translated(text string) string {
	if rd.lang != language.Russian || text == "" {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = rd.russianFault(line)
	}
	return strings.Join(lines, "\n")
}

// fault is a fault of a file, whose place is shown before it, in the reader's
// language. One that the table does not know is introduced as words of the program.
func (rd *reader) fault(text string) string {
	if rd.lang != language.Russian {
		return text
	}
	if russian, ok := russianText(text, maxNestedFaults); ok {
		return russian
	}
	return "текст ошибки: " + text
}

// faultPlace is where a fault is said to be: a file and its line, and a field.
var faultPlace = regexp.MustCompile(`^[\w./-]+:\d+(?::\d+)?: (?:[\w.\[\]/@+-]+: )?`)

// russianFault translates a line behind the place that it begins with.
func (rd *reader) russianFault(line string) string {
	place := faultPlace.FindString(line)
	if place != "" {
		return place + rd.fault(line[len(place):])
	}
	text, _ := russianText(line, maxNestedFaults)
	return text
}

// maxNestedFaults bounds how many faults may stand in one another, as in
// "hand.schedule: minute field "*/x": step in "*/x": …".
const maxNestedFaults = 7

func russianText(text string, depth int) (string, bool) {
	if depth == 0 {
		return text, false
	}
	text = strings.TrimPrefix(text, "invalid ")
	for _, p := range faultPatterns() {
		if whole, ok := p.translate(text, depth); ok {
			return whole, true
		}
	}
	return text, false
}

// translate puts a text that the pattern finds into Russian.
func (p *faultPattern) translate(text string, depth int) (string, bool) {
	found := p.FindStringSubmatch(text)
	if found == nil {
		return "", false
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

var (
	// russianVerb is where a value stands in a Russian text.
	russianVerb = regexp.MustCompile(`%[sv]`)
	// foreign is a text that has two English words in a row.
	foreign = regexp.MustCompile(`^[A-Z]?[a-z]{2,} [a-z]{2,}|[^.,;:)] [a-z]{2,} [a-z]{2,}`)
)

// russianValues are the values of a fault as they stand in its Russian text. One
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

// russianPart translates a value of a fault that is a fault itself. A single
// word is a name, and stays.
func russianPart(value string, depth int) string {
	if !strings.Contains(value, " ") {
		return value
	}
	if text, ok := russianText(strings.TrimSuffix(value, ": "), depth-1); ok {
		return text + value[len(strings.TrimSuffix(value, ": ")):]
	}
	return value
}
