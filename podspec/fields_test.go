package podspec

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestFields goes through every field of a pod's spec: somebody has decided that a
// spec may set it, or why not. A field that is new in Kubernetes fails here, and is
// refused until then.
func TestFields(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for k := typ.Kind(); k == reflect.Pointer || k == reflect.Slice || k == reflect.Map; k = typ.Kind() {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || isScalar(typ) || seen[typ.Name()] {
			return
		}
		seen[typ.Name()] = true
		for i := range typ.NumField() {
			field := typ.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			at := typ.Name() + "." + name
			decided, why := decidedFields()[typ.Name()][name], refusedFields[at]
			seen[at] = true
			switch {
			case name == "":
				walk(field.Type)
			case decided == (why != ""):
				t.Errorf("%s: want it in fields.txt, or a reason in refusedFields, and not in both", at)
			case decided && !isWhole(at):
				walk(field.Type)
			}
		}
	}
	walk(reflect.TypeFor[corev1.PodSpec]())
	for typ, fields := range decidedFields() {
		for field := range fields {
			if !seen[typ+"."+field] {
				t.Errorf("%s.%s: Kubernetes has no such field", typ, field)
			}
		}
	}
}

// TestUnknownField wants a field that is not in the table refused.
func TestUnknownField(t *testing.T) {
	t.Parallel()
	f := &faults{}
	k := checker{faults: f, place: func(path string) string { return path }}
	k.walkFields("spec", reflect.ValueOf(struct {
		Secret string `json:"secret"`
		Empty  string `json:"empty"`
	}{Secret: "other"}))
	if len(f.list) != 1 || f.list[0].Path != "spec.secret" {
		t.Errorf("got %v, want one fault", f.list)
	}
}

// TestSecurityOfTheWhole asks about a pod whose fault is in none of its parts: what
// is missing in all of them.
func TestSecurityOfTheWhole(t *testing.T) {
	t.Parallel()
	f := &faults{}
	k := checker{faults: f, place: func(path string) string { return path }}
	k.checkSecurity(&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}}}})
	if len(f.list) == 0 {
		t.Fatal("a pod that says nothing passes")
	}
	for _, e := range f.list {
		if e.Path != "" || !strings.HasPrefix(e.Reason, `Pod Security "restricted" forbids the pod: `) {
			t.Errorf("got %q at %q", e.Reason, e.Path)
		}
	}
}
