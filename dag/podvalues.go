package dag

import (
	"slices"
	"strings"

	"dagwright/shape"
)

// This file reads the arguments that are kept in Task.Pod.

func oneOf(allowed ...string) valueKind {
	return valueKind{
		read:  func(r reader, n *node) (any, bool) { return r.readOneOf(n, allowed) },
		shape: func(shape.Shape) shape.Shape { return shape.Words(allowed...) },
	}
}

var (
	anyText         = valueKind{reader.readAnyText, shapeOfText}
	anyBool         = valueKind{reader.readAnyBool, shapeOfBool}
	anyCount        = valueKind{reader.readCount, shapeOfCount}
	oneMap          = valueKind{reader.readMap, shapeOfObject}
	listOfMaps      = valueKind{reader.readMaps, shapeOfObjects}
	textMap         = valueKind{reader.readTextMap, shapeOfTextMap}
	nameList        = valueKind{reader.readNames, shapeOfTexts}
	pullSecrets     = valueKind{reader.readPullSecrets, shapeOfPullSecrets}
	secretList      = valueKind{reader.readSecrets, shapeOfSecrets}
	exitCodes       = valueKind{reader.readExitCodes, shapeOfExitCodes}
	whichContainers = valueKind{reader.readContainers, shapeOfContainers}
	podModel        = valueKind{reader.readPodModel, shapeOfObject}
)

func (r reader) readAnyText(n *node) (any, bool) { return r.readText(n) }

func (r reader) readAnyBool(n *node) (any, bool) { return r.readBool(n) }

func (r reader) readCount(n *node) (any, bool) { return r.readInt(n, 0) }

// readMap reads one Kubernetes object, plain or by its class.
func (r reader) readMap(n *node) (any, bool) {
	if n.kind != mapKind {
		r.faults.addAt(n, "must be a mapping, not %s", n.shape())
		return nil, false
	}
	v, ok := r.readPlain(n)
	if _, isMap := v.(map[string]any); ok && !isMap {
		r.faults.addAt(n, "must be a Kubernetes object, not %s", clip(typeName(n)))
		return nil, false
	}
	return v, ok
}

// unwrapList gives the elements of a list or a builtins.list object.
func (r reader) unwrapList(n *node) ([]*node, bool) {
	if typeName(n) == listType {
		if items := n.get("items"); items != nil && items.kind == listKind {
			n = items
		}
	}
	if n.kind != listKind {
		r.faults.addAt(n, "must be a list, not %s", n.shape())
		return nil, false
	}
	return n.items, true
}

// readMaps reads a list of Kubernetes objects.
func (r reader) readMaps(n *node) (any, bool) {
	items, ok := r.unwrapList(n)
	list := make([]any, 0, len(items))
	for _, item := range items {
		v, good := r.readMap(item)
		list, ok = append(list, v), ok && good
	}
	return list, ok
}

// models reads a list of Kubernetes objects of one class, which Airflow takes with their
// class alone.
func models(class string) valueKind {
	return valueKind{shape: shapeOfObjects, read: func(r reader, n *node) (any, bool) {
		v, ok := r.readMaps(n)
		items, _ := r.unwrapList(n)
		for _, item := range items {
			if ok && typeName(item) == "" {
				r.faults.airflow(item, "it takes no plain mapping here; write {%s: %s, …}", typeKey, class)
			}
		}
		return v, ok
	}}
}

// readPodModel reads full_pod_spec, likewise.
func (r reader) readPodModel(n *node) (any, bool) {
	v, ok := r.readMap(n)
	if ok && typeName(n) == "" {
		r.faults.airflow(n, "it takes no plain mapping here; write {%s: kubernetes.client.models.V1Pod, …}", typeKey)
	}
	return v, ok
}

// readTextMap reads labels, annotations and the like; values count as written.
func (r reader) readTextMap(n *node) (any, bool) {
	if n.kind != mapKind || typeName(n) != "" {
		r.faults.addAt(n, "must be a mapping of strings, not %s", n.shape())
		return nil, false
	}
	m, ok := make(map[string]any, len(n.pairs)), true
	for _, p := range n.pairs {
		s, good := r.readWritten(p.value)
		m[p.key], ok = s, ok && good
	}
	return m, ok
}

// readNames reads a list of names.
func (r reader) readNames(n *node) (any, bool) {
	texts, ok := r.readTexts(n)
	return anyList(texts), ok
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, s := range texts {
		list[i] = s
	}
	return list
}

// readPullSecrets reads "a,b" or a list of {name: a}, and keeps the latter.
func (r reader) readPullSecrets(n *node) (any, bool) {
	if n.kind != textKind {
		return r.readMaps(n)
	}
	list := []any{}
	for name := range strings.SplitSeq(n.text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, map[string]any{"name": name})
		}
	}
	return list, true
}

// readSecrets reads a list of Airflow's Secret objects, with or without their
// class.
func (r reader) readSecrets(n *node) (any, bool) {
	items, ok := r.unwrapList(n)
	list := make([]any, 0, len(items))
	for _, item := range items {
		v, good := r.readSecretItem(item)
		list, ok = append(list, v), ok && good
	}
	return list, ok
}

