package dag

import (
	"time"
)

// Defaults is a defaults file (defaults.yml) beside a spec or in a folder above
// it: DAG keys at its root, arguments for every task under default_args.
type Defaults struct {
	File   string
	Source []byte
}

// Parser reads spec files. Its zero value is ready for use, and it is safe for
// concurrent use.
type Parser struct {
	// CheckSchedule says what is wrong with a schedule's cron expression, which
	// is not this package's business; nil leaves it unchecked. It is not asked
	// about schedules without an expression.
	CheckSchedule func(Schedule) error
	// CheckTask says what is wrong with a task as a whole, such as what of its
	// pod the instance does not allow; nil leaves that unchecked. It is asked
	// about tasks that have no other fault. A path in its error ([SpecErrors] or
	// [*SpecError]) begins with one of the task's arguments and gives the fault
	// its line.
	CheckTask func(Task) error
	// CheckDAG says what is wrong with a DAG as a whole, such as an owner that it
	// may not have; nil leaves that unchecked. It is asked about DAGs of files that
	// have had no fault yet. A path in its error is a key of the DAG, as in tags[1],
	// or an argument of one of its Tasks, as in tasks[0].owner.
	CheckDAG func(*DAG) error
	// NoteDAG says what is worth knowing about a DAG, with paths as in the error of
	// CheckDAG; nil says nothing. It is asked about the same DAGs.
	NoteDAG func(*DAG) SpecErrors
}

// Parse reads a spec file like [Parser.Parse], without a look at cron
// expressions.
func Parse(file string, source []byte, defaults ...Defaults) ([]*DAG, error) {
	return Parser{}.Parse(file, source, defaults...)
}

// maxEffort bounds how many values are looked at for one file: defaults count
// once for every DAG and task that they apply to.
const maxEffort = 300_000

// Parse reads a spec file in the dialect of dag-factory 1.1.0 and returns its
// DAGs in file order, with every default filled in. The defaults files come from
// the nearest to the farthest. The error is a [SpecErrors] that holds every
// fault of the file and its defaults files (the first hundred), each with its
// place; the file's DAGs are then not returned, not even the good ones.
//
// The dialect: https://astronomer.github.io/dag-factory/. Different from it, on
// purpose: what dagwright cannot honour and what it does not know is an error;
// environment variables are never put in for $NAME; a DAG's timezone counts for
// its start_date, its end_date and its cron expression wherever they stand.
func (p Parser) Parse(file string, source []byte, defaults ...Defaults) ([]*DAG, error) {
	r, err := p.Read(file, source, defaults...)
	return r.DAGs, err
}

// Read is [Parser.Parse] with notes, which are there whether the file has faults or not.
func (p Parser) Read(file string, source []byte, defaults ...Defaults) (Reading, error) {
	f := &faults{}
	s := &specReader{reader: reader{f}, check: p.CheckSchedule, checkTask: p.CheckTask, checkDAG: p.CheckDAG,
		noteDAG: p.NoteDAG, file: file}
	s.readDefaults(defaults)
	if root := readTree(file, source, f); root != nil {
		s.readFile(root)
	} else if len(f.list) == 0 {
		f.add(place{file: file}, "", "the file is empty; it must map a DAG's id to the DAG")
	}
	notes := f.sortedNotes()
	if err := f.err(); err != nil {
		return Reading{Notes: notes}, err
	}
	return Reading{DAGs: s.dags, Notes: notes}, nil
}

// specReader reads one spec file.
type specReader struct {
	reader
	check     func(Schedule) error
	checkTask func(Task) error
	checkDAG  func(*DAG) error
	noteDAG   func(*DAG) SpecErrors
	file      string
	// defaults lies under every DAG of the file; nil when there are none.
	defaults *node
	effort   int
	// schemas checks the defaults of all params.
	schemas schemaCheck
	dags    []*DAG
}

