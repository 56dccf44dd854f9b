package dag

import (
	"maps"
	"slices"
)

// paramClasses are the names of Airflow's Param.
var paramClasses = []string{paramType, "airflow.models.param.Param", "airflow.sdk.definitions.param.Param"}

// readParams reads a DAG's params in file order. A plain value, also a mapping,
// is a default; only a Param object has a schema.
func (r reader) readParams(n *node) []Param {
	params := make([]Param, 0, len(n.pairs))
	for _, p := range n.pairs {
		if p.key == "" || len(p.key) > maxID {
			r.faults.addKey(n, p, "a param's name must have 1 to %d characters", maxID)
			continue
		}
		if contains(paramClasses, typeName(p.value)) {
			params = append(params, r.readParam(p.key, p.value))
			continue
		}
		v, _ := r.readPlain(p.value)
		params = append(params, Param{Name: p.key, Default: v})
	}
	return params
}

func (r reader) readParam(name string, n *node) Param {
	param := Param{Name: name, NoDefault: true}
	o, ok := r.takeApart(n)
	if !ok {
		return param
	}
	if len(o.args) > 3 {
		r.faults.addAt(n.get(argsKey), "%s takes at most 3 positional arguments", o.class)
		return param
	}
	fields := o.fields
	for i, a := range o.args {
		fields = append(fields, pair{key: []string{"default", "description", "source"}[i], at: a.at, value: a})
	}
	seen := map[string]bool{}
	for _, p := range fields {
		if seen[p.key] {
			r.faults.addKey(n, p, "%s is given twice, by position and by name", clip(p.key))
		}
		seen[p.key] = true
		r.readParamField(&param, p)
	}
	r.checkSchema(&param, n)
	return param
}

func (r reader) readParamField(param *Param, p pair) {
	switch p.key {
	case "default":
		param.Default, _ = r.readPlain(p.value)
		param.NoDefault = false
	case "description":
		if p.value.kind != nullKind {
			param.Description, _ = r.readText(p.value)
		}
	case "source":
	case "schema":
		if v, ok := r.readPlain(p.value); ok {
			schema, isMap := v.(map[string]any)
			if !isMap {
				r.faults.addAt(p.value, "must be a mapping, not %s", p.value.shape())
			}
			for k, s := range schema {
				param.setSchema(k, s)
			}
		}
	default:
		if v, ok := r.readPlain(p.value); ok {
			param.setSchema(p.key, v)
		}
	}
}

// checkScheduledParams holds Airflow's rule that a DAG which runs by itself must have a
// value for each of its params.
func (d *dagReader) checkScheduledParams(n *node) {
	if k := d.dag.Schedule.Kind; k == ScheduleNone || k == "" {
		return
	}
	for _, p := range d.dag.Params {
		at := n.get(p.Name)
		switch {
		case p.Required():
			d.faults.addAt(at, "a param of a DAG with a schedule needs a default: its runs are given no value")
		case len(p.Schema) > 0:
			if reason := d.schemas.check(p.Schema, p.Default); reason != "" && !d.schemas.spent(0) {
				d.faults.airflow(at, "the default of a DAG with a schedule must keep to the schema: %s", reason)
			}
		}
	}
}

func (p *Param) setSchema(key string, v any) {
	if p.Schema == nil {
		p.Schema = map[string]any{}
	}
	p.Schema[key] = v
}

// checkSchema reports what [Param.Check] could not use or does not check, and a default
// of another type than the schema's. A default may break the schema's other rules: often it
// is the empty string, which stands for "not given".
func (r reader) checkSchema(param *Param, n *node) {
	at := func(key string) *node {
		if p := n.get(key); p != nil {
			return p
		}
		return n
	}
	for _, key := range slices.Sorted(maps.Keys(param.Schema)) {
		if reason := keywordFault(key, param.Schema[key]); reason != "" {
			r.faults.addAt(at(key), "%s", reason)
		}
	}
	types := param.Schema["type"]
	if param.Default != nil && typeFault(types) == "" && !hasType(param.Default, types) {
		r.faults.addAt(at("default"), "the default is not of the type %v", types)
	}
}
