package dag

import (
	"fmt"
	"path"
	"strings"
)

// FileKind is what a file of the DAG repository means, by its path alone.
type FileKind int

// The kinds of file.
const (
	// OtherFile is not read: no YAML, or hidden, since a part of its path begins
	// with a dot (.gitlab-ci.yml).
	OtherFile FileKind = iota
	// SpecFile defines DAGs.
	SpecFile
	// DefaultsFile is a file of Defaults.
	DefaultsFile
	// MisnamedFile is meant as one of these, and by its name is none: a fault, so
	// that nobody waits for a DAG that never comes.
	MisnamedFile
)

// KindOfFile says what a path of the DAG repository means, with the reason for a
// MisnamedFile. It is the one place that knows: code that writes files asks it, too, and
// so does dagwright validate. Names are told apart by upper and lower case, as git does;
// what differs from a name of ours by that alone is misnamed.
func KindOfFile(p string) (kind FileKind, reason string) {
	if strings.HasPrefix(p, ".") || strings.Contains(p, "/.") {
		return OtherFile, ""
	}
	name := path.Base(p)
	ending := path.Ext(name)
	lower := strings.ToLower(ending)
	if lower != ".yaml" && lower != ".yml" {
		return OtherFile, ""
	}
	stem := strings.TrimSuffix(name, ending)
	switch {
	case ending != lower:
		return MisnamedFile, fmt.Sprintf("the ending %s is not read: rename the file to %s", ending, stem+lower)
	case stem == "defaults":
		return DefaultsFile, ""
	case strings.EqualFold(stem, "defaults"):
		return MisnamedFile, fmt.Sprintf("a file of defaults is named defaults%s, in lower case: rename the file", ending)
	}
	return SpecFile, ""
}

// DefaultsNames returns the names that a file of defaults may have. Of two in one
// folder the first counts.
func DefaultsNames() []string { return []string{"defaults.yaml", "defaults.yml"} }
