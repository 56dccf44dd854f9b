package importer

import (
	"slices"
	"strings"

	"dagwright/dag"
)

// checkModel has a model file read and takes out of it what is refused.
func (im Importer) checkModel(b *modelBuilder, root mapping) (text []byte, ok bool) {
	const rounds = 200 // one for each fault
	refuse := func(f *dag.SpecError, text string) {
		reason := f.Reason
		if f.Path != "" {
			reason = f.Path + ": " + reason
		}
		b.report(Line{File: modelFile, Text: text, Reason: reason, Left: true})
	}
	offers, err := encode(b.offered())
	if err != nil {
		refuse(faultsOf(err)[0], notWritten)
		return nil, false
	}
	for range rounds {
		text, err = encode(root)
		if err == nil {
			text = append([]byte(header+"DAG files.\n"), text...)
			err = im.CheckModel(modelFile, text, offers)
		}
		if err == nil {
			return text, true
		}
		faults := faultsOf(err)
		rest, removed := remove(root, pathSteps(faults[0].Path))
		if !removed {
			for _, f := range faults {
				refuse(f, notWritten)
			}
			return nil, false
		}
		refuse(faults[0], "this is left out")
		root, _ = rest.(mapping)
	}
	b.report(Line{File: modelFile, Text: notWritten, Reason: "it has too many faults", Left: true})
	return nil, false
}

// remove takes the value at a path out of a tree. A key may have dots in it.
func remove(v any, steps []string) (any, bool) {
	switch v := v.(type) {
	case []any:
		i := index(steps[0], len(v))
		if len(steps) == 1 || i < 0 {
			return v, false
		}
		rest, ok := remove(v[i], steps[1:])
		out := slices.Clone(v)
		out[i] = rest
		return out, ok
	case mapping:
		for n := len(steps); n > 0; n-- {
			key := strings.Join(steps[:n], ".")
			if !v.has(key) || key == "task_id" || key == "tasks" && n == len(steps) {
				continue
			}
			if n == len(steps) {
				return v.without(key), true
			}
			rest, ok := remove(v.get(key), steps[n:])
			return v.set(key, rest), ok
		}
	}
	return v, false
}
