// Package docs holds the pages of the documentation of which the program itself shows parts,
// so that a text is written in one place: what docs/model.md says of a key is what an editor
// shows beside it.
package docs

import (
	_ "embed" // the pages
	"regexp"
	"strings"
)

//go:embed model.md
var model string

// link is a link of Markdown.
var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// ModelKey is what docs/model.md says of a key of a model's file in its tables of keys, as in
// "retries" or "retrain.tasks[].needs": what it is, its default and an example. It is "" for
// a key that has no row.
func ModelKey(key string) string {
	for line := range strings.Lines(model) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 4 || cells[0] != "| `"+key+"`" {
			continue
		}
		text := cells[1]
		if def := cells[2]; def != "–" {
			text += ". Default: " + def
		}
		if example := strings.TrimSuffix(cells[3], " |"); strings.HasPrefix(example, "`") {
			text += ". Example: " + example
		}
		return link.ReplaceAllString(text, "$1")
	}
	return ""
}
