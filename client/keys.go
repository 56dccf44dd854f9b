package client

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
)

// unknownKey is how the YAML library reports a key that a section does not have:
// by the name of a Go type, which no reader of a configuration file knows.
var unknownKey = regexp.MustCompile(`^line (\d+): field (.*) not found in type (.*)$`)

// explainKeys rewrites the reports of unknown keys in the words of the file, whose
// type is given.
func explainKeys(err error, file reflect.Type) error {
	var bad *yaml.TypeError
	if !errors.As(err, &bad) {
		return err
	}
	sections := map[string][]string{}
	collectKeys(file, sections)
	lines := make([]string, len(bad.Errors))
	for i, line := range bad.Errors {
		lines[i] = line
		if m := unknownKey.FindStringSubmatch(line); m != nil {
			lines[i] = fmt.Sprintf("line %s: unknown key %q%s", m[1], m[2], dag.DidYouMean(m[2], sections[m[3]]))
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// collectKeys maps each section's type, as YAML's messages name it, to its keys.
func collectKeys(t reflect.Type, sections map[string][]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		sections[t.String()] = append(sections[t.String()], key)
		section := f.Type
		if section.Kind() == reflect.Map {
			section = section.Elem()
		}
		if section.Kind() == reflect.Struct {
			collectKeys(section, sections)
		}
	}
}
