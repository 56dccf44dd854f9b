package podspec

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

//go:embed fields.txt
var fieldsText string

// decidedFields are the fields that a spec may set, by type and name.
var decidedFields = sync.OnceValue(func() map[string]map[string]bool {
	types := map[string]map[string]bool{}
	for line := range strings.Lines(fieldsText) {
		name, fields, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		types[name] = map[string]bool{}
		for field := range strings.FieldsSeq(fields) {
			types[name][field] = true
		}
	}
	return types
})

// refusedFields says why some fields may not be set; the others were not decided.
var refusedFields = map[string]string{
	"PodSpec.priority":                                    "Kubernetes sets it from priorityClassName",
	"PodSpec.overhead":                                    "Kubernetes sets it from runtimeClassName",
	"PodSpec.schedulingGates":                             "a task must not wait for what something else opens",
	"PodSpec.schedulingGroup":                             "a task's pod belongs to no group of pods",
	"PodSpec.evictionResponders":                          "nobody but dagwright and the cluster ends a task's pod",
	"PersistentVolumeClaimSpec.dataSource":                "a volume of a pod's own begins empty",
	"PersistentVolumeClaimSpec.dataSourceRef":             "a volume of a pod's own begins empty",
	"PersistentVolumeClaimSpec.volumeName":                "a volume of a pod's own is a new one",
	"PersistentVolumeClaimSpec.selector":                  "a volume of a pod's own is a new one",
	"PersistentVolumeClaimSpec.volumeAttributesClassName": "the class of the storage says what its volumes are like",
	"VolumeProjection.clusterTrustBundle":                 "put the certificates into a config map",
	"PersistentVolumeClaimTemplate.metadata":              "labels and annotations of a claim may mean something to the cluster",
	"PodAffinityTerm.namespaceSelector":                   "write namespaces with their names",
	"PodSecurityContext.windowsOptions":                   "only linux is supported",
	"SecurityContext.windowsOptions":                      "only linux is supported",
}

// checkFields refuses the fields that nobody has decided about.
func (k checker) checkFields(pod *corev1.Pod) { k.walkFields("spec", reflect.ValueOf(pod.Spec)) }

func (k checker) walkFields(path string, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			k.walkFields(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case v.Kind() == reflect.Struct && !isScalar(v.Type()):
		k.walkStruct(path, v)
	}
}

// sources are the sources of volumes that Pod Security "restricted" allows.
var sources = []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
	"projected", "secret"}

// isWhole says that a field is decided about with all that is in it: the sources of
// volumes that Pod Security "restricted" forbids, and what other rules refuse.
func isWhole(field string) bool {
	source, ofVolume := strings.CutPrefix(field, "VolumeSource.")
	return field == "PodSpec.ephemeralContainers" || ofVolume && !slices.Contains(sources, source)
}

// isScalar says whether Kubernetes writes a type in a way of its own.
func isScalar(t reflect.Type) bool {
	return t == quantityType || t == intOrStringType || t == timeType
}

func (k checker) walkStruct(path string, v reflect.Value) {
	t := v.Type()
	decided := decidedFields()[t.Name()]
	for i := range t.NumField() {
		field := v.Field(i)
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		switch {
		case field.IsZero():
		case name == "":
			k.walkFields(path, field)
		case decided[name] && isWhole(t.Name()+"."+name):
		case decided[name]:
			k.walkFields(join(path, name), field)
		default:
			why := refusedFields[t.Name()+"."+name]
			if why == "" {
				why = "this dagwright does not know what it means"
			}
			k.bad(join(path, name), "must not be set: %s", why)
		}
	}
}
