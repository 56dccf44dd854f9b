package dag

import (
	"strings"
	"time"
)

// The keys that make a mapping a Python object in dag-factory's dialect:
// {__type__: datetime.timedelta, hours: 6}.
const (
	typeKey = "__type__"
	argsKey = "__args__"
)

// reservedKeys are dag-factory's operators on assets.
var reservedKeys = map[string]bool{"__and__": true, "__or__": true, "__join__": true}

// The classes that a spec may name, besides Kubernetes's models.
const (
	timedeltaType        = "datetime.timedelta"
	datetimeType         = "datetime.datetime"
	dateType             = "datetime.date"
	pendulumType         = "pendulum.datetime"
	pendulumDurationType = "pendulum.duration"
	relativedeltaType    = "dateutil.relativedelta.relativedelta"
	listType             = "builtins.list"
	secretType           = "airflow.providers.cncf.kubernetes.secret.Secret"
	paramType            = "airflow.sdk.Param"
)

// classNames lists them for messages.
var classNames = []string{
	timedeltaType, datetimeType, pendulumType, listType, secretType, paramType,
	"airflow.sdk.CronTriggerTimetable", "airflow.sdk.CronDataIntervalTimetable",
	"airflow.timetables.trigger.CronTriggerTimetable", "airflow.timetables.interval.CronDataIntervalTimetable",
	"kubernetes.client.models.V1…",
}

// object is a {__type__: …} mapping, taken apart.
type object struct {
	node  *node
	class string
	args  []*node
	// fields are the keyword arguments in file order.
	fields []pair
}

// typeName is the class that a mapping names, "" for every other value.
func typeName(n *node) string {
	if n.kind != mapKind {
		return ""
	}
	if t := n.get(typeKey); t != nil && t.kind == textKind {
		return t.text
	}
	return ""
}

func (r reader) takeApart(n *node) (object, bool) {
	o := object{node: n, class: typeName(n)}
	if o.class == "" {
		r.faults.addAt(n.get(typeKey), "%s must name a class", typeKey)
		return o, false
	}
	for _, p := range n.pairs {
		switch {
		case p.key == typeKey:
		case p.key == argsKey && p.value.kind == listKind:
			o.args = p.value.items
		case p.key == argsKey:
			r.faults.addAt(p.value, "%s must be a list, not %s", argsKey, p.value.shape())
			return o, false
		default:
			o.fields = append(o.fields, p)
		}
	}
	return o, true
}

// keywords gives an object's arguments by name: names says how the positional
// ones are called, and further which others there are.
func (r reader) keywords(o object, names []string, further ...string) (map[string]*node, bool) {
	if len(o.args) > len(names) {
		r.faults.addAt(o.node.get(argsKey), "%s takes at most %d positional arguments", o.class, len(names))
		return nil, false
	}
	values, ok := map[string]*node{}, true
	for i, a := range o.args {
		values[names[i]] = a
	}
	known := append(append([]string(nil), names...), further...)
	for _, p := range o.fields {
		switch {
		case !contains(known, p.key):
			r.faults.addKey(o.node, p, "%s has no argument %s%s", o.class, clip(p.key), didYouMean(p.key, known))
			ok = false
		case values[p.key] != nil:
			r.faults.addKey(o.node, p, "%s is given twice, by position and by name", p.key)
			ok = false
		default:
			values[p.key] = p.value
		}
	}
	return values, ok
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// readObject reads an object that stands where any value may stand.
func (r reader) readObject(n *node) (any, bool) {
	o, ok := r.takeApart(n)
	if !ok {
		return nil, false
	}
	switch {
	case o.class == timedeltaType || o.class == pendulumDurationType:
		d, ok := r.readTimedelta(o)
		return secondsOf(d), ok
	case o.class == datetimeType || o.class == dateType || o.class == pendulumType:
		t, ok := r.readMoment(n)
		return t.Format(time.DateOnly + "T" + time.TimeOnly), ok
	case o.class == listType:
		return r.readListObject(o)
	case o.class == secretType:
		return r.readSecret(o)
	case isKubernetesClass(o.class):
		return r.readKubernetes(o)
	}
	r.faults.addAt(n.get(typeKey), "%s is not a class that is allowed here; known are %s%s", clip(o.class),
		strings.Join(classNames, ", "), didYouMean(o.class, classNames))
	return nil, false
}

// secondsOf keeps whole seconds whole.
func secondsOf(d time.Duration) any {
	if d%time.Second == 0 {
		return int(d / time.Second)
	}
	return d.Seconds()
}

func (r reader) readListObject(o object) (any, bool) {
	kw, ok := r.keywords(o, []string{"items"})
	switch {
	case !ok:
		return nil, false
	case kw["items"] == nil:
		return []any{}, true
	case kw["items"].kind != listKind:
		r.faults.addAt(kw["items"], "must be a list, not %s", kw["items"].shape())
		return nil, false
	}
	return r.readPlain(kw["items"])
}

// readSecret keeps Airflow's own names: deploy_type, deploy_target, secret, key
// and items.
func (r reader) readSecret(o object) (any, bool) {
	kw, ok := r.keywords(o, []string{"deploy_type", "deploy_target", "secret", "key", "items"})
	if !ok {
		return nil, false
	}
	return r.checkSecret(o.node, kw)
}

func (r reader) checkSecret(at *node, kw map[string]*node) (any, bool) {
	secret, ok := map[string]any{}, true
	for _, name := range []string{"deploy_type", "secret"} {
		if kw[name] == nil {
			r.faults.addAt(at, "a secret needs %s", name)
			ok = false
		}
	}
	for name, n := range kw {
		switch {
		case n.kind == nullKind:
		case name == "deploy_type":
			v, good := r.readOneOf(n, []string{"env", "volume"})
			secret[name], ok = v, ok && good
		case name == "items":
			v, good := r.readPlain(n)
			secret[name], ok = v, ok && good
		default:
			v, good := r.readText(n)
			secret[name], ok = v, ok && good
		}
	}
	return secret, ok
}
