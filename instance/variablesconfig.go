package instance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/podspec"
)

// variablesConfig is the section "variables" of the configuration file.
type variablesConfig struct {
	// Values are variables by their names.
	Values map[string]variableText `yaml:"values"`
	// Files are folders, such as a mounted ConfigMap, with one file for each variable, or
	// files that "airflow variables export" writes, as JSON or YAML.
	Files []string `yaml:"files"`
	// Projects are the variables that DAGs may read, by the path of their model's project or
	// of a group above it, or "*" for every DAG.
	Projects map[string][]string `yaml:"projects"`
	// DAGs are those that DAGs without a project may read, by their ids.
	DAGs map[string][]string `yaml:"dags"`
}

// The limits of variables.
const (
	maxVariables     = 10_000
	maxVariable      = 128 << 10 // bytes: what one variable of a process may have
	maxVariablesFile = 16 << 20
)

func (c variablesConfig) empty() bool { return len(c.Values)+len(c.Files) == 0 }

// allowed are the variables that a DAG may read, as names or beginnings of names with a "*".
// A model's author chooses its DAG's id, so ids count for DAGs that no project has.
func (c variablesConfig) allowed(d *dag.DAG) (names []string) {
	for _, path := range slices.Sorted(maps.Keys(c.Projects)) {
		if path == "*" || dag.IsOfPath(d.Source.Project, path) {
			names = append(names, c.Projects[path]...)
		}
	}
	if d.Source.Project != "" {
		return names
	}
	for _, id := range slices.Sorted(maps.Keys(c.DAGs)) {
		if podspec.Allows([]string{id}, string(d.ID)) {
			names = append(names, c.DAGs[id]...)
		}
	}
	return names
}

// variableText is a variable in YAML: a scalar as it is written, or anything else as JSON.
type variableText string

// UnmarshalYAML reads what stands at a variable's name.
func (t *variableText) UnmarshalYAML(n *yaml.Node) error {
	text, reason := textOfVariable(n)
	if reason != "" {
		return errors.New(reason)
	}
	*t = variableText(text)
	return nil
}

// textOfVariable is the text that Airflow would keep of a value, or why it is none. A
// mapping or a list becomes JSON as json.dumps(…, indent=2) has it, in the file's order.
func textOfVariable(n *yaml.Node) (text, reason string) {
	n = aliased(n)
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "!!null" {
			return "", `is empty; want a value, or "" for a text without a character`
		}
		return n.Value, variableFault(n.Value)
	}
	var b bytes.Buffer
	if reason := writeJSON(&b, n, 0); reason != "" {
		return "", reason
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return "", "cannot be written as JSON"
	}
	return out.String(), variableFault(out.String())
}

// variableFault says why a text cannot be a variable.
func variableFault(text string) string {
	switch {
	case len(text) > maxVariable:
		return fmt.Sprintf("has more than %d bytes", maxVariable)
	case !utf8.ValidString(text):
		return "is not text in UTF-8"
	case strings.IndexByte(text, 0) >= 0:
		return "has a NUL character"
	}
	return ""
}

// maxVariableDepth bounds how deep a variable is nested.
const maxVariableDepth = 32

// writeJSON writes a YAML value as JSON. Numbers stay as they are written.
func writeJSON(b *bytes.Buffer, n *yaml.Node, depth int) (reason string) {
	if depth > maxVariableDepth {
		return fmt.Sprintf("is nested deeper than %d", maxVariableDepth)
	}
	if b.Len() > maxVariable {
		return fmt.Sprintf("has more than %d bytes", maxVariable)
	}
	n = aliased(n)
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := aliased(n.Content[i])
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return "has a key that is not a text"
			}
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, key.Value)
			b.WriteByte(':')
			if reason := writeJSON(b, n.Content[i+1], depth+1); reason != "" {
				return reason
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if reason := writeJSON(b, item, depth+1); reason != "" {
				return reason
			}
		}
		b.WriteByte(']')
	case yaml.ScalarNode:
		writeScalar(b, n)
	default:
		return "is not a value"
	}
	return ""
}

func writeScalar(b *bytes.Buffer, n *yaml.Node) {
	var yes bool
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		b.WriteString("null")
	case tag == "!!bool" && n.Decode(&yes) == nil:
		fmt.Fprintf(b, "%t", yes)
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(n.Value)):
		b.WriteString(n.Value)
	default:
		writeText(b, n.Value)
	}
}

// writeText writes a text as JSON.
func writeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text always marshals
	b.Truncate(b.Len() - 1)
}

