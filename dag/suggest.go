package dag

import (
	"fmt"
	"strings"
)

// maxWord bounds, in bytes, the words that are compared.
const maxWord = 64

// closest returns the candidate that is most like a misspelt word, "" when none
// is near enough to be meant.
func closest(word string, candidates []string) string {
	if len(word) > maxWord {
		return ""
	}
	// With every letter replaced it would be another word.
	best, least := "", min(max(1, len(word)/3), len(word)-1)+1
	for _, c := range candidates {
		if len(c) > maxWord {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// didYouMean is a clause for the end of a message, or nothing.
func didYouMean(word string, candidates []string) string {
	if c := closest(word, candidates); c != "" {
		return fmt.Sprintf("; did you mean %q?", c)
	}
	return ""
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that make b out of a (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// DidYouMean returns a clause for the end of a message, such as
// `; did you mean "image"?`, or nothing when no candidate is near the word.
func DidYouMean(word string, candidates []string) string { return didYouMean(word, candidates) }
