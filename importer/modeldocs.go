package importer

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// maxDocs bounds a Markdown file of a model, in bytes, as the generator does.
const maxDocs = 64 << 10

// docsFile is a Markdown file of a model, and the kinds whose doc_md it is.
type docsFile struct {
	path, text string
	kinds      []string
}

// findDocs makes a Markdown file of what both kinds say, or one of each.
func (b *modelBuilder) findDocs(found map[string]*kindFile) {
	for _, kind := range []string{scoring, retrain} {
		if found[kind] == nil {
			continue
		}
		text := found[kind].docs()
		if text == "" {
			continue
		}
		if i := slices.IndexFunc(b.docs, func(f docsFile) bool { return f.text == text }); i >= 0 {
			b.docs[i].kinds = append(b.docs[i].kinds, kind)
			continue
		}
		b.docs = append(b.docs, docsFile{"docs/model.md", text, []string{kind}})
	}
	if len(b.docs) == 2 {
		for i := range b.docs {
			b.docs[i].path = "docs/" + b.docs[i].kinds[0] + ".md"
		}
	}
}

// docs is the text of a DAG's doc_md; "" for none, or after a report.
func (k *kindFile) docs() string {
	text, _ := k.s.root.get("doc_md").(string)
	text = cleanDoc(text)
	at := k.d.at.of("doc_md")
	switch {
	case text == unknownText: // which is reported already
		return ""
	case strings.HasSuffix(text, ".md\n") && strings.Count(text, "\n") == 1:
		k.d.left(at, "", "doc_md is the path of a file to Airflow: write docs with the file's path in the model's repository")
		return ""
	case len(text) > maxDocs:
		k.d.left(at, "", "doc_md has %d bytes and is left out: a model's docs have %d at most", len(text), maxDocs)
		return ""
	}
	return text
}

// cleanDoc takes the indentation out of a text as Python's inspect.cleandoc does, since
// indented Markdown is code. What is left ends with a line's end.
func cleanDoc(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\t", "        "), "\n")
	blank := func(line string) bool { return strings.TrimSpace(line) == "" }
	margin := -1
	for _, line := range lines[1:] {
		if indent := len(line) - len(strings.TrimLeft(line, " ")); !blank(line) && (margin < 0 || indent < margin) {
			margin = indent
		}
	}
	lines[0] = strings.TrimLeft(lines[0], " ")
	for i := range lines {
		if i > 0 && margin > 0 {
			lines[i] = lines[i][min(margin, len(lines[i])):]
		}
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	cleaned := strings.Trim(strings.Join(lines, "\n"), "\n")
	if cleaned == "" {
		return ""
	}
	return cleaned + "\n"
}

// docsPath is the Markdown file of a kind; "" for none.
func (b *modelBuilder) docsPath(kind string) string {
	for _, f := range b.docs {
		if slices.Contains(f.kinds, kind) {
			return f.path
		}
	}
	return ""
}

// writeDocs writes the Markdown files, but never over one that says something else.
func (b *modelBuilder) writeDocs(dir *os.Root, r *Report) {
	for _, f := range b.docs {
		old, err := dir.ReadFile(f.path)
		if err == nil && string(old) != f.text {
			b.report(Line{File: f.path, Text: "doc_md is not written, since the file is there already and says something else: " +
				"it is what docs shows; put what is missing into it", Left: true})
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			if err = dir.MkdirAll("docs", 0o755); err == nil {
				err = dir.WriteFile(f.path, []byte(f.text), 0o644)
			}
		}
		if err != nil {
			b.report(Line{File: f.path, Text: notWritten, Reason: err.Error(), Left: true})
			continue
		}
		r.Written = append(r.Written, Written{Path: f.path})
	}
}