func (r reader) readSecretItem(n *node) (any, bool) {
	if n.kind != mapKind {
		r.faults.addAt(n, "must be a secret {deploy_type, deploy_target, secret, key}, not %s", n.shape())
		return nil, false
	}
	if n.get(typeKey) == nil {
		r.faults.airflow(n, "it takes no plain mapping here; write {%s: %s, …}", typeKey, secretType)
		return r.readSecret(object{node: n, class: "a secret", fields: n.pairs})
	}
	o, ok := r.takeApart(n)
	if !ok {
		return nil, false
	}
	if o.class != secretType {
		r.faults.addAt(n.get(typeKey), "%s is not a secret; write %s", clip(o.class), secretType)
		return nil, false
	}
	return r.readSecret(o)
}

// readExitCodes reads one exit code or a list of them, and keeps a list.
func (r reader) readExitCodes(n *node) (any, bool) {
	items := []*node{n}
	if n.kind == listKind {
		items = n.items
	}
	codes, ok := make([]any, 0, len(items)), true
	for _, item := range items {
		code, good := r.readInt(item, 0)
		if good && code > 255 {
			r.faults.addAt(item, "an exit code is at most 255")
			good = false
		}
		codes, ok = append(codes, code), ok && good
	}
	return codes, ok
}

// readContainers reads which containers' logs are wanted: true, false, a name
// or a list of names.
func (r reader) readContainers(n *node) (any, bool) {
	switch n.kind {
	case boolKind:
		return r.readBool(n)
	case textKind:
		return n.text, true
	}
	return r.readNames(n)
}

// readEnv reads env_vars: a mapping, or a list of {name, value}. A variable that
// takes its value from elsewhere is returned as a plain dictionary instead.
func (r reader) readEnv(n *node) (env []EnvVar, from []any) {
	switch {
	case n.kind == mapKind && typeName(n) == "":
		for _, p := range n.pairs {
			if value, ok := r.readWritten(p.value); ok && r.checkEnvName(n, p) {
				env = append(env, EnvVar{Name: p.key, Value: value})
			}
		}
		return env, nil
	case n.kind != listKind && typeName(n) != listType:
		r.faults.addAt(n, "must be a mapping of names to values or a list of {name, value}, not %s", n.shape())
		return nil, nil
	}
	items, _ := r.unwrapList(n)
	seen := map[string]bool{}
	for _, item := range items {
		v, plain := r.readEnvItem(item, seen)
		if plain != nil {
			from = append(from, plain)
		} else if v.Name != "" {
			env = append(env, v)
		}
	}
	return env, from
}

func (r reader) checkEnvName(n *node, p pair) bool {
	if isEnvName(p.key) {
		return true
	}
	r.faults.addKey(n, p,
		"%s is not a name for an environment variable: use letters, digits, \"_\", \"-\" and \".\", not beginning with a digit, at most 250 characters",
		clip(p.key))
	return false
}

var envItemKeys = []string{"name", "value", "value_from", "valueFrom"}

func (r reader) readEnvItem(n *node, seen map[string]bool) (EnvVar, map[string]any) {
	if n.kind != mapKind {
		r.faults.addAt(n, "must be {name: …, value: …}, not %s", n.shape())
		return EnvVar{}, nil
	}
	n, ok := r.byName(n)
	if !ok {
		return EnvVar{}, nil
	}
	for _, p := range n.pairs {
		if p.key != typeKey && !slices.Contains(envItemKeys, p.key) {
			r.faults.addKey(n, p, "unknown key %s%s", clip(p.key), didYouMean(p.key, envItemKeys))
			return EnvVar{}, nil
		}
	}
	nameNode := n.get("name")
	if nameNode == nil {
		r.faults.addAt(n, "an environment variable needs a name")
		return EnvVar{}, nil
	}
	name, ok := r.readText(nameNode)
	switch {
	case !ok:
		return EnvVar{}, nil
	case !isEnvName(name):
		r.checkEnvName(n, pair{key: name, at: nameNode.at, value: nameNode})
		return EnvVar{}, nil
	case seen[name]:
		r.faults.addAt(nameNode, "variable %s stands twice in this list", clip(name))
		return EnvVar{}, nil
	}
	seen[name] = true
	if n.get("value_from") != nil || n.get("valueFrom") != nil {
		return EnvVar{}, r.readEnvFrom(n, name)
	}
	value := ""
	if v := n.get("value"); v != nil {
		value, _ = r.readWritten(v)
	}
	return EnvVar{Name: name, Value: value}, nil
}

// byName gives an object whose positional arguments have their names; other values as they
// are.
func (r reader) byName(n *node) (*node, bool) {
	if n.get(argsKey) == nil || n.get(typeKey) == nil {
		return n, true
	}
	o, ok := r.takeApart(n)
	if !ok {
		return nil, false
	}
	fields, ok := r.namedArguments(o)
	named := *n
	named.pairs = append([]pair{{key: typeKey, at: n.at, value: n.get(typeKey)}}, fields...)
	return &named, ok
}

func (r reader) readEnvFrom(n *node, name string) map[string]any {
	from := n.get("value_from")
	if from == nil {
		from = n.get("valueFrom")
	}
	if n.get("value") != nil {
		r.faults.addAt(n, "variable %s has both a value and value_from", clip(name))
		return nil
	}
	v, ok := r.readMap(from)
	if !ok {
		return nil
	}
	return map[string]any{"name": name, "valueFrom": v}
}
