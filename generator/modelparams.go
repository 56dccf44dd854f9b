package generator

import (
	"encoding/json"
	"slices"
	"strings"

	"dagwright/dag"
)

// paramKeys are the words of JSON Schema that a param may use.
var paramKeys = []string{
	"additionalProperties", "default", "description", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items",
	"maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "multipleOf", "pattern", "properties",
	"required", "title", "type", "uniqueItems",
}

// paramTypes are the types that a param may have, with whether they come with
// text.
var paramTypes = []string{"array", "boolean", "integer", "number", "object", "string"}

// params reads the params in file order. A scalar or list is a default; a
// mapping is a schema.
func (r *modelReader) params(n *field) []dag.Param {
	var out []dag.Param
	r.paramFields = map[string]*field{}
	for _, p := range r.pairs(n) {
		// A param is set by a run's conf, so its name must be a key of one.
		if err := dag.CheckConf(map[string]any{p.key: ""}); err != nil {
			r.faultKey(n, p,
				"cannot be the name of a param: it becomes an environment variable; want letters, digits and _, and none that dagwright or the system uses")
			continue
		}
		r.paramFields[p.key] = p.value
		param := dag.Param{Name: p.key}
		if p.value.kind == mapKind {
			r.param(p.value, &param)
		} else if param.Default = written(p.value); param.Default == nil {
			param.Default = ""
		}
		out = append(out, param)
	}
	return out
}

func (r *modelReader) param(n *field, p *dag.Param) {
	before := len(r.faults)
	p.Schema = map[string]any{}
	handlers := map[string]func(*field){}
	for _, key := range paramKeys {
		handlers[key] = func(f *field) { p.Schema[key] = plain(f) }
	}
	r.keys(n, handlers)
	if len(r.faults) > before {
		return
	}
	r.checkParam(n, p)
}

// checkParam completes a param: the type from the default, the default from the
// type.
func (r *modelReader) checkParam(n *field, p *dag.Param) {
	for _, key := range []string{"type", "description", "title", "format", "pattern"} {
		if v, ok := p.Schema[key]; ok {
			if _, isText := v.(string); !isText {
				r.fault(n.get(key), "must be a text")
				return
			}
		}
	}
	p.Description, _ = p.Schema["description"].(string)
	delete(p.Schema, "description")
	delete(p.Schema, "default")
	given := n.get("default")
	kind, ok := p.Schema["type"].(string)
	switch {
	case !ok && given == nil:
		kind = "string"
	case !ok:
		kind = typeOf(written(given))
	case !slices.Contains(paramTypes, kind):
		r.fault(n.get("type"), "there is no type %.40q; there are %s", kind, strings.Join(paramTypes, ", "))
		return
	}
	p.Schema["type"] = kind
	if enum := n.get("enum"); enum != nil && enum.kind == listKind {
		p.Schema["enum"] = asList(enum, p.Schema)
	}
	if given != nil {
		p.Default = asType(given, p.Schema)
	}
	p.NoDefault = given == nil
	if p.Default == nil {
		p.Default = zeroOf[kind]
	}
	if key, err := dag.CheckSchema(p.Schema); err != nil {
		r.fault(n.get(key), "%v", err)
		return
	}
	if p.Default == "" {
		return // stands for "not given"
	}
	// The check lets the default itself pass, so it must not know it as such.
	if err := (dag.Param{Name: p.Name, Schema: p.Schema}).Check(p.Default); err != nil {
		if p.NoDefault {
			r.fault(n, "has no default, and what a DAG with a schedule takes then does not fit: %v; write a default", err)
			return
		}
		r.fault(given, "the default does not fit: %v", err)
	}
}

// zeroOf are the defaults of params that name none.
var zeroOf = map[string]any{
	"string": "", "boolean": false, "integer": int64(0), "number": int64(0), "array": []any{}, "object": map[string]any{},
}

// asType turns a value into Go's, by the type that its schema wants: a text is whatever
// the file has, and a number is one only when it is written as JSON writes numbers.
func asType(n *field, schema map[string]any) any {
	_, isBool := n.scalar.(bool)
	switch kind := schema["type"]; {
	case kind == "string" && n.kind == otherScalarKind:
		return n.text
	case kind == "boolean" && isBool:
		return n.scalar
	case (kind == "integer" || kind == "number") && n.kind == otherScalarKind && jsonNumber.MatchString(n.text):
		return n.scalar
	case kind == "array" && n.kind == listKind:
		items, _ := schema["items"].(map[string]any)
		return asList(n, items)
	case kind == "object" && n.kind == mapKind:
		properties, _ := schema["properties"].(map[string]any)
		out := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			property, _ := properties[p.key].(map[string]any)
			out[p.key] = asType(p.value, property)
		}
		return out
	}
	return written(n)
}

// asList turns each item of a list into a value of a schema.
func asList(n *field, schema map[string]any) []any {
	out := make([]any, 0, len(n.items))
	for _, item := range n.items {
		out = append(out, asType(item, schema))
	}
	return out
}

func typeOf(v any) string {
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return "number"
		}
		return "integer"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "string"
}
