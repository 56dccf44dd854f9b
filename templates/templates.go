// Package templates holds the templates of the DAG specs: one for scoring and
// one for retraining, embedded in the binary, and those with which an operator
// replaces them for all projects or for one.
//
// A template is Go's text/template with [[ ]] as delimiters, so that Airflow's
// {{ }} passes through. Values enter it through the functions toYaml and quote
// only, which write YAML that reads back as the same value, and comment, for the
// comment at the top. A template reads nothing but its data, and a missing key is
// an error.
package templates

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

//go:embed *.yaml.tmpl
var embedded embed.FS

const (
	suffix      = ".yaml.tmpl"
	maxTemplate = 256 << 10
	maxResult   = 1 << 20
)

// Set is the templates of an instance. It is never changed after Load, and safe
// for concurrent use.
type Set struct{ templates map[string]*Template }

// Template is one template of a set.
type Template struct {
	// Name is its file name, such as "default.yaml.tmpl".
	Name string
	// Digest is the SHA-256 of Source in hexadecimal.
	Digest string
	Source string
	// BuiltIn says that it is one of those in the binary.
	BuiltIn bool

	parsed *template.Template
}

// Error is a fault of a template at its place.
type Error struct {
	File   string
	Line   int // from 1; 0 when the fault has no line
	Reason string
}

// Error gives "file:line: reason".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Load reads the embedded templates and, over them, those of dir, which may be
// nil. A file there counts when its name ends in ".yaml.tmpl": "default" and
// "default-retrain" replace the embedded ones, "<project>" and
// "<project>-retrain" are for one project. The error joins an *Error for every
// template that is broken.
func Load(dir fs.FS) (*Set, error) {
	s := &Set{templates: map[string]*Template{}}
	errs := []error{s.read(embedded)}
	for _, t := range s.templates {
		t.BuiltIn = true
	}
	if dir != nil {
		errs = append(errs, s.read(dir))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) read(dir fs.FS) error {
	files, err := fs.Glob(dir, "*"+suffix)
	if err != nil {
		return fmt.Errorf("list templates: %w", err)
	}
	var errs []error
	for _, file := range files {
		t, err := read(dir, file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.templates[file] = t
	}
	return errors.Join(errs...)
}

func read(dir fs.FS, file string) (*Template, error) {
	info, err := fs.Stat(dir, file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read template %s: %w", file, err)
	case !info.Mode().IsRegular():
		return nil, &Error{File: file, Reason: "it is not a file"}
	case info.Size() > maxTemplate:
		return nil, &Error{File: file, Reason: fmt.Sprintf("it has more than %d bytes", maxTemplate)}
	}
	source, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, fmt.Errorf("read template %s: %w", file, err)
	}
	parsed, err := template.New(file).Delims("[[", "]]").Option("missingkey=error").Funcs(functions).Parse(string(source))
	if err != nil {
		return nil, located(file, err)
	}
	digest := sha256.Sum256(source)
	return &Template{Name: file, Digest: hex.EncodeToString(digest[:]), Source: string(source), parsed: parsed}, nil
}

// For returns the template of a project, by the last segment of its GitLab
// path: the project's own when there is one, else the default.
func (s *Set) For(project string, retrain bool) *Template {
	ending := suffix
	if retrain {
		ending = "-retrain" + suffix
	}
	if t, ok := s.templates[path.Base(project)+ending]; ok {
		return t
	}
	return s.templates["default"+ending]
}

// Execute renders the template. The error is an *Error.
func (t *Template) Execute(data any) ([]byte, error) {
	out := &limited{}
	if err := t.parsed.Execute(out, data); err != nil {
		return nil, located(t.Name, err)
	}
	return out.Bytes(), nil
}

// limited is a buffer with an end, since a template can loop.
type limited struct{ bytes.Buffer }

var errTooLong = fmt.Errorf("the result has more than %d bytes", maxResult)

// Write adds to the buffer until it is full.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxResult {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}

// place is how text/template begins its errors: the name and the line, at times
// the column.
var place = regexp.MustCompile(`^template: [^:]*:(\d+):(?:\d+:)? ?`)

// located turns an error of text/template into ours.
func located(file string, err error) *Error {
	text := err.Error()
	e := &Error{File: file, Reason: text}
	if m := place.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1]) // digits by the pattern
		e.Reason = strings.TrimPrefix(text, m[0])
	}
	return e
}
