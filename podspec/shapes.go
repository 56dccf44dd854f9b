package podspec

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"dagwright/shape"
)

// Shapes describe for editors what the decoder reads: objects are the Kubernetes objects by the
// operator's argument that holds one, or a list of them, and definitions are what they refer to.
// An object of the Python client's, with __type__, may stand wherever a value may.
func Shapes() (objects, definitions map[string]shape.Shape) {
	w := shapeWriter{definitions: map[string]shape.Shape{
		"typed":    shape.Of("object").With("required", []string{"__type__"}),
		"text":     orTyped(shape.Of("string", "null")),
		"boolean":  orTyped(shape.Of("boolean", "null")),
		"whole":    orTyped(shape.Of("integer", "null")),
		"either":   orTyped(shape.Of("integer", "string", "null")),
		"quantity": orTyped(shape.Of("number", "string", "null").With("minimum", 0)),
	}}
	objects = map[string]shape.Shape{
		podTemplateDict: w.shapeOf(reflect.TypeFor[corev1.Pod]()),
		fullPodSpec:     w.shapeOf(reflect.TypeFor[corev1.Pod]()),
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}}
	for _, f := range operatorFields {
		t := reflect.TypeOf(f.target(pod)).Elem()
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct {
			objects[f.argument] = w.shapeOf(t)
		}
	}
	return objects, w.definitions
}

func orTyped(s shape.Shape) shape.Shape { return shape.Any(s, shape.Ref("typed")) }

// shapeWriter defines each of Kubernetes' types once.
type shapeWriter struct{ definitions map[string]shape.Shape }

// shapeOf is what decoder.read takes.
func (w shapeWriter) shapeOf(t reflect.Type) shape.Shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case quantityType:
		return shape.Ref("quantity")
	case intOrStringType:
		return shape.Ref("either")
	case timeType:
		return shape.Of("null")
	}
	switch t.Kind() {
	case reflect.Struct:
		return w.object(t)
	case reflect.Map:
		return untyped(shape.Mapping(w.shapeOf(t.Elem())))
	case reflect.Slice:
		return orTyped(shape.List(w.shapeOf(t.Elem())).OrNull())
	case reflect.String:
		return shape.Ref("text")
	case reflect.Bool:
		return shape.Ref("boolean")
	case reflect.Int32, reflect.Int64:
		return shape.Ref("whole")
	}
	return shape.Of("null")
}

func (w shapeWriter) object(t reflect.Type) shape.Shape {
	ref := shape.Ref(t.Name())
	if _, there := w.definitions[t.Name()]; there {
		return ref
	}
	w.definitions[t.Name()] = nil // is being written
	keys := map[string]shape.Shape{}
	for name, of := range jsonFields(t) {
		keys[name] = w.shapeOf(of)
	}
	w.definitions[t.Name()] = untyped(shape.Section(keys))
	return ref
}

// untyped applies a shape of mappings to those that are not objects of the Python client.
func untyped(mapping shape.Shape) shape.Shape {
	return shape.Of("object", "null").With("if", shape.Shape{"required": []string{"__type__"}}).With("else", mapping)
}
