package api

import "strings"

// pattern is a search term as Airflow reads it: a part of the text in any
// case, in which % stands for any characters and _ for one; | separates
// alternatives, and ~ alone stands for everything.
type pattern []string

func newPattern(term string) pattern {
	if term == "~" {
		term = "%"
	}
	var p pattern
	if strings.Contains(term, "|") {
		for t := range strings.SplitSeq(term, "|") {
			if t = strings.TrimSpace(t); t != "" {
				p = append(p, t)
			}
		}
	}
	if len(p) == 0 {
		p = pattern{term}
	}
	return p
}

// single reports whether like can say the whole pattern.
func (p pattern) single() bool { return len(p) == 1 }

// like is the first alternative as SQL's LIKE has it.
func (p pattern) like() string { return "%" + p[0] + "%" }

func (p pattern) matches(text string) bool {
	for _, term := range p {
		if like([]rune(strings.ToLower("%"+term+"%")), []rune(strings.ToLower(text))) {
			return true
		}
	}
	return false
}

// like is SQL's LIKE. It goes back to the last % only, so its time is bounded
// by the product of both lengths.
func like(pattern, text []rune) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '%':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '_' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}

// hasPrefix is Airflow's prefix search: case counts, | separates alternatives.
func hasPrefix(text, term string) bool {
	for t := range strings.SplitSeq(term, "|") {
		if t = strings.TrimSpace(t); t != "" && strings.HasPrefix(text, t) || t == "~" {
			return true
		}
	}
	return false
}
