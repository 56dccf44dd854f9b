package importer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
)

const (
	// maxSource bounds a Python file, in bytes.
	maxSource = 1 << 20
	// maxFiles bounds the Python files of one import.
	maxFiles = 10_000
	// header begins every file that is written; only such a file is overwritten.
	header = "# Imported by dagwright from "
)

// Importer reads Python DAG files. Parser must be set.
type Importer struct {
	// Python is the interpreter; python3 when empty.
	Python string
	// Airflow is the interpreter of an environment with Airflow, which RUNS the files: what it
	// builds is taken, and not what reading them gives. Empty: nothing is run.
	Airflow string
	// Parser accepts or refuses every spec before it is written.
	Parser dag.Parser
	// CheckTask says what a usual instance does not allow of a task; nil leaves that
	// unchecked. What it says is reported, and the spec is written.
	CheckTask func(dag.Task) error
	// CheckModel says what is wrong with a model file on an instance whose configuration has
	// offers as its section models.
	CheckModel func(file string, source, offers []byte) error
	// Project is the GitLab path of the model's project, for which the secrets of a model file
	// are proposed; CHANGE_ME stands for it when it is empty.
	Project string
	// Now is the day from which relative dates count.
	Now time.Time
}

// source is a Python file, and the folder that its path in the output is below.
type source struct{ file, root string }

// Specs reads the Python files of paths, files or folders, and writes a file of specs for
// each that has DAGs, below the folder out. An error says that nothing could be done; what
// is wrong with single files is in the report.
func (im Importer) Specs(ctx context.Context, paths []string, out string) (Report, error) {
	var r Report
	dir, err := openOut(out)
	if err != nil {
		return r, err
	}
	defer dir.Close()
	written, owners := map[string]string{}, map[string]string{}
	err = im.each(ctx, paths, &r, func(s source, c content) {
		b := &builder{content: c, now: im.Now, report: func(l Line) { r.Lines = append(r.Lines, l) }}
		im.write(b, s, dir, &r, written, owners)
	})
	r.sort()
	return r, err
}

// result is what a file would make, or why that is not known.
type result struct {
	content
	err error
}

// each takes the files of paths one after the other: as they are read, or as Airflow builds
// them.
func (im Importer) each(ctx context.Context, paths []string, r *Report, use func(source, content)) error {
	report := func(l Line) { r.Lines = append(r.Lines, l) }
	take := func(s source, got result, say func([]note, func(Line))) {
		if got.err != nil {
			report(refused(s.file, got.err))
			return
		}
		say(got.notes, report)
		use(s, got.content)
	}
	if im.Airflow == "" {
		return im.read(ctx, paths, r, func(s source, read result) { take(s, read, sayNotes) })
	}
	return im.both(ctx, paths, r, func(s source, read, built result) {
		built.notes = read.notes
		take(s, built, sayValues)
	})
}

// read reads the files of paths and runs nothing of them.
func (im Importer) read(ctx context.Context, paths []string, r *Report, use func(source, result)) error {
	p, err := newPython(cmp.Or(im.Python, "python3"))
	if err != nil {
		return err
	}
	defer p.close()
	sources, roots, err := find(paths, r)
	if err != nil {
		return err
	}
	for _, s := range sources {
		r.Files = append(r.Files, s.file)
	}
	return p.run(ctx, sources, roots, use)
}

// both reads the files of paths, and has Airflow load them.
func (im Importer) both(ctx context.Context, paths []string, r *Report, use func(s source, read, built result)) error {
	var sources []source
	reads := map[string]result{}
	if err := im.read(ctx, paths, r, func(s source, read result) {
		sources = append(sources, s)
		reads[s.file] = read
	}); err != nil {
		return err
	}
	p, err := newAirflow(im.Airflow)
	if err != nil {
		return err
	}
	defer p.close()
	var roots []string
	for _, s := range sources {
		if !slices.Contains(roots, s.root) {
			roots = append(roots, s.root)
		}
	}
	return p.run(ctx, sources, roots, func(s source, built result) {
		read := reads[s.file]
		built.findPlaces(s.file, read.content)
		use(s, read, built)
	})
}

// run has the program read files, one after the other.
func (p *python) run(ctx context.Context, sources []source, roots []string, use func(source, result)) error {
	files, bySource := make([]string, len(sources)), map[string]source{}
	for i, s := range sources {
		files[i], bySource[s.file] = s.file, s
	}
	return p.each(ctx, files, roots, func(file string, c content, err error) { use(bySource[file], result{c, err}) })
}

// refused is the line about a file that could not be read.
func refused(file string, err error) Line {
	var at refusal
	line := 0
	if errors.As(err, &at) {
		line = at.at.line
	}
	return Line{File: file, Line: line, Text: "the file is not carried over: " + err.Error(), Left: true}
}

