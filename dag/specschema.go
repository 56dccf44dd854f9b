package dag

import (
	"maps"
	"slices"
	"strings"

	"dagwright/shape"
)

// SpecSchema is a JSON Schema of a spec file, made from the tables by which [Parser] reads it.
// objects are the shapes of Kubernetes objects by the operator's argument that holds one or a
// list of them, with the definitions that they refer to. A file that the schema takes can
// still be wrong, and one that it refuses is wrong, except that nothing is read of a default
// which all DAGs or tasks of the file say otherwise.
func SpecSchema(objects, definitions map[string]shape.Shape) shape.Shape {
	all := specDefinitions(objects, definitions)
	keys := map[string]shape.Shape{"default": shape.Ref("dag").OrNull(), "task_groups": shape.Anything()}
	root := shape.Mapping(shape.Ref("dag")).With("properties", keys).
		With("propertyNames", shape.Text(idPattern.String()))
	return shape.File("a DAG spec of dagwright", root, all)
}

// DefaultsSchema is a JSON Schema of a defaults file beside or above spec files, as
// [SpecSchema] is of these.
func DefaultsSchema(objects, definitions map[string]shape.Shape) shape.Shape {
	all := specDefinitions(objects, definitions)
	keys := dagShapes()
	delete(keys, "tasks")
	delete(keys, "task_groups")
	return shape.File("defaults of DAG specs of dagwright", shape.Section(keys).OrNull(), all)
}

func specDefinitions(objects, definitions map[string]shape.Shape) map[string]shape.Shape {
	all := maps.Clone(definitions)
	arguments := argumentShapes(objects)
	all["dag"] = shape.Section(dagShapes())
	all["task"] = shape.Section(arguments)
	all["default_args"] = defaultArgs(arguments)
	all["task_group"] = taskGroup()
	return all
}

// dagShapes are the keys of a DAG. What is null is not there.
func dagShapes() map[string]shape.Shape {
	keys := map[string]shape.Shape{}
	for key, value := range dagValues {
		if keys[key] = value(nil); key != "tasks" {
			keys[key] = keys[key].OrNull()
		}
	}
	for key, what := range leftOutDAGKeys {
		keys[key] = shape.Anything().Described("Left out: " + what + ".")
	}
	return keys
}

// argumentShapes are the arguments of a task. What is null is not there.
func argumentShapes(objects map[string]shape.Shape) map[string]shape.Shape {
	keys := make(map[string]shape.Shape, len(arguments))
	for name, a := range arguments {
		switch a.handling {
		case ignoredArgument:
			keys[name] = shape.Anything().Described("Means nothing to dagwright, and does no harm.")
		case refusedArgument:
			keys[name] = shape.Shape{"enum": []any{nil, []any{}, map[string]any{}}}.
				Described("Not supported by dagwright: " + a.what + ".")
		case defaultOnlyArgument:
			keys[name] = a.onlyShape()
		default:
			object := objects[name]
			if object == nil {
				object = shape.Of("object")
			}
			keys[name] = a.shape(object).OrNull()
		}
	}
	return keys
}

// onlyShape takes the values that change nothing.
func (a argument) onlyShape() shape.Shape {
	shapes := []shape.Shape{shape.Of("null")}
	for _, word := range a.allowed {
		shapes = append(shapes, shape.Text("^"+shape.AnyCase(word)+"$"))
		switch word {
		case "true", "false":
			shapes = append(shapes, shape.Shape{"const": word == "true"})
		case "1":
			shapes = append(shapes, shape.Shape{"const": 1})
		}
	}
	text := "Not supported by dagwright: " + a.what + ". May be " + strings.Join(a.allowed, " or ") + "."
	return shape.Any(shapes...).Described(text)
}

// defaultArgs are the arguments that tasks inherit, with the few that speak of the DAG. What no
// task has is left out.
func defaultArgs(arguments map[string]shape.Shape) shape.Shape {
	keys := maps.Clone(arguments)
	for name := range ownArguments {
		keys[name] = shape.Nothing()
	}
	for name := range dagDefaults {
		keys[name] = dagValues[name](nil).OrNull()
	}
	return shape.Of("object").With("properties", keys)
}

