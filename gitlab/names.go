package gitlab

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"dagwright/dag"
)

// segment is one part of a project's path: GitLab's
// Gitlab::PathRegex::PATH_REGEX_STR, 255 characters at most.
var segment = regexp.MustCompile(`^[a-zA-Z0-9_.][a-zA-Z0-9_.-]{0,254}$`)

// checkProject says what is wrong with a project's path ("group/sub/project"),
// as dag.ErrInvalid. A path that passes is safe as a relative file path.
func checkProject(path string) error {
	if len(path) > maxName {
		return fmt.Errorf("project path of %d characters, %d are allowed: %w", len(path), maxName, dag.ErrInvalid)
	}
	parts := strings.Split(path, "/")
	if len(parts) < 2 {
		return fmt.Errorf("project path %q: want group/project: %w", path, dag.ErrInvalid)
	}
	for _, part := range parts {
		if !segment.MatchString(part) || strings.Trim(part, ".") == "" || strings.HasSuffix(part, ".git") ||
			strings.HasSuffix(part, ".atom") {
			return fmt.Errorf("project path %.200q: %.80q is not a name that GitLab allows: %w", path, part, dag.ErrInvalid)
		}
	}
	return nil
}

// checkRef follows git-check-ref-format(1) for branches and tags.
func checkRef(ref string) error {
	name, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if !isBranch {
		var isTag bool
		if name, isTag = strings.CutPrefix(ref, "refs/tags/"); !isTag {
			return fmt.Errorf("%.200q: want refs/heads/… or refs/tags/…: %w", ref, dag.ErrInvalid)
		}
	}
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf) || strings.ContainsRune(" ~^:?*[\\\uFFFD", r)
	})
	bad = bad || strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".")
	for part := range strings.SplitSeq(name, "/") {
		bad = bad || part == "" || part[0] == '.' || part[0] == '-' || strings.HasSuffix(part, ".lock")
	}
	if bad {
		return fmt.Errorf("%.200q is not a name that git allows: %w", ref, dag.ErrInvalid)
	}
	return nil
}

// isHash reports whether s is a SHA-1 or SHA-256 hash in hex.
func isHash(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// isZero reports whether s is the hash that stands for nothing, or empty.
func isZero(s string) bool { return strings.Trim(s, "0") == "" }