// readDefaults lays the defaults files over each other, the nearest on top. Only
// tags are collected from all of them.
func (s *specReader) readDefaults(files []Defaults) {
	var tags []*node
	for _, d := range files {
		root := readTree(d.File, d.Source, s.faults)
		switch {
		case root == nil || root.kind == nullKind:
			continue
		case root.kind != mapKind:
			s.faults.addAt(root, "a defaults file must be a mapping of DAG keys, not %s", root.shape())
			continue
		}
		for _, p := range root.pairs {
			switch p.key {
			case "tasks", "task_groups", "default":
				s.faults.addKey(root, p, "%s cannot stand in a defaults file", p.key)
			case "tags":
				tags = append(tags, p.value)
			}
		}
		s.defaults = overlay(s.defaults, root)
	}
	if len(tags) > 1 {
		s.defaults = withTags(s.defaults, tags)
	}
}

// withTags replaces a mapping's tags by those of all lists together.
func withTags(m *node, lists []*node) *node {
	union := *lists[0]
	union.kind, union.items = listKind, nil
	seen := map[string]bool{}
	for _, list := range lists {
		for _, tag := range list.items {
			if !seen[tag.text] || !tag.isScalar() {
				seen[tag.text] = true
				union.items = append(union.items, tag)
			}
		}
	}
	out := *m
	out.pairs = append([]pair(nil), m.pairs...)
	for i := range out.pairs {
		if out.pairs[i].key == "tags" {
			out.pairs[i].value = &union
		}
	}
	return &out
}

// readFile reads the top level: DAGs by id, beside "default", which lies under
// every DAG, and "task_groups", where dag-factory lets people keep anchors.
func (s *specReader) readFile(root *node) {
	if root.kind != mapKind {
		s.faults.addAt(root, "the file must map a DAG's id to the DAG, not be %s", root.shape())
		return
	}
	defaults := s.defaults
	if own := root.get("default"); own != nil && own.kind != nullKind {
		if own.kind != mapKind {
			s.faults.addAt(own, "must be a mapping of DAG keys, not %s", own.shape())
			return
		}
		defaults = overlay(own, defaults)
	}
	count := 0
	for _, p := range root.pairs {
		if p.key == "default" || p.key == "task_groups" {
			continue
		}
		count++
		if !s.readDAG(root, p, defaults) {
			return
		}
	}
	if count == 0 {
		s.faults.addAt(root, "the file defines no DAG")
	}
}

// readDAG returns false when the rest of the file must not be read.
func (s *specReader) readDAG(root *node, p pair, defaults *node) bool {
	if err := CheckID(p.key); err != nil {
		s.faults.addKey(root, p, "%s", reasonOf(err))
	}
	if p.value.kind != mapKind {
		s.faults.addAt(p.value, "a DAG must be a mapping with tasks, not %s", p.value.shape())
		return true
	}
	merged := overlay(p.value, defaults)
	if !s.spend(p.value, merged.size) {
		return false
	}
	d := &dagReader{specReader: s, node: merged, zone: time.UTC, groupsByName: map[string]*group{}, dag: &DAG{
		ID:                 ID(p.key),
		PausedUponCreation: true,
		MaxActiveRuns:      16,
		MaxActiveTasks:     16,
	}}
	s.dags = append(s.dags, d.read())
	if s.checkDAG != nil && len(s.faults.list) == 0 {
		d.addDAGFaults(s.checkDAG(d.dag))
	}
	if s.noteDAG != nil && len(s.faults.list) == 0 {
		d.addDAGNotes(s.noteDAG(d.dag))
	}
	return true
}

// spend counts values that are looked at once more than they stand in a file.
func (s *specReader) spend(at *node, size int) bool {
	if s.effort += size; s.effort > maxEffort {
		s.faults.addAt(at, "the file is too large: its DAGs and tasks have more than %d values, defaults included", maxEffort)
		return false
	}
	return true
}
