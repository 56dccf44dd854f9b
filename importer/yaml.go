package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// simple are texts that no YAML reads as anything else than a text.
var simple = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*$`)

// words are simple texts that some YAML reads as something else.
var words = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true,
	"false": true, "null": true}

// encode writes a tree as YAML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(toNode(v)); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), nil
}

func toNode(v any) *yaml.Node {
	scalar := func(tag, value string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
	}
	switch v := v.(type) {
	case mapping:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range v {
			n.Content = append(n.Content, textNode(f.key), toNode(f.value))
		}
		if len(v) == 0 || isShort(v) {
			n.Style = yaml.FlowStyle
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, e := range v {
			n.Content = append(n.Content, toNode(e))
		}
		if len(v) == 0 || isShort(v) {
			n.Style = yaml.FlowStyle
		}
		return n
	case string:
		return textNode(v)
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return scalar("!!float", v.String())
		}
		return scalar("!!int", v.String())
	case bool:
		return scalar("!!bool", fmt.Sprint(v))
	}
	return scalar("!!null", "null")
}

func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case strings.Contains(s, "\n"):
		n.Style = yaml.LiteralStyle
	case !simple.MatchString(s) || words[strings.ToLower(s)]:
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// maxShort bounds what is written in one line, in characters.
const maxShort = 80

// isShort reports whether a value has scalars only, or objects of scalars, that fit in a line.
func isShort(v any) bool {
	width := 0
	return measure(v, &width, 0) && width <= maxShort
}

func measure(v any, width *int, depth int) bool {
	switch v := v.(type) {
	case mapping:
		for _, f := range v {
			*width += len(f.key) + 4
			if depth > 2 || f.key == "task_id" || !measure(f.value, width, depth+1) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			*width += 2
			if depth > 2 || !measure(e, width, depth+1) {
				return false
			}
		}
	case string:
		*width += len(v) + 2
		return !strings.Contains(v, "\n")
	default:
		*width += len(fmt.Sprint(v))
	}
	return *width <= maxShort
}
