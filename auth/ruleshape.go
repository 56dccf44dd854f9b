package auth

import (
	"dagwright/dag"
	"dagwright/shape"
)

// RuleListShape is what [ParseRuleList] reads, for editors.
func RuleListShape() shape.Shape {
	text := shape.Scalar().With("minLength", 1)
	texts := shape.Any(text, shape.List(text).With("minItems", 1))
	values := map[string]shape.Shape{
		"everyone": {"enum": []any{true, "true"}},
		"role":     shape.Words(dag.RoleViewer.String(), dag.RoleOperator.String(), dag.RoleAdmin.String()),
		"claims":   shape.Mapping(texts),
		"dags":     shape.Section(keysWith(dagKeys, nil, texts)).With("minProperties", 1),
	}
	rule := shape.Section(keysWith(ruleKeys, values, texts)).With("required", []string{"role"})
	return shape.List(rule).With("minItems", 1)
}

// keysWith gives each key the value that it has, or else another.
func keysWith(keys []string, values map[string]shape.Shape, other shape.Shape) map[string]shape.Shape {
	all := make(map[string]shape.Shape, len(keys))
	for _, key := range keys {
		all[key] = other
		if s, ok := values[key]; ok {
			all[key] = s
		}
	}
	return all
}
