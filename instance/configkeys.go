package instance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/generator"
)

// configFile is a configuration file as it is read, and what is wrong with it.
type configFile struct {
	name   string
	root   *yaml.Node // nil when the file is empty
	faults dag.SpecErrors
}

// parseConfig reads a file's one YAML document.
func parseConfig(name string, text io.Reader) (*configFile, error) {
	f := &configFile{name: name}
	source, err := io.ReadAll(text)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(source))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return f, nil
	case err != nil:
		fault := &dag.SpecError{File: name, Reason: err.Error()}
		if _, err := dag.ReadYAML(source, 10_000); errors.As(err, &fault) { // knows the line
			fault.File = name
		}
		return nil, fault
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &dag.SpecError{File: name, Line: more.Line, Column: more.Column,
			Reason: "another document begins here; want one"}
	}
	f.root = doc.Content[0]
	return f, nil
}

// err is everything that is wrong, in file order; nil when nothing is. What is missing comes last.
func (f *configFile) err() error {
	if len(f.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(f.faults, func(a, b *dag.SpecError) int {
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line - a.Line
		}
		return a.Line - b.Line
	})
	return f.faults
}

// fault reports a fault of a key, such as "scheduler.poll", at its place. A key that is not in the file has the
// place of the section in which it would stand.
func (f *configFile) fault(key, format string, args ...any) {
	f.at(f.find(key), key, format, args...)
}

// want reports a fault of a key unless ok.
func (f *configFile) want(ok bool, key, reason string) {
	if !ok {
		f.fault(key, "%s", reason)
	}
}

// wantAll reports faults that another package found in a section. Others than of a key are of the section.
func (f *configFile) wantAll(section string, err error) {
	var many dag.SpecErrors
	if !errors.As(err, &many) {
		f.want(err == nil, section, reasonOf(err))
		return
	}
	for _, e := range many {
		f.fault(section+"."+e.Path, "%s", e.Reason)
	}
}

func (f *configFile) at(n *yaml.Node, key, format string, args ...any) {
	e := &dag.SpecError{File: f.name, Path: key, Reason: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	f.faults = append(f.faults, e)
}

// find gives the node of a key, or of the innermost section around it that is in the file.
func (f *configFile) find(key string) (found *yaml.Node) {
	n := f.root
	for part := range strings.SplitSeq(key, ".") {
		part, _, _ = strings.Cut(part, "[")
		if n = valueOf(n, part); n == nil {
			break
		}
		found = n
	}
	return found
}

// has reports whether a key is in the file.
func (f *configFile) has(key string) bool {
	n := f.root
	for part := range strings.SplitSeq(key, ".") {
		n = valueOf(n, part)
	}
	return n != nil
}

func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n = aliased(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// aliased is the node that an alias stands for.
func aliased(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// reasonOf is an error's text without the word by which programs tell that it is the user's.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimSuffix(err.Error(), ": "+dag.ErrInvalid.Error())
}

// decode reads the file into c, which points to a struct, if every key that stands in it is known and has a value of
// its type that can work at all.
func (f *configFile) decode(c any) {
	if f.root == nil {
		return
	}
	f.section(f.root, "", reflect.TypeOf(c).Elem())
	if len(f.faults) > 0 {
		return
	}
	if err := f.root.Decode(c); err != nil {
		f.fault("", "%s", err)
	}
}

// section checks the keys of a mapping against the fields of a struct.
func (f *configFile) section(n *yaml.Node, path string, t reflect.Type) {
	if n = aliased(n); n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // its keys may be commented out
	}
	fields := fieldsOf(t)
	if n.Kind != yaml.MappingNode {
		f.at(n, path, "is %s; want a section with keys such as %s", kindOf(n), fields[0].key)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(c configField) bool { return c.key == key.Value })
		switch {
		case f.twice(n, i, path):
		case key.Tag == "!!merge":
			f.section(value, path, t)
		case at < 0:
			f.at(key, path, "unknown key %q%s", key.Value, hintOf(key.Value, keysOf(fields)))
		default:
			f.value(value, joinKey(path, key.Value), fields[at].of)
		}
	}
}

// hintOf says which key of a section was meant or, of a small one, which there are.
func hintOf(key string, keys []string) string {
	if hint := dag.DidYouMean(key, keys); hint != "" || len(keys) > 8 {
		return hint
	}
	return "; want " + strings.Join(keys, ", ")
}

// twice reports a key of a mapping, by its index, that stands in it before.
func (f *configFile) twice(n *yaml.Node, i int, path string) bool {
	for j := 0; j < i; j += 2 {
		if first, key := n.Content[j], n.Content[i]; first.Value == key.Value && key.Tag != "!!merge" {
			f.at(key, joinKey(path, key.Value), "is here a second time, first in line %d; want it once", first.Line)
			return true
		}
	}
	return false
}

// configField is one key of a section.
type configField struct {
	key string
	of  reflect.Type
}

// fieldsOf lists the keys of a section, with those of the structs that are part of it.
func fieldsOf(t reflect.Type) (all []configField) {
	for i := range t.NumField() {
		field := t.Field(i)
		switch key, options, _ := strings.Cut(field.Tag.Get("yaml"), ","); {
		case options == "inline":
			all = append(all, fieldsOf(field.Type)...)
		case key != "" && key != "-":
			all = append(all, configField{key, field.Type})
		}
	}
	return all
}

func keysOf(fields []configField) []string {
	keys := make([]string, len(fields))
	for i, c := range fields {
		keys[i] = c.key
	}
	return keys
}

func joinKey(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

// kindOf says what stands in a file.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a section"
	case n.Value == "" || n.Tag == "!!null":
		return "empty"
	}
	return fmt.Sprintf("%.60q", n.Value)
}

