package generator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dagwright/dag"
)

// paramKeys are the words of JSON Schema that a param may use.
var paramKeys = []string{
	"default", "description", "enum", "format", "maxLength", "maximum", "minLength", "minimum", "pattern", "title", "type",
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
		} else if param.Default = plain(p.value); param.Default == nil {
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
	p.Default = p.Schema["default"]
	delete(p.Schema, "description")
	delete(p.Schema, "default")
	kind, ok := p.Schema["type"].(string)
	switch {
	case !ok:
		kind = typeOf(p.Default)
	case !slices.Contains(paramTypes, kind):
		r.fault(n.get("type"), "there is no type %.40q; there are %s", kind, strings.Join(paramTypes, ", "))
		return
	}
	p.Schema["type"] = kind
	if p.Default == nil {
		p.Default = zeroOf[kind]
	}
	if err := checkSchema(p.Schema); err != nil {
		r.fault(n, "%v", err)
		return
	}
	if p.Default == "" {
		return // stands for "not given"
	}
	// The check lets the default itself pass, so it must not know it as such.
	if err := (dag.Param{Name: p.Name, Schema: p.Schema}).Check(p.Default); err != nil {
		at := n.get("default")
		if at == nil {
			at = n
		}
		r.fault(at, "the default does not fit: %v", err)
	}
}

// zeroOf are the defaults of params that name none.
var zeroOf = map[string]any{
	"string": "", "boolean": false, "integer": int64(0), "number": int64(0), "array": []any{}, "object": map[string]any{},
}

func typeOf(v any) string {
	switch v.(type) {
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

func checkSchema(schema map[string]any) error {
	if pattern, ok := schema["pattern"].(string); ok {
		if _, err := regexp.Compile(pattern); err != nil || len(pattern) > maxText {
			return fmt.Errorf("the pattern is not understood")
		}
	}
	for _, key := range []string{"minimum", "maximum", "minLength", "maxLength"} {
		if v, ok := schema[key]; ok && typeOf(v) != "integer" && typeOf(v) != "number" {
			return fmt.Errorf("%s must be a number", key)
		}
	}
	if v, ok := schema["enum"]; ok {
		if list, isList := v.([]any); !isList || len(list) == 0 {
			return fmt.Errorf("enum must be a list of values")
		}
	}
	return nil
}
