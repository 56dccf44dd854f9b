package generator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"dagwright/dag"
)

// maxDocs bounds a model's Markdown file, in bytes.
const maxDocs = 64 << 10

// docsPath is the Markdown file of one kind's DAG, "" when the model names none.
func (m Model) docsPath(kind Kind) (file string, said Said) {
	near := m.Scoring.Settings
	if kind == Retrain {
		near = m.Retrain.Settings
	}
	if near.Docs != "" {
		return near.Docs, near.Said["docs"]
	}
	return m.Docs, m.Said["docs"]
}

// ReadDocs returns the text of the Markdown file that a model names for one kind of its DAGs, ""
// when it names none. read gives a file of the repository, or dag.ErrNotFound. What cannot be
// shown is a *dag.SpecError at the place of the key "docs".
func (m Model) ReadDocs(kind Kind, read func(path string) ([]byte, error)) (string, error) {
	file, said := m.docsPath(kind)
	if file == "" {
		return "", nil
	}
	refuse := func(format string, args ...any) (string, error) {
		return "", &dag.SpecError{File: ModelFile, Line: said.Line, Column: said.Column, Path: or(said.Path, "docs"),
			Reason: fmt.Sprintf(format, args...)}
	}
	source, err := read(file)
	switch {
	case errors.Is(err, dag.ErrNotFound):
		return refuse("there is no file %s in this commit", file)
	case errors.Is(err, dag.ErrInvalid): // a link, a submodule, too large
		return refuse("%s", strings.TrimSuffix(err.Error(), ": "+dag.ErrInvalid.Error()))
	case err != nil:
		return "", fmt.Errorf("read %s: %w", file, err)
	case len(source) > maxDocs:
		return refuse("%s has %d bytes; %d at most", file, len(source), maxDocs)
	case !utf8.Valid(source):
		return refuse("%s is not text in UTF-8", file)
	}
	text := strings.ReplaceAll(strings.TrimRight(string(source), " \t\r\n"), "\r\n", "\n")
	if strings.ContainsFunc(text, func(c rune) bool { return c != '\n' && c != '\t' && unicode.IsControl(c) }) {
		return refuse("%s has a character that cannot be shown", file)
	}
	if text == "" {
		return "", nil
	}
	// The line's end is more than a habit: a doc_md that ends in ".md" is the path of a file to
	// Airflow, which would show what stands there on its own machine.
	return text + "\n", nil
}

// docsOf gives readers of the Markdown files of a project at a commit, which read each file
// once.
func (g *Generator) docsOf(ctx context.Context, project string) func(commit string) func(path string) ([]byte, error) {
	type answer struct {
		source []byte
		err    error
	}
	known := map[[2]string]answer{}
	return func(commit string) func(path string) ([]byte, error) {
		return func(path string) ([]byte, error) {
			key := [2]string{commit, path}
			if _, asked := known[key]; !asked {
				source, err := g.Models.ReadFile(ctx, project, commit, path)
				known[key] = answer{source, err}
			}
			return known[key].source, known[key].err
		}
	}
}