// value checks what stands at a key against the type of its field, and against what configValues says of it.
func (f *configFile) value(n *yaml.Node, path string, t reflect.Type) {
	n = aliased(n)
	switch {
	case t == reflect.TypeFor[authConfig]() && n.Kind != yaml.MappingNode:
		f.want(n.Kind == yaml.ScalarNode && n.Value == "none", path, `want "none", or a section with oidc (docs/auth.md)`)
	case t == reflect.TypeFor[groupList]():
		if n.Kind != yaml.ScalarNode || n.Value != "any" {
			f.list(n, path)
		}
	case t == reflect.TypeFor[ruleList]():
		f.want(kindOf(n) != "empty", path, "is empty; want a list of rules (docs/auth.md)") // reading the rules says more
	case t == reflect.TypeFor[keepTime](), t == reflect.TypeFor[byteCount](), t == reflect.TypeFor[time.Duration]():
		f.scalar(n, path, t)
	case t.Kind() == reflect.Struct:
		f.section(n, path, t)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		f.sections(n, path, t.Elem())
	case t.Kind() == reflect.Slice:
		f.list(n, path)
	case t.Kind() == reflect.Map:
		f.mapping(n, path, path, t.Elem())
	default:
		f.scalar(n, path, t)
	}
}

// sections checks a list of sections.
func (f *configFile) sections(n *yaml.Node, path string, t reflect.Type) {
	if n.Kind != yaml.SequenceNode {
		f.at(n, path, "is %s; want %s", kindOf(n), ruleOf(path).want)
	}
	for i, item := range n.Content {
		if n.Kind == yaml.SequenceNode {
			f.section(item, fmt.Sprintf("%s[%d]", path, i), t)
		}
	}
}

// list checks a list of texts.
func (f *configFile) list(n *yaml.Node, path string) {
	rule := ruleOf(path)
	switch {
	case n.Kind != yaml.SequenceNode:
		f.at(n, path, "is %s; want %s", kindOf(n), rule.want)
	case len(n.Content) == 0 && !rule.empty:
		f.at(n, path, "is empty; want %s, or leave the key out", rule.want)
	}
	for i, item := range n.Content {
		item = aliased(item)
		if n.Kind == yaml.SequenceNode && (item.Kind != yaml.ScalarNode || item.Value == "" || item.Tag == "!!null") {
			f.at(item, fmt.Sprintf("%s[%d]", path, i), "is %s; want %s", kindOf(item), rule.want)
		} else if n.Kind == yaml.SequenceNode && !rule.takes(item.Value) {
			f.at(item, fmt.Sprintf("%s[%d]", path, i), "%.200q is wrong; want %s", item.Value, rule.want)
		}
	}
}

// mapping checks names that have values of one type, by what configValues says of a key.
func (f *configFile) mapping(n *yaml.Node, path, key string, of reflect.Type) {
	rule := ruleOf(key)
	switch {
	case n.Kind != yaml.MappingNode:
		f.at(n, path, "is %s; want %s", kindOf(n), rule.want)
		return
	case len(n.Content) == 0 && !rule.empty:
		f.at(n, path, "is empty; want %s, or leave the key out", rule.want)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], aliased(n.Content[i+1])
		switch {
		case f.twice(n, i, path):
		case name.Value == "" || name.Tag == "!!null":
			f.at(name, path, "has an empty name; want %s", rule.want)
		case path == key && rule.name != nil && !rule.name(name.Value):
			f.at(name, path, "has the name %.60q; want %s", name.Value, rule.want)
		case of == reflect.TypeFor[variableText]():
			if _, reason := textOfVariable(value); reason != "" {
				f.at(value, joinKey(path, name.Value), "%s", reason)
			}
		case of.Kind() == reflect.Map:
			f.mapping(value, joinKey(path, name.Value), key, of.Elem())
		case of.Kind() == reflect.Slice:
			f.list(value, joinKey(path, name.Value))
		case of.Kind() == reflect.Struct:
			f.section(value, joinKey(path, name.Value), of)
		case !scalarOf(value, of, rule):
			f.at(value, joinKey(path, name.Value), "is %s; want %s", kindOf(value), rule.want)
		}
	}
}

// scalar checks a single value.
func (f *configFile) scalar(n *yaml.Node, path string, t reflect.Type) {
	rule := ruleOf(path)
	if scalarOf(n, t, rule) {
		return
	}
	or := ""
	if kindOf(n) == "empty" {
		or = ", or leave the key out"
	}
	f.at(n, path, "is %s; want %s%s", kindOf(n), rule.want, or)
}

// scalarOf reports whether a node is a value of a type that a key may have.
func scalarOf(n *yaml.Node, t reflect.Type, rule configValue) bool {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		return false
	case t == reflect.TypeFor[keepTime]():
		d, err := parseDays(n.Value)
		return err == nil && d >= 0
	case t == reflect.TypeFor[byteCount]():
		_, ok := parseBytes(n.Value)
		return ok
	case t == reflect.TypeFor[generator.Duration]():
		_, err := generator.ParseDuration(n.Value)
		return err == nil || n.Value == "0"
	case t == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(n.Value)
		return err == nil && d >= max(rule.least, 1)
	}
	switch t.Kind() {
	case reflect.Bool:
		return n.Decode(new(bool)) == nil
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		return err == nil && (i > 0 || i == 0 && rule.zero) && i <= maxConfigNumber
	case reflect.Float64:
		x, err := strconv.ParseFloat(n.Value, 64)
		return err == nil && x > 0 && x <= maxConfigNumber
	case reflect.String:
		return n.Value == "" && rule.empty || n.Value != "" && rule.takes(n.Value)
	}
	return false
}

// maxConfigNumber is more than any number of things that an instance has, and as days more than a time can be.
const maxConfigNumber = 100_000