func taskGroup() shape.Shape {
	values := map[string]shape.Shape{
		"group_name": shapeOfText(nil), "tooltip": shapeOfText(nil), "parent_group_name": shapeOfText(nil),
		"dependencies":    shapeOfAnyList(nil),
		"prefix_group_id": shapeOfBool(nil), "default_args": shape.Ref("default_args"),
	}
	keys := map[string]shape.Shape{}
	for _, key := range groupKeys {
		keys[key] = values[key].OrNull()
	}
	for key := range ignoredGroupKeys {
		keys[key] = shape.Anything()
	}
	return shape.Section(keys)
}

// typed takes a {__type__: …} object of some classes, with their keyword arguments.
func typed(classes []string, fields map[string]shape.Shape) shape.Shape {
	all := map[string]shape.Shape{typeKey: shape.Words(classes...), argsKey: shape.Of("array")}
	maps.Copy(all, fields)
	return shape.Section(all).With("required", []string{typeKey})
}

// listOf takes a list, or an object that stands for one.
func listOf(items shape.Shape) shape.Shape {
	object := shape.Of("object").With("required", []string{typeKey, "items"}).
		With("properties", map[string]shape.Shape{typeKey: shape.Words(listType), "items": shape.List(items)})
	return shape.Any(shape.List(items), object)
}

func shapeOfAnything(shape.Shape) shape.Shape { return shape.Anything() }

func shapeOfText(shape.Shape) shape.Shape { return shape.Of("string") }

func shapeOfImage(shape.Shape) shape.Shape { return shape.Text(`\S`) }

func shapeOfAnyList(shape.Shape) shape.Shape { return listOf(shape.Anything()) }

// shapeOfTexts takes texts; other scalars count as they are written.
func shapeOfTexts(shape.Shape) shape.Shape { return listOf(shape.Scalar().OrNull()) }

func shapeOfCount(shape.Shape) shape.Shape { return shape.Whole(0, maxInt) }

func shapeOfLimit(shape.Shape) shape.Shape { return shape.Whole(1, maxInt) }

func shapeOfWeight(shape.Shape) shape.Shape { return shape.Whole(-maxInt, maxInt) }

// shapeOfBool takes YAML 1.1's words, too.
func shapeOfBool(shape.Shape) shape.Shape {
	words := []string{"true", "false", "yes", "no", "on", "off"}
	for i, word := range words {
		words[i] = shape.AnyCase(word)
	}
	return shape.Any(shape.Of("boolean"), shape.Text("^("+strings.Join(words, "|")+")$"))
}

func shapeOfDuration(shape.Shape) shape.Shape {
	units := map[string]shape.Shape{}
	for _, unit := range durationUnits {
		units[unit] = shape.Of("number")
	}
	return shape.Any(shape.Of("number").With("minimum", 0), typed([]string{timedeltaType, pendulumDurationType}, units))
}

func shapeOfBackoff(shape.Shape) shape.Shape {
	return shape.Any(shapeOfBool(nil), shape.Of("number").With("minimum", 0).With("maximum", 1000))
}

func shapeOfMoment(shape.Shape) shape.Shape {
	parts := map[string]shape.Shape{"tz": shape.Anything(), "tzinfo": shape.Anything(), "fold": shape.Anything()}
	for _, part := range datetimeArguments {
		parts[part] = shape.Of("integer")
	}
	return shape.Any(shape.Of("string", "integer"), typed([]string{datetimeType, dateType, pendulumType}, parts))
}

func shapeOfZone(shape.Shape) shape.Shape {
	name := shape.Text(`.`)
	return shape.Any(name, typed(zoneTypes, map[string]shape.Shape{"name": name, "key": name}))
}

