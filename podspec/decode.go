package podspec

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"dagwright/dag"
)

// pending stands in Check for a quantity that only rendering can tell. No other
// quantity is negative: those of a spec are refused.
const pending = "-1"

// The types that Kubernetes writes in a way of their own.
var (
	quantityType    = reflect.TypeFor[resource.Quantity]()
	intOrStringType = reflect.TypeFor[intstr.IntOrString]()
	timeType        = reflect.TypeFor[metav1.Time]()
)

// decoder reads the plain values of a spec into Kubernetes' types. Nothing is
// guessed and nothing is left out without a word: what does not fit is a fault
// with its path.
type decoder struct {
	faults *faults
	// templates says that strings have not been rendered yet.
	templates bool
}

// decode reads v, which stands at path, into what into points to. It returns
// false when there is a fault; into is then as it was.
func (d decoder) decode(path string, v, into any) bool {
	before := len(d.faults.list)
	clean := d.read(path, v, reflect.TypeOf(into).Elem())
	if len(d.faults.list) > before {
		return false
	}
	text, err := json.Marshal(clean)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		d.faults.add(path, "cannot be read: %s", err)
		return false
	}
	return true
}

// read checks that v has the shape of type t and returns what of it is to be
// decoded.
func (d decoder) read(path string, v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v == nil {
		return nil
	}
	switch t {
	case quantityType:
		return d.readQuantity(path, v)
	case intOrStringType:
		return d.readIntOrString(path, v)
	case timeType:
		d.faults.add(path, "must not be set: Kubernetes sets it")
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.readStruct(path, v, t)
	case reflect.Map:
		return d.readMap(path, v, t)
	case reflect.Slice:
		return d.readSlice(path, v, t)
	case reflect.String, reflect.Bool:
		if reflect.TypeOf(v).Kind() != t.Kind() {
			d.wrongShape(path, v, t)
		}
		return v
	case reflect.Int32, reflect.Int64:
		return d.readInt(path, v, t)
	}
	d.faults.add(path, "must not be set")
	return nil
}

func (d decoder) readStruct(path string, v any, t reflect.Type) any {
	m, ok := v.(map[string]any)
	if !ok {
		d.wrongShape(path, v, t)
		return nil
	}
	known := jsonFields(t)
	out := make(map[string]any, len(m))
	for _, name := range sortedKeys(m) {
		field, ok := known[name]
		if !ok {
			d.faults.add(join(path, name), "unknown field%s", hint(name, known))
			continue
		}
		out[name] = d.read(join(path, name), m[name], field)
	}
	return out
}

func (d decoder) readMap(path string, v any, t reflect.Type) any {
	m, ok := v.(map[string]any)
	if !ok {
		d.wrongShape(path, v, t)
		return nil
	}
	out := make(map[string]any, len(m))
	for _, name := range sortedKeys(m) {
		if m[name] == nil {
			d.faults.add(join(path, name), "must not be null")
		}
		out[name] = d.read(join(path, name), m[name], t.Elem())
	}
	return out
}

func (d decoder) readSlice(path string, v any, t reflect.Type) any {
	list, ok := v.([]any)
	if !ok {
		d.wrongShape(path, v, t)
		return nil
	}
	out := make([]any, len(list))
	for i, item := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item == nil {
			d.faults.add(at, "must not be null")
		}
		out[i] = d.read(at, item, t.Elem())
	}
	return out
}

// readInt takes whole numbers, whether they come from YAML or from JSON.
func (d decoder) readInt(path string, v any, t reflect.Type) any {
	n := reflect.ValueOf(v)
	var whole int64
	switch {
	case n.CanInt():
		whole = n.Int()
	case n.CanFloat() && n.Float() == math.Trunc(n.Float()) && math.Abs(n.Float()) < 1<<53:
		whole = int64(n.Float())
	default:
		d.wrongShape(path, v, t)
		return nil
	}
	if reflect.Zero(t).OverflowInt(whole) {
		d.faults.add(path, "%d is too large", whole)
	}
	return whole
}

func (d decoder) readIntOrString(path string, v any) any {
	if _, ok := v.(string); ok {
		return v
	}
	return d.readInt(path, v, reflect.TypeFor[int32]())
}

// readQuantity takes an amount such as 500m or 2Gi; numbers need no quotes.
func (d decoder) readQuantity(path string, v any) any {
	text, ok := v.(string)
	if n := reflect.ValueOf(v); n.CanInt() || n.CanFloat() {
		text, ok = strings.ToLower(fmt.Sprint(v)), true
	}
	if !ok {
		d.faults.add(path, "must be a quantity such as 500m or 2Gi, not %s", shapeOf(v))
		return nil
	}
	if d.templates && isTemplate(text) {
		return pending
	}
	q, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		d.faults.add(path, "%s is not a quantity; write it like 500m or 2Gi", clip(text))
	case q.Sign() < 0:
		d.faults.add(path, "%s must not be negative", clip(text))
	}
	return text
}

func (d decoder) wrongShape(path string, v any, t reflect.Type) {
	want := map[reflect.Kind]string{
		reflect.Struct: "a mapping", reflect.Map: "a mapping", reflect.Slice: "a list",
		reflect.String: "a string", reflect.Bool: "true or false",
		reflect.Int32: "a whole number", reflect.Int64: "a whole number",
	}[t.Kind()]
	advice := ""
	if kind := reflect.TypeOf(v).Kind(); t.Kind() == reflect.String && kind != reflect.Map && kind != reflect.Slice {
		advice = "; put it in quotes"
	}
	if text, ok := v.(string); ok && isTemplate(text) {
		advice = "; a template always gives a string"
	}
	d.faults.add(path, "must be %s, not %s%s", want, shapeOf(v), advice)
}

// shapeOf names what a value is and never shows it: values may be secret.
func shapeOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "a number"
}

// jsonFields maps the names of a struct's fields to their types.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name != "":
			fields[name] = f.Type
		case f.Anonymous:
			for inner, innerType := range jsonFields(f.Type) {
				fields[inner] = innerType
			}
		}
	}
	return fields
}

// hint says what an unknown field was probably meant to be: another spelling, a
// field of one of its neighbours, or a name that is nearly the same.
func hint(name string, known map[string]reflect.Type) string {
	if kind, amount, ok := strings.Cut(name, "_"); ok && known[kind+"s"] != nil && (kind == "request" || kind == "limit") {
		return fmt.Sprintf("; write %ss: {%s: …}", kind, strings.ReplaceAll(amount, "_", "-"))
	}
	names := sortedKeys(known)
	flat := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	for _, n := range names {
		if strings.ToLower(n) == flat {
			return fmt.Sprintf("; write %s: a plain mapping has Kubernetes' own names", n)
		}
	}
	for _, n := range names {
		inner := known[n]
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct || inner == quantityType || inner == intOrStringType || inner == timeType {
			continue
		}
		if _, ok := jsonFields(inner)[name]; ok {
			return fmt.Sprintf("; it belongs into %s", n)
		}
	}
	return dag.DidYouMean(name, names)
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// join gives the path of a field. A name that would not read as one is quoted.
func join(path, name string) string {
	if name == "" || len(name) > 80 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		name = clip(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