// find lists the Python files of paths, and the folders among the paths.
func find(paths []string, r *Report) (sources []source, roots []string, err error) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, nil, err
		}
		root := p
		if !info.IsDir() {
			root = filepath.Dir(p)
		}
		roots = append(roots, root)
		if info.IsDir() {
			p += "/" // a link that was named is followed
		}
		err = filepath.WalkDir(p, func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				r.Lines = append(r.Lines, Line{File: file, Text: "the file is not carried over: " + err.Error(), Left: true})
				return nil
			case file != p && skipped(entry):
				return fs.SkipDir
			case entry.IsDir() || !isPython(file):
				return nil
			case len(sources) == maxFiles:
				return fmt.Errorf("%s: more than %d Python files; import them in parts", p, maxFiles)
			}
			if reason := unreadable(entry); reason != "" {
				r.Lines = append(r.Lines, Line{File: file, Text: "the file is not carried over: " + reason, Left: true})
				return nil
			}
			if mayHaveDAGs(file) {
				sources = append(sources, source{file, root})
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return sources, roots, nil
}

// mayHaveDAGs reports whether a file has the words without which Airflow does not load it
// (core.dag_discovery_safe_mode). One that cannot be read may have them.
func mayHaveDAGs(file string) bool {
	text, err := os.ReadFile(file)
	text = bytes.ToLower(text)
	return err != nil || bytes.Contains(text, []byte("dag")) && bytes.Contains(text, []byte("airflow"))
}

// skipped reports whether a folder has no DAG files by its name.
func skipped(entry fs.DirEntry) bool {
	name := entry.Name()
	return entry.IsDir() && (strings.HasPrefix(name, ".") || name == "__pycache__" || name == "node_modules")
}

func unreadable(entry fs.DirEntry) string {
	info, err := entry.Info()
	switch {
	case err != nil:
		return err.Error()
	case info.Mode()&fs.ModeSymlink != 0:
		return "it is a symbolic link; name the file that it leads to"
	case !info.Mode().IsRegular():
		return "it is not a plain file"
	case info.Size() > maxSource:
		return fmt.Sprintf("it has %d bytes; %d at most are read", info.Size(), maxSource)
	}
	return ""
}

func openOut(out string) (*os.Root, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	return os.OpenRoot(out)
}

// write writes the DAGs of one Python file into one file of specs.
func (im Importer) write(b *builder, s source, dir *os.Root, r *Report, written, owners map[string]string) {
	var text bytes.Buffer
	var ids []string
	for i := range b.dags {
		d := b.newDAG(i)
		if d == nil {
			continue
		}
		if other := owners[d.id]; other != "" {
			d.left(d.at, "", "the DAG is not written: %s has a DAG of this id", other)
			continue
		}
		spec := d.build()
		if spec == nil {
			continue
		}
		if one, ok := d.check(spec, im.Parser); ok {
			im.sayPolicy(d, spec, one)
			owners[d.id] = s.file
			ids = append(ids, d.id)
			text.Write(one)
		}
	}
	if len(ids) == 0 {
		return
	}
	file := outPath(s)
	fail := func(format string, args ...any) {
		b.report(Line{File: s.file, Text: fmt.Sprintf(format, args...), Left: true})
	}
	if other := written[file]; other != "" {
		fail("%s is not written: %s becomes the same file; import the two into different folders", file, other)
		return
	}
	written[file] = s.file
	whole := append([]byte(header+path.Base(filepath.ToSlash(s.file))+".\n"), text.Bytes()...)
	if err := writeOwn(dir, file, whole); err != nil {
		fail("%s is not written: %s", file, err)
		return
	}
	r.Written = append(r.Written, Written{file, ids})
}

// sayPolicy reports what a usual instance would not allow.
func (im Importer) sayPolicy(d *dagBuilder, s *spec, text []byte) {
	if im.CheckTask == nil {
		return
	}
	parser := im.Parser
	parser.CheckTask = im.CheckTask
	_, err := parser.Parse(d.at.file, text)
	if err == nil {
		return
	}
	for _, f := range faultsOf(err) {
		d.refused(s.target(f), "a usual instance does not allow this", f.Reason)
	}
}

// outPath is the path of a Python file's specs: as the file lies below its root.
func outPath(s source) string {
	rel, err := filepath.Rel(s.root, s.file)
	if err != nil {
		rel = filepath.Base(s.file)
	}
	stem := strings.TrimSuffix(filepath.ToSlash(rel), ".py")
	if kind, _ := dag.KindOfFile(stem + ".yaml"); kind != dag.SpecFile {
		stem += "_dag"
	}
	return stem + ".yaml"
}

// writeOwn writes a file, unless there is one that no import wrote.
func writeOwn(dir *os.Root, file string, text []byte) error {
	old, err := dir.ReadFile(file)
	switch {
	case err == nil && !bytes.HasPrefix(old, []byte(header)):
		return errors.New("there is a file of this name already, which is not from an import; move it away")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := dir.MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	return dir.WriteFile(file, text, 0o644)
}
