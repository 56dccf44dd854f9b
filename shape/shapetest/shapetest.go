// Package shapetest compares shapes with the readers that they describe: a shape must take
// whatever its reader takes, and refuse what the reader refuses for its structure. The files
// are those that tests hold anyway, and files made from them by small changes.
package shapetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"dagwright/shape"
)

// Reader is a reader with the shape that describes its files.
type Reader struct {
	Shape shape.Shape
	// Read reads a file.
	Read func(source []byte) error
	// Structural matches the reader's complaints about unknown keys, values of a wrong kind and
	// unknown words, which the shape must have, too.
	Structural *regexp.Regexp
	// Hidden matches places, as in /default/tags, of values that the reader never looks at when
	// others hide them. There alone the shape may refuse what the reader takes.
	Hidden *regexp.Regexp

	schema *jsonschema.Schema
}

// Compile checks that the shape is a JSON Schema of draft-07.
func (r *Reader) Compile(t testing.TB) {
	t.Helper()
	text, err := json.Marshal(r.Shape)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("file.json", document); err != nil {
		t.Fatal(err)
	}
	if r.schema, err = c.Compile("file.json"); err != nil {
		t.Fatal(err)
	}
}

// Check reads a file and applies the shape to it: it fails the test where one takes what the
// other must not refuse. It reports whether the reader takes the file.
func (r *Reader) Check(t testing.TB, source []byte) bool {
	t.Helper()
	value, ok := valueOf(source)
	if !ok {
		return false
	}
	fault, refusal := r.Read(source), r.schema.Validate(value)
	switch {
	case fault == nil && refusal != nil && !r.isHidden(refusal):
		t.Errorf("the reader takes a file that its shape refuses: %v\n%s", refusal, source)
	case fault != nil && refusal == nil && r.Structural.MatchString(fault.Error()):
		t.Errorf("the shape takes a file that its reader refuses: %v\n%s", fault, source)
	}
	return fault == nil
}

// isHidden reports whether all that the shape refuses is in places that may be hidden.
func (r *Reader) isHidden(refusal error) bool {
	var e *jsonschema.ValidationError
	if r.Hidden == nil || !errors.As(refusal, &e) {
		return false
	}
	if len(e.Causes) == 0 || r.Hidden.MatchString(place(e)) {
		return r.Hidden.MatchString(place(e))
	}
	for _, cause := range e.Causes {
		if !r.isHidden(cause) {
			return false
		}
	}
	return true
}

func place(e *jsonschema.ValidationError) string { return "/" + strings.Join(e.InstanceLocation, "/") }

// valueOf is a file as an editor sees it: JSON, with aliases and merge keys written out. It
// returns false for what is not one YAML document of bounded size.
func valueOf(source []byte) (any, bool) {
	var doc yaml.Node
	if len(source) > 1<<16 || yaml.Unmarshal(source, &doc) != nil || len(doc.Content) == 0 {
		return nil, false
	}
	left := 10_000
	return jsonOf(doc.Content[0], &left)
}

func jsonOf(n *yaml.Node, left *int) (any, bool) {
	if *left--; *left < 0 {
		return nil, false
	}
	switch n.Kind {
	case yaml.AliasNode:
		return jsonOf(n.Alias, left)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, ok := jsonOf(item, left)
			if !ok {
				return nil, false
			}
			list[i] = v
		}
		return list, true
	case yaml.MappingNode:
		return mappingOf(n, left)
	}
	return scalarOf(n), true
}

func mappingOf(n *yaml.Node, left *int) (any, bool) {
	m := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		v, ok := jsonOf(n.Content[i+1], left)
		if !ok {
			return nil, false
		}
		if n.Content[i].ShortTag() != "!!merge" {
			m[n.Content[i].Value] = v
			continue
		}
		below, isList := v.([]any)
		if !isList {
			below = []any{v}
		}
		for _, one := range below {
			values, _ := one.(map[string]any)
			for key, v := range values {
				if _, there := m[key]; !there {
					m[key] = v
				}
			}
		}
	}
	return m, true
}

func scalarOf(n *yaml.Node) any {
	var v any
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		if n.Decode(&v) != nil {
			return n.Value
		}
	default:
		return n.Value
	}
	if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return n.Value // no number of JSON's
	}
	if _, isBool := v.(bool); isBool {
		return v
	}
	return json.Number(fmt.Sprint(v))
}

// values are what a mutant has in the place of something else.
var values = []string{"~", "true", "no", "5", "-1", "1.5", "0", "x", `""`, "'5'", "[]", "{}", "[x]", "{x: y}", "[[x]]",
	"[{x: y}]", "2026-01-31", "90s", "a/b", "/a/b", "{__type__: datetime.timedelta, hours: 1}",
	"{__type__: builtins.list, items: [x]}", "'{{ ds }}'", "none", "500m"}

// Mutate changes a file in one to three places: another value, a key less, a key more.
func Mutate(random *rand.Rand, source []byte, keys []string) ([]byte, bool) {
	var doc yaml.Node
	if yaml.Unmarshal(source, &doc) != nil || len(doc.Content) == 0 {
		return nil, false
	}
	for range 1 + random.IntN(3) {
		var all []*yaml.Node
		collect(doc.Content[0], &all)
		n := all[random.IntN(len(all))]
		fresh := value(values[random.IntN(len(values))])
		switch random.IntN(4) {
		case 0:
			if i := 2 * random.IntN(1+len(n.Content)/2); n.Kind == yaml.MappingNode && i+1 < len(n.Content) {
				n.Content = slices.Delete(n.Content, i, i+2)
			}
		case 1:
			if n.Kind == yaml.MappingNode && len(keys) > 0 {
				n.Content = append(n.Content, value(keys[random.IntN(len(keys))]), fresh)
			}
		case 2: // what stands elsewhere
			*n = *value(string(mustMarshal(all[random.IntN(len(all))])))
		default:
			*n = *fresh
		}
	}
	out, err := yaml.Marshal(&doc)
	return out, err == nil
}

func mustMarshal(n *yaml.Node) []byte {
	text, err := yaml.Marshal(n)
	if err != nil {
		return nil
	}
	return text
}

func value(text string) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "~"}
	}
	return doc.Content[0]
}

func collect(n *yaml.Node, all *[]*yaml.Node) {
	*all = append(*all, n)
	for i, c := range n.Content {
		if n.Kind == yaml.SequenceNode || i%2 == 1 {
			collect(c, all)
		}
	}
}

// Literals are the texts in the Go files of a folder that match a pattern of names, with what
// is added to them there, if that has a name in the package: the files that its tests read.
func Literals(t testing.TB, pattern string) [][]byte {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	named := map[string]ast.Expr{}
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				addNames(named, g)
			}
		}
	}
	seen := map[string]bool{}
	var found [][]byte
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, ok := textOf(e, named)
			if ok && !seen[text] && strings.ContainsAny(text, ":\n") {
				seen[text] = true
				found = append(found, []byte(text))
			}
			return !ok
		})
	}
	return found
}

func addNames(named map[string]ast.Expr, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
			for i, name := range v.Names {
				named[name.Name] = v.Values[i]
			}
		}
	}
}

func textOf(e ast.Expr, named map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.Ident:
		if value, ok := named[e.Name]; ok {
			return textOf(value, named)
		}
	case *ast.BinaryExpr:
		x, ok := textOf(e.X, named)
		y, good := textOf(e.Y, named)
		return x + y, ok && good && e.Op == token.ADD
	}
	return "", false
}