func shapeOfSchedule(shape.Shape) shape.Shape {
	classes := slices.Sorted(maps.Keys(timetableKinds))
	classes = append(classes, slices.Sorted(maps.Keys(deltaTypes))...)
	object := shape.Of("object").With("required", []string{typeKey}).
		With("properties", map[string]shape.Shape{typeKey: shape.Words(classes...)})
	return shape.Any(shape.Text(`\S`), object)
}

func shapeOfParams(shape.Shape) shape.Shape { return shape.Of("object") }

func shapeOfDefaultArgs(shape.Shape) shape.Shape { return shape.Ref("default_args") }

// shapeOfTasks takes a list of tasks with their ids, or ids with tasks.
func shapeOfTasks(shape.Shape) shape.Shape {
	named := shape.Of("object").With("required", []string{"task_id"}).
		With("properties", map[string]shape.Shape{"task_id": shape.Text(idPattern.String())})
	inList := shape.Shape{"allOf": []shape.Shape{shape.Ref("task"), named}}
	return shape.Any(shape.List(inList).With("minItems", 1), shape.Mapping(shape.Ref("task")).With("minProperties", 1))
}

// shapeOfGroups takes a list of groups with their names, or names with groups.
func shapeOfGroups(shape.Shape) shape.Shape {
	named := shape.Shape{"required": []string{"group_name"}}
	inList := shape.Shape{"allOf": []shape.Shape{shape.Ref("task_group"), named}}
	return shape.Any(shape.List(inList), shape.Mapping(shape.Ref("task_group").OrNull()))
}

func shapeOfOperator(shape.Shape) shape.Shape {
	return shape.Words(append([]string{KubernetesPodOperator}, slices.Sorted(maps.Keys(emptyOperators))...)...)
}

func shapeOfTriggerRule(shape.Shape) shape.Shape { return shape.Words(triggerRuleNames()...) }

func shapeOfObject(object shape.Shape) shape.Shape { return object }

func shapeOfObjects(object shape.Shape) shape.Shape { return listOf(object) }

// shapeOfTextMap takes names with texts, and no object of a class.
func shapeOfTextMap(shape.Shape) shape.Shape {
	return shape.Mapping(shape.Scalar().OrNull()).
		With("properties", map[string]shape.Shape{typeKey: {"not": shape.Of("string")}})
}

func shapeOfPullSecrets(object shape.Shape) shape.Shape {
	return shape.Any(shape.Of("string"), listOf(object))
}

func shapeOfExitCodes(shape.Shape) shape.Shape {
	code := shape.Whole(0, 255)
	return shape.Any(code, shape.List(code))
}

func shapeOfContainers(shape.Shape) shape.Shape {
	return shape.Any(shape.Of("boolean", "string"), shapeOfTexts(nil))
}

func shapeOfSecrets(shape.Shape) shape.Shape {
	text := shape.Of("string", "null")
	keys := map[string]shape.Shape{
		"deploy_type": shape.Words("env", "volume").OrNull(), "deploy_target": text, "secret": text, "key": text,
		"items": shape.Anything(), typeKey: shape.Words(secretType), argsKey: shape.Of("array"),
	}
	item := shape.Section(keys).With("anyOf", []shape.Shape{
		{"required": []string{"deploy_type", "secret"}}, {"required": []string{argsKey}},
	})
	return listOf(item)
}

// shapeOfEnv takes names with values, or a list of variables.
func shapeOfEnv(shape.Shape) shape.Shape {
	value := shape.Scalar().OrNull()
	plain := shapeOfTextMap(nil).With("propertyNames", shape.Text(envNamePattern))
	keys := map[string]shape.Shape{typeKey: shape.Anything(), argsKey: shape.Of("array")}
	for _, key := range envItemKeys {
		keys[key] = shape.Of("object")
	}
	keys["name"], keys["value"] = shape.Of("string"), value
	item := shape.Section(keys).With("anyOf", []shape.Shape{
		{"required": []string{"name"}}, {"required": []string{typeKey, argsKey}},
	})
	return shape.Any(plain, listOf(item))
}

// envNamePattern is what isEnvName takes.
const envNamePattern = `^[A-Za-z_.-][A-Za-z0-9._-]{0,249}$`