// variableName reports whether a variable can have a name.
func variableName(s string) bool {
	return s != "" && len(s) <= 250 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// variableReader reads variables and where each is from.
type variableReader struct {
	values map[string]string
	from   map[string]string
}

// read reads the variables of all sources. The error names the file, and never has a value
// in it.
func (c variablesConfig) read() (map[string]string, error) {
	r := variableReader{values: map[string]string{}, from: map[string]string{}}
	for name, text := range c.Values {
		r.values[name], r.from[name] = string(text), "variables.values"
	}
	for i, path := range c.Files {
		if err := r.path(path); err != nil {
			return nil, fmt.Errorf("variables.files[%d]: %w", i, err)
		}
	}
	return r.values, nil
}

// add takes a variable over.
func (r *variableReader) add(file, name, text string) error {
	reason := variableFault(text)
	switch other, twice := r.from[name]; {
	case !variableName(name):
		return fmt.Errorf("%s: %.60q is not a name for a variable", file, name)
	case twice:
		return fmt.Errorf("%s: the variable %.60q is in %s, too; want it once", file, name, other)
	case len(r.values) >= maxVariables:
		return fmt.Errorf("%s: there are more than %d variables", file, maxVariables)
	case reason != "":
		return fmt.Errorf("%s: the variable %.60q %s", file, name, reason)
	}
	r.values[name], r.from[name] = text, file
	return nil
}

// path reads a folder with a file for each variable, or a file with many.
func (r *variableReader) path(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return errors.New(causeOf(err, path))
	}
	if !info.IsDir() {
		return r.file(path)
	}
	for _, file := range secretFiles(path) {
		text, err := readBounded(file, maxVariable+len("\r\n"))
		if err != nil {
			return err
		}
		// What writes a file ends it with a line break that is not meant.
		value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if err := r.add(file, filepath.Base(file), value); err != nil {
			return err
		}
	}
	return nil
}

// readBounded reads a file that has so many bytes at most.
func readBounded(file string, most int) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.New(causeOf(err, file))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, errors.New(causeOf(err, file))
	}
	if len(text) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", file, most)
	}
	return text, nil
}

// file reads a file with a mapping of names to values.
func (r *variableReader) file(path string) error {
	text, err := readBounded(path, maxVariablesFile)
	if err != nil {
		return err
	}
	switch filepath.Ext(path) {
	case ".json":
		return r.json(path, text)
	case ".yaml", ".yml":
		return r.yaml(path, text)
	}
	return fmt.Errorf("%s is not a folder, and its name ends in none of .json, .yaml and .yml", path)
}

// json reads what "airflow variables export" writes: texts, other values as JSON, and both
// with a description.
func (r *variableReader) json(path string, text []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil || all == nil {
		return fmt.Errorf("%s is not a JSON object of names and values", path)
	}
	if at, reason := dag.LossyJSON(text); reason != "" {
		return fmt.Errorf("%s, behind %d bytes: %s", path, at, reason)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		raw := all[name]
		var described map[string]json.RawMessage
		if raw[0] == '{' && json.Unmarshal(raw, &described) == nil && described["value"] != nil {
			raw = described["value"]
		}
		var value string
		if raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
			var out bytes.Buffer
			_ = json.Indent(&out, raw, "", "  ") // valid JSON
			value = out.String()
		}
		if err := r.add(path, name, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *variableReader) yaml(path string, text []byte) error {
	doc, err := dag.ReadYAML(text, maxVariableDepth)
	if fault := (*dag.SpecError)(nil); errors.As(err, &fault) {
		// The reason may quote the file.
		return fmt.Errorf("%s:%d: is not YAML of names and values, or larger than 1 MiB", path, max(fault.Line, 1))
	}
	if doc != nil && doc.Kind == yaml.DocumentNode {
		doc = doc.Content[0]
	}
	if doc = aliased(doc); doc == nil || doc.Kind != yaml.MappingNode {
		return fmt.Errorf("%s is not a mapping of names to values", path)
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		name, value := doc.Content[i], doc.Content[i+1]
		if described := valueOf(value, "value"); described != nil {
			value = described
		}
		text, reason := textOfVariable(value)
		if reason != "" {
			return fmt.Errorf("%s:%d: the variable %.60q %s", path, value.Line, name.Value, reason)
		}
		if err := r.add(fmt.Sprintf("%s:%d", path, name.Line), name.Value, text); err != nil {
			return err
		}
	}
	return nil
}

// fileState tells one writing of a file from another.
type fileState struct {
	name    string
	changed time.Time
	size    int64
}

// statesOf are the states of files, and of the files in folders. One that cannot be reached
// has none.
func statesOf(paths []string) (states []fileState) {
	for _, path := range paths {
		for _, file := range secretFiles(path) {
			state := fileState{name: file}
			if info, err := os.Stat(file); err == nil { // follows links: a ConfigMap is changed by one
				state.changed, state.size = info.ModTime(), info.Size()
			} else if errors.Is(err, fs.ErrNotExist) {
				state.size = -1
			}
			states = append(states, state)
		}
	}
	return states
}
