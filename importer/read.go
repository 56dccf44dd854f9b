package importer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// programs are the reader of Python files, which is itself in Python, and what has an Airflow
// load them.
//
//go:embed python/*.py airflow/load.py
var programs embed.FS

const (
	// readTime bounds the reading of one file, and loadTime its loading in an Airflow.
	readTime = 60 * time.Second
	loadTime = 2 * time.Minute
	// startTime is what an Airflow may take beside that to start.
	startTime = 5 * time.Minute
	// maxAnswer bounds what is printed for one file, in bytes.
	maxAnswer = 64 << 20
	// maxComplaint bounds what is kept of a program's standard error, in bytes.
	maxComplaint = 4 << 10
)

// content is what one Python file would make.
type content struct {
	dags   []made
	groups []madeGroup
	tasks  []madeTask
	edges  [][2]end
	notes  []note
}

// made is a DAG, a group or a task: what its constructor is called with.
type made struct {
	args   []any
	kwargs dict
	at     place
}

// madeGroup is a task group; dag and parent are indexes, -1 for none.
type madeGroup struct {
	made
	dag, parent int
}

// madeTask is a task; class is the operator's.
type madeTask struct {
	made
	class      string
	dag, group int
}

// end is one end of a dependency: a task or a group by its index, -1 for the other.
type end struct{ task, group int }

// note is what the program in Python has to say about a line.
type note struct {
	At   place  `json:"at"`
	Kind string `json:"kind"` // left, placeholder or default
	What string `json:"what"`
	Of   string `json:"of"` // the text that a placeholder is
}

// The program's answer.
type (
	answer struct {
		Error  string      `json:"error"`
		At     place       `json:"at"`
		DAGs   []rawMade   `json:"dags"`
		Groups []rawMade   `json:"groups"`
		Tasks  []rawMade   `json:"tasks"`
		Edges  [][2]rawEnd `json:"edges"`
		Notes  []note      `json:"notes"`
	}
	rawMade struct {
		Args   json.RawMessage `json:"args"`
		Kwargs rawDict         `json:"kwargs"`
		At     place           `json:"at"`
		Class  string          `json:"class"`
		DAG    int             `json:"dag"`
		Group  int             `json:"group"`
		Parent int             `json:"parent"`
	}
	rawEnd struct {
		Task  *int `json:"task"`
		Group *int `json:"group"`
	}
)

// python runs one of the programs in a folder of its own.
type python struct {
	interpreter string
	folder      string
	// args start the program.
	args []string
	// first bounds the time until the first file is read, and next that of each further one.
	first, next time.Duration
}

// ErrPython says that there is no interpreter.
var ErrPython = errors.New("python3 is not installed; reading DAG files needs Python 3.9 or later")

// ErrAirflow says that the interpreter of an Airflow is not there.
var ErrAirflow = errors.New("the Python of the Airflow is not there")

// errTime says that a file took too long.
var errTime = errors.New("reading it takes too long")

// newPython finds an interpreter and lays the reader of files out for it; close removes that.
func newPython(interpreter string) (*python, error) {
	found, err := exec.LookPath(interpreter)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPython, err)
	}
	p, err := layOut(found, "python", readTime, readTime)
	if err != nil {
		return nil, err
	}
	// -I and -S keep the environment's modules and settings away.
	p.args = []string{"-I", "-S", "-B", p.folder}
	return p, nil
}

// newAirflow is newPython for the interpreter of an Airflow, which runs the files.
func newAirflow(interpreter string) (*python, error) {
	found, err := exec.LookPath(interpreter)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAirflow, err)
	}
	p, err := layOut(found, "airflow", startTime+loadTime, loadTime)
	if err != nil {
		return nil, err
	}
	p.args = []string{"-B", filepath.Join(p.folder, "load.py")}
	return p, nil
}

