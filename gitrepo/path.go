package gitrepo

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"dagwright/dag"
)

// maxPath bounds a path in bytes, as PATH_MAX does on Linux.
const maxPath = 4096

// checkPath says what is wrong with a path to write or ask for: it is
// relative, of plain segments, and names nothing that git itself looks at.
func checkPath(path string) error {
	reason := ""
	switch {
	case path == "":
		reason = "it is empty"
	case len(path) > maxPath:
		reason = fmt.Sprintf("it is longer than %d bytes", maxPath)
	case !utf8.ValidString(path):
		reason = "it is not UTF-8"
	case strings.ContainsFunc(path, func(r rune) bool { return r == '\\' || unicode.In(r, unicode.Cc, unicode.Cf) }):
		reason = "it has a backslash, a control or an invisible character"
	default:
		for segment := range strings.SplitSeq(path, "/") {
			if !safeName(segment) {
				reason = fmt.Sprintf("segment %q is not allowed", segment)
			}
		}
	}
	if reason != "" {
		return fmt.Errorf("path %.200q: %s: %w", path, reason, dag.ErrInvalid)
	}
	return nil
}

// safeName reports whether the name of a tree's entry can be joined to a path
// without leaving its folder or naming git's own. The forms of ".git" are those
// that case-blind and Windows file systems take for it (CVE-2014-9390).
func safeName(name string) bool {
	switch name {
	case "", ".", "..":
		return false
	}
	if strings.ContainsAny(name, "/\x00") {
		return false
	}
	plain := strings.ToLower(strings.TrimRight(name, " ."))
	return plain != ".git" && plain != "git~1"
}
