package importer

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
)

// modelFile is the model file's name, in the root of a model's repository.
const modelFile = ".dagwright.yml"

// notWritten is what a report says of a model file that is refused.
const notWritten = "the file is not written"

// The two kinds of a model's DAG, as the model file names them.
const (
	scoring = "scoring"
	retrain = "retrain"
)

// kindFile is a DAG of a model, and the Python file that it is from.
type kindFile struct {
	kind string
	d    *dagBuilder
	s    *spec
}

// Model reads the DAG files of a model's repository, such as dag-batch.py and
// dag-retrain.py, and writes its .dagwright.yml into the folder out. A DAG is the retraining
// if its id or its file's name has "train" in it, and the scoring otherwise.
func (im Importer) Model(ctx context.Context, paths []string, out string) (Report, error) {
	var r Report
	dir, err := openOut(out)
	if err != nil {
		return r, err
	}
	defer dir.Close()
	report := func(l Line) { r.Lines = append(r.Lines, l) }
	found := map[string]*kindFile{}
	err = im.each(ctx, paths, &r, func(s source, c content) {
		b := &builder{content: c, now: im.Now, report: report}
		for i := range b.dags {
			im.takeDAG(b, i, s, found)
		}
	})
	if err != nil {
		return r, err
	}
	if len(found) == 0 {
		report(Line{File: strings.Join(paths, " "), Text: "there is no DAG to make a model file of", Left: true})
		return r, nil
	}
	m := &modelBuilder{report: report}
	m.findDocs(found)
	root := m.build(found)
	text, ok := im.checkModel(m, root)
	r.Configuration = m.configuration(im.Project)
	if len(m.secrets) > 0 && im.Project == "" {
		report(Line{File: modelFile, Text: "in models.secrets of the instance's configuration, " + unknownText +
			" stands for the project's path in GitLab; --project names it"})
	}
	if ok {
		m.writeDocs(dir, &r)
		if err := writeOwn(dir, modelFile, text); err != nil {
			report(Line{File: modelFile, Text: notWritten, Reason: err.Error(), Left: true})
		} else {
			var ids []string
			for _, kind := range []string{scoring, retrain} {
				if k := found[kind]; k != nil {
					ids = append(ids, k.s.id)
				}
			}
			r.Written = append(r.Written, Written{modelFile, ids})
		}
	}
	r.sort()
	return r, nil
}

// takeDAG keeps a DAG as the scoring or the retraining of the model.
func (im Importer) takeDAG(b *builder, i int, s source, found map[string]*kindFile) {
	d := b.newDAG(i)
	if d == nil {
		return
	}
	kind := scoring
	if strings.Contains(strings.ToLower(d.id+" "+filepath.Base(s.file)), "train") {
		kind = retrain
	}
	if other := found[kind]; other != nil {
		d.left(d.at, "", "the DAG is left out: %s is the %s already; a repository with several models has a list models in %s",
			other.s.id, kind, modelFile)
		return
	}
	spec := d.build()
	if spec == nil {
		return
	}
	if _, ok := d.check(spec, im.Parser); ok {
		found[kind] = &kindFile{kind, d, spec}
	}
}

// modelBuilder makes a model file, and what the instance has to offer for it.
type modelBuilder struct {
	report   func(Line)
	profiles []offer
	volumes  []offer
	allowed  []string  // models.allow_pod
	secrets  []string  // that models.secrets must list
	pods     []mapping // the tasks' pod
	docs     []docsFile
}

// mergedKeys are settings that are merged by name; the nearest says what counts.
var mergedKeys = []string{"env", "secrets", "secret_files", "volumes"}

// topKeys may stand at the file's top only.
var topKeys = []string{"owner", "timezone", "params"}

// settingOrder is the order in which the keys of a model file are written.
var settingOrder = []string{"task_id", "owner", "description", "docs", "timezone", "schedule", "start_date", "catchup",
	"max_active_runs", "run_timeout", "tags", "needs", "trigger_rule", "image", "command", "profile", "resources", "env",
	"secrets", "secret_files", "volumes", "retries", "retry_delay", "timeout", "pod", "params", scoring, retrain, "tasks"}

func (b *modelBuilder) build(found map[string]*kindFile) mapping {
	kinds := map[string]mapping{}
	for _, kind := range []string{scoring, retrain} {
		if k := found[kind]; k != nil {
			kinds[kind] = b.kind(k)
		}
	}
	var root mapping
	for _, key := range topKeys {
		root = b.lift(root, key, kinds, found)
	}
	if len(kinds) == 2 {
		shared, rest := common([]mapping{kinds[scoring], kinds[retrain]}, "schedule", "tasks", "command", "pod", "description")
		root = append(root, shared...)
		kinds[scoring], kinds[retrain] = rest[0], rest[1]
	}
	for _, kind := range []string{scoring, retrain} {
		if m := kinds[kind]; m != nil {
			root = append(root, field{kind, inOrder(m)})
		}
	}
	return inOrder(root)
}

// lift moves a key that may stand at the top only out of the kinds.
func (b *modelBuilder) lift(root mapping, key string, kinds map[string]mapping, found map[string]*kindFile) mapping {
	for _, kind := range []string{scoring, retrain} {
		v := kinds[kind].get(key)
		if v == nil {
			continue
		}
		kinds[kind] = kinds[kind].without(key)
		before, params := root.get(key).(mapping)
		switch {
		case params:
			root = root.set(key, union(before, v.(mapping)))
		case !root.has(key):
			root = append(root, field{key, v})
		case !same(root.get(key), v):
			d := found[kind].d
			d.left(d.at, "", "%s %v is left out: a model has one, and that of this one is %v", key, v, root.get(key))
		}
	}
	return root
}

func union(a, b mapping) mapping {
	for _, f := range b {
		if !a.has(f.key) {
			a = append(a, f)
		}
	}
	return a
}

func inOrder(m mapping) mapping {
	m = slices.Clone(m)
	rank := func(key string) int { return slices.Index(settingOrder, key) }
	slices.SortStableFunc(m, func(a, b field) int { return rank(a.key) - rank(b.key) })
	return m
}

// common takes what all mappings say alike out of them, except some keys.
func common(all []mapping, except ...string) (shared mapping, rest []mapping) {
	rest = slices.Clone(all)
	for _, f := range all[0] {
		if slices.Contains(except, f.key) {
			continue
		}
		if slices.Contains(mergedKeys, f.key) {
			var values []mapping
			for _, m := range all {
				v, _ := m.get(f.key).(mapping)
				values = append(values, v)
			}
			inner, left := common(values)
			for i := range rest {
				if rest[i] = rest[i].without(f.key); len(left[i]) > 0 {
					rest[i] = append(rest[i], field{f.key, left[i]})
				}
			}
			if len(inner) > 0 {
				shared = append(shared, field{f.key, inner})
			}
			continue
		}
		if slices.ContainsFunc(all, func(m mapping) bool { return !m.has(f.key) || !same(m.get(f.key), f.value) }) {
			continue
		}
		shared = append(shared, f)
		for i := range rest {
			rest[i] = rest[i].without(f.key)
		}
	}
	return shared, rest
}

func same(a, b any) bool {
	x, errX := encode(a)
	y, errY := encode(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
