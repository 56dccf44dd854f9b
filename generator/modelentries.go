package generator

import (
	"path"
	"strings"
)

// maxEntries bounds the models of one repository.
const maxEntries = 100

// entries reads the models of a repository with several. common is what the file
// says of all of them.
func (r *modelReader) entries(n *field, common Model) []Entry {
	list := r.list(n)
	if len(list) > maxEntries {
		r.fault(n, "%d models are too many; %d at most", len(list), maxEntries)
		return nil
	}
	if len(list) == 0 {
		return nil
	}
	commonParams := r.paramFields
	names := map[string]bool{}
	out := make([]Entry, 0, len(list))
	for _, item := range list {
		r.paramFields = commonParams
		e := r.entry(item, common)
		for _, name := range []string{e.Name, e.Name + "-retrain"} {
			if e.Name != "" && names[strings.ToLower(name)] {
				r.fault(item, "the name %q is there twice, upper and lower case not told apart", name)
			}
			names[strings.ToLower(name)] = true
		}
		out = append(out, e)
	}
	return out
}

func (r *modelReader) entry(n *field, common Model) Entry {
	e := Entry{Model: common}
	e.Model.Settings, e.Model.Scoring.Settings, e.Model.Retrain.Settings = Settings{}, Settings{}, Settings{}
	before := len(r.faults)
	r.keys(n, r.entryKeys(&e))
	r.layEntry(common, &e.Model)
	r.checkLayers(&e.Model)
	if e.Name == "" && len(r.faults) == before {
		r.fault(n, "name is missing: it becomes the DAG's")
	}
	return e
}

// entryKeys are the readers of the keys of one of "models".
func (r *modelReader) entryKeys(e *Entry) map[string]func(*field) {
	readers := r.settings(&e.Model)
	readers["name"] = func(f *field) { e.Name = r.modelName(f) }
	readers["path"] = func(f *field) { e.Path, e.PathAt = r.folder(f), Place{f.line, f.column} }
	readers["watch"] = func(f *field) {
		for _, item := range r.list(f) {
			e.Watch = append(e.Watch, r.folder(item))
		}
	}
	return readers
}

// layEntry lays what an entry says over what the file says of all: the entry itself is nearer
// than the file's "scoring" and "retrain".
func (r *modelReader) layEntry(common Model, m *Model) {
	own := m.Settings
	m.Settings = r.inst.overAll(common.Settings, own)
	m.Scoring.Settings = r.inst.overAll(r.inst.overAll(common.Scoring.Settings, own), m.Scoring.Settings)
	m.Retrain.Settings = r.inst.overAll(r.inst.overAll(common.Retrain.Settings, own), m.Retrain.Settings)
}

// modelName reads the name of a model of several, which becomes its DAG's.
func (r *modelReader) modelName(n *field) string {
	name := r.taskID(n)
	if strings.HasPrefix(name, "-") {
		r.fault(n, "begins with -, which commands take for a flag; want a letter, a digit, _ or . first")
		return ""
	}
	if reason := reservedName(name); name != "" && reason != "" {
		r.fault(n, "%s", reason)
		return ""
	}
	return name
}

// folder reads a path within the repository.
func (r *modelReader) folder(n *field) string {
	s, ok := r.text(n)
	if !ok {
		return ""
	}
	clean := path.Clean(s)
	if s == "" || len(s) > maxText || path.IsAbs(s) || clean == ".." || strings.HasPrefix(clean, "../") ||
		strings.ContainsFunc(s, unprintable) || strings.Contains(s, "\\") {
		r.fault(n, "is not a path within the repository; want something like models/daily")
		return ""
	}
	if clean == "." {
		return ""
	}
	return clean
}

func (r *modelReader) waitFor(n *field) string {
	s, ok := r.text(n)
	if ok && s != WaitNone && s != WaitPipeline && s != WaitImage {
		r.fault(n, "want %s, %s or %s", WaitPipeline, WaitImage, WaitNone)
		return ""
	}
	return s
}

// words reads a list of short texts.
func (r *modelReader) words(n *field) []string {
	out := []string{}
	for _, item := range r.list(n) {
		out = append(out, r.name(item))
	}
	return out
}

// touched reports whether any of the changed files belongs to the entry.
func (e Entry) touched(changed []string) bool {
	roots := append([]string{e.Path}, e.Watch...)
	for _, docs := range []string{e.Model.Docs, e.Model.Scoring.Docs, e.Model.Retrain.Docs} {
		if docs != "" {
			roots = append(roots, docs)
		}
	}
	for _, file := range changed {
		for _, root := range roots {
			if root == "" || file == root || strings.HasPrefix(file, root+"/") {
				return true
			}
		}
	}
	return false
}

// Request asks for the entry's DAG, at the commit and branch of r.
func (e Entry) Request(r Request) Request {
	r.Model, r.ModelPath = e.Name, e.Path
	return r
}