func layOut(interpreter, program string, first, next time.Duration) (*python, error) {
	files, err := fs.Sub(programs, program)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "dagwright-import-")
	if err != nil {
		return nil, err
	}
	p := &python{interpreter: interpreter, folder: folder, first: first, next: next}
	if err := os.CopyFS(folder, files); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *python) close() { os.RemoveAll(p.folder) }

// each reads files one after the other. roots are the folders below which modules may be.
// A file that ends the interpreter, or takes too long, does not keep it from the others.
func (p *python) each(ctx context.Context, files, roots []string, use func(string, content, error)) error {
	for len(files) > 0 {
		n, err := p.batch(ctx, files, roots, use)
		if err != nil {
			return err
		}
		files = files[n:]
	}
	return nil
}

// batch starts the interpreter and has it read files until it ends. It returns how many it
// has read, the one at which it ended included.
func (p *python) batch(ctx context.Context, files, roots []string, use func(string, content, error)) (int, error) {
	wanted, err := json.Marshal(map[string][]string{"files": files, "roots": roots})
	if err != nil {
		return 0, err
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(running, p.interpreter, p.args...)
	cmd.WaitDelay = 5 * time.Second
	complaint := &bounded{most: maxComplaint}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(wanted), complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", p.interpreter, err)
	}
	deadline := time.AfterFunc(p.first, func() { cancel(errTime) })
	defer deadline.Stop()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxAnswer)
	n := 0
	for n < len(files) && lines.Scan() {
		deadline.Reset(p.next)
		c, err := decodeAnswer(lines.Bytes())
		use(files[n], c, err)
		n++
	}
	if n < len(files) {
		cancel(nil)
	}
	ended := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case n == len(files):
		return n, nil
	case lines.Err() != nil:
		use(files[n], content{}, fmt.Errorf("what it makes is larger than %d bytes", maxAnswer))
	case errors.Is(context.Cause(running), errTime):
		use(files[n], content{}, fmt.Errorf("%w: more than %s", errTime, p.next))
	default:
		words := lastLine(complaint.kept.String())
		use(files[n], content{}, fmt.Errorf("python ended: %w: %s", cmp.Or(ended, io.ErrUnexpectedEOF), words))
	}
	return n + 1, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer
	most int
}

// Write never fails, so that the writer is not blocked.
func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), max(b.most-b.kept.Len(), 0))])
	return len(p), nil
}

func decodeAnswer(text []byte) (content, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return content{}, fmt.Errorf("the answer of python is not understood: %w", err)
	}
	if a.Error != "" {
		return content{}, refusal{a.At, a.Error}
	}
	c := content{notes: a.Notes}
	for _, r := range a.DAGs {
		m, err := r.decode()
		if err != nil {
			return content{}, err
		}
		c.dags = append(c.dags, m)
	}
	for _, r := range a.Groups {
		m, err := r.decode()
		if err != nil {
			return content{}, err
		}
		c.groups = append(c.groups, madeGroup{m, r.DAG, r.Parent})
	}
	for _, r := range a.Tasks {
		m, err := r.decode()
		if err != nil {
			return content{}, err
		}
		c.tasks = append(c.tasks, madeTask{m, r.Class, r.DAG, r.Group})
	}
	for _, e := range a.Edges {
		c.edges = append(c.edges, [2]end{e[0].decode(), e[1].decode()})
	}
	return c, nil
}

// refusal is a file that is not read, with the line at which that became clear.
type refusal struct {
	at   place
	text string
}

// Error is the reason without the place.
func (r refusal) Error() string { return r.text }

func (r rawMade) decode() (made, error) {
	args, err := decodeList(r.Args)
	if err != nil {
		return made{}, err
	}
	kwargs, err := decodeDict(r.Kwargs)
	return made{args, kwargs, r.At}, err
}

func (e rawEnd) decode() end {
	d := end{-1, -1}
	if e.Task != nil {
		d.task = *e.Task
	}
	if e.Group != nil {
		d.group = *e.Group
	}
	return d
}

// isPython reports whether a file's name says that it is Python.
func isPython(name string) bool { return filepath.Ext(name) == ".py" }
