package generator

import (
	"strings"

	"dagwright/dag"
	"dagwright/docs"
	"dagwright/shape"
)

// ModelSchema is a JSON Schema of a model's file. Which keys there are is what the readers'
// own tables say; what a value looks like stands beside them, in valueShapes. A file that it
// takes can still be wrong: [ParseModel] says so.
func ModelSchema() shape.Shape {
	r := &modelReader{}
	s := schemaWriter{values: valueShapes(), definitions: map[string]shape.Shape{}}
	task := s.section("retrain.tasks[].", r.step(&Step{}, nil)).With("required", []string{"task_id"})
	s.values["tasks"] = shape.List(task).With("minItems", 1).With("maxItems", maxSteps).OrNull()
	s.values["scoring"] = s.section("scoring.", r.scoring(&ScoringModel{})).OrNull()
	s.values["retrain"] = s.section("retrain.", r.retrain(&RetrainModel{})).OrNull()
	entry := s.section("models[].", r.entryKeys(&Entry{})).With("required", []string{"name"})
	s.values["models"] = shape.List(entry).With("maxItems", maxEntries).OrNull()
	var models *field
	root := s.section("", r.top(&Model{}, &models)).OrNull()
	return shape.File("dagwright's file of a model, "+ModelFile, root, s.definitions)
}

// schemaWriter makes the sections of a model's file. Each key is defined once.
type schemaWriter struct {
	values      map[string]shape.Shape
	definitions map[string]shape.Shape
}

// section is a mapping with the keys of readers. path leads to them, as docs/model.md writes
// it of those that have no other place.
func (s schemaWriter) section(path string, readers map[string]func(*field)) shape.Shape {
	keys := make(map[string]shape.Shape, len(readers))
	for key := range readers {
		name, text := key, docs.ModelKey(key)
		if text == "" {
			name, text = path+key, docs.ModelKey(path+key)
		}
		name = strings.ReplaceAll(name, "[]", "")
		keys[key] = shape.Ref(name)
		if _, there := s.definitions[name]; there {
			continue
		}
		value := s.values[key]
		if text != "" {
			value = value.Described(text)
		}
		s.definitions[name] = value
	}
	return shape.Section(keys)
}

// Patterns. Each takes at least what the reader takes.
const (
	idShape     = `^[A-Za-z0-9._-]{1,250}$`
	folderShape = `^[^/\\][^\\]*$`
	secretShape = `[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?`
	holderShape = `\{(short_sha|sha|branch|project)\}`
	imageShape  = `^([A-Za-z0-9]|` + holderShape + `)([A-Za-z0-9._/:@-]|` + holderShape + `)*$`
)

// valueShapes says of each key of a model's file what stands there. What is null is absent
// where a mapping or a list is wanted.
func valueShapes() map[string]shape.Shape {
	text := shape.Text(`\S`).With("maxLength", 250)
	folder := shape.Text(folderShape).With("maxLength", maxText)
	id := shape.Text(idShape)
	command := shape.List(shape.Scalar()).With("minItems", 1).OrNull()
	span := shape.Text(duration.String())
	amount := shape.Any(shape.Text(quantity.String()), shape.Of("number").With("minimum", 0))
	quantities := names(resourceName.String(), amount)
	tags := shape.List(text.With("maxLength", maxTag)).With("maxItems", maxTags).With("uniqueItems", true).OrNull()
	secret := shape.Text(`^` + secretShape + `/[A-Za-z0-9._-]{1,253}$`)
	crons := shape.List(text).With("minItems", 1).With("maxItems", maxExpressions)
	rules := make([]string, len(dag.TriggerRules))
	for i, rule := range dag.TriggerRules {
		rules[i] = string(rule)
	}
	arguments := map[string]shape.Shape{}
	for _, name := range OfferedArguments() {
		arguments[name] = shape.Anything()
	}
	return map[string]shape.Shape{
		"owner":       text,
		"timezone":    shape.Of("string").With("minLength", 1).With("maxLength", 64),
		"params":      names(`^[A-Za-z_][A-Za-z0-9_]*$`, paramShape()),
		"wait_for":    shape.Words(WaitPipeline, WaitImage, WaitNone),
		"wait_stages": shape.List(text).OrNull(),

		"image":           shape.Text(imageShape).With("maxLength", maxText),
		"env":             few(names(envPattern.String(), shape.Scalar())),
		"secrets":         few(names(`^[A-Z_][A-Z0-9_]{0,249}$`, secret)),
		"secret_files":    few(names(mountPattern.String(), shape.Text(secretName.String()))),
		"volumes":         few(names(mountPattern.String(), shape.Of("string"))),
		"profile":         shape.Of("string"),
		"resources":       shape.Section(map[string]shape.Shape{"requests": quantities, "limits": quantities}).OrNull(),
		"retries":         shape.Whole(0, maxRetries),
		"retry_delay":     span,
		"timeout":         span,
		"pod":             shape.Section(arguments).OrNull(),
		"description":     text,
		"docs":            shape.Text(folderShape).With("maxLength", maxText),
		"tags":            tags,
		"run_timeout":     span,
		"max_active_runs": shape.Whole(1, maxRuns),
		"catchup":         shape.Of("boolean"),
		"start_date":      shape.Text(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`),

		"schedule": shape.Any(shape.Of("null"), text, crons),
		"command":  command,
		"task_id":  id,
		"needs":    shape.List(id).With("maxItems", maxSteps).With("uniqueItems", true).OrNull(),

		"trigger_rule": shape.Words(rules...),
		"name":         id,
		"path":         folder,
		"watch":        shape.List(folder).OrNull(),
	}
}

// names takes a mapping whose names match a pattern, or nothing.
func names(pattern string, values shape.Shape) shape.Shape {
	return shape.Mapping(values).With("propertyNames", shape.Shape{"pattern": pattern}).OrNull()
}

func few(mapping shape.Shape) shape.Shape { return mapping.With("maxProperties", maxNames) }

// paramShape takes a default, or a mapping that is a schema.
func paramShape() shape.Shape {
	part := shape.Of("object", "boolean")
	size := shape.Of("number").With("minimum", 0)
	keys := map[string]shape.Shape{
		"type": shape.Words(paramTypes...), "description": shape.Of("string"), "title": shape.Of("string"),
		"format": shape.Of("string"), "pattern": shape.Of("string"),
		"enum": shape.List(shape.Anything()).With("minItems", 1), "required": shape.List(shape.Of("string")),
		"uniqueItems": shape.Of("boolean"), "items": part, "additionalProperties": part,
		"properties": shape.Mapping(part), "default": shape.Anything(),
	}
	for _, key := range []string{"minItems", "maxItems", "minLength", "maxLength", "multipleOf"} {
		keys[key] = size
	}
	for _, key := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
		keys[key] = shape.Of("number")
	}
	known := make(map[string]shape.Shape, len(paramKeys))
	for _, key := range paramKeys {
		known[key] = keys[key]
	}
	return shape.Shape{"if": shape.Of("object"), "then": shape.Section(known)}
}
