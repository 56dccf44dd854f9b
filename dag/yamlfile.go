package dag

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// The limits of a file. Each is checked before the work that it bounds.
const (
	maxSource = 1 << 20 // bytes
	maxDepth  = 32      // nested lists and mappings
	maxNodes  = 100_000 // values, with every alias and merge key at full size
)

// readTree reads a YAML file of one document. It returns nil and has reported
// why when the file is empty, is not YAML, or breaks a limit.
func readTree(file string, source []byte, f *faults) *node {
	doc, err := ReadYAML(source, maxDepth)
	if fault := (*SpecError)(nil); errors.As(err, &fault) {
		f.add(place{file: file, line: fault.Line}, "", "%s", fault.Reason)
		return nil
	}
	if doc == nil {
		return nil
	}
	t := &treeReader{file: file, faults: f, done: map[*yaml.Node]*node{}, open: map[*yaml.Node]bool{}}
	root := t.read(doc, 0, &node{})
	if t.stopped {
		return nil
	}
	return root
}

// ReadYAML reads a YAML file of one document from outside and returns its root,
// nil when the file is empty. It bounds the work that the file makes: at most
// 1 MiB and about 100,000 values. Of the nesting it bounds only what the YAML
// library does, 10,000 levels, and then names depth, the caller's own limit. The
// caller checks the nodes against that limit, and counts aliases at full size.
// The error is a [*SpecError] without a file, with its line where that is known.
func ReadYAML(source []byte, depth int) (*yaml.Node, error) {
	if reason := sizeFault(source); reason != "" {
		return nil, &SpecError{Reason: reason}
	}
	cut := crowdedAt(source)
	doc, err := decodeYAML(source[:cut])
	line, reason := 0, ""
	if err != nil {
		line, reason = yamlReason(err)
		// The end of the file counts as a line of its own.
		line = tabbedLine(source[:cut], line, reason)
		line = min(line, 1+bytes.Count(bytes.TrimRight(source[:cut], "\n"), []byte{'\n'}))
	}
	switch {
	case strings.HasPrefix(reason, tooDeep):
		return nil, &SpecError{Line: line, Reason: fmt.Sprintf("nested deeper than %d levels", depth)}
	case cut < len(source):
		return nil, &SpecError{Line: 1 + bytes.Count(source[:cut], []byte{'\n'}),
			Reason: fmt.Sprintf("the file has more than %d values", maxNodes)}
	case err != nil:
		return nil, &SpecError{Line: line, Reason: "not YAML: " + reason}
	}
	return doc, nil
}

// sizeFault says why a file is not even looked into.
func sizeFault(source []byte) string {
	if len(source) > maxSource {
		return fmt.Sprintf("the file has %d bytes; 1 MiB is the limit", len(source))
	}
	if bytes.IndexByte(source, 0) >= 0 {
		return "the file has NUL bytes; it must be text in UTF-8"
	}
	return ""
}

// crowdedAt returns where a file has more values than it may have, its length
// when it does not. Nearly every value of a YAML file comes with one of the
// characters that are counted, so that their number bounds how many nodes the
// parser makes, each of which takes some 200 bytes.
func crowdedAt(source []byte) int {
	marks := 0
	for i, c := range source {
		switch c {
		case '\n', ',', '[', '{', '&', '*', '!':
			marks++
		case '-', '?', ':':
			if i+1 < len(source) && (source[i+1] == ' ' || source[i+1] == '\t') {
				marks++
			}
		}
		if marks > maxNodes {
			return i
		}
	}
	return len(source)
}

var errSeveralDocuments = errors.New("the file has more than one document; put everything into the first one")

func decodeYAML(source []byte) (doc *yaml.Node, err error) {
	// The library reports errors by panicking and turns only its own panics
	// into errors. A file from outside must never stop the scheduler.
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, errors.New("the YAML parser gave up on it")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(source))
	var first, second yaml.Node
	if err := dec.Decode(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, errSeveralDocuments
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if len(first.Content) == 0 {
		return nil, nil
	}
	return first.Content[0], nil
}

// yamlReason splits "yaml: line 3: did not find expected key".
func yamlReason(err error) (line int, reason string) {
	reason = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(reason, "line "); ok {
		number, text, found := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil && found {
			line, reason = n, text
		}
	}
	switch {
	case isParserProblem(reason):
		// The library counts the lines of these from 0 and leaves out line 0.
		line++
	case line == 0 && isScannerProblem(reason):
		// It counts the lines of these from 1, and leaves out line 1.
		line = 1
	}
	if strings.Contains(reason, "cannot start any token") {
		reason += " (a tab? YAML wants spaces; a value that begins with @? put it in quotes)"
	}
	if strings.Contains(reason, "alphabetic or numeric character") {
		reason += " (a value that begins with * or &? put it in quotes)"
	}
	if strings.HasPrefix(reason, noNode) || strings.HasPrefix(reason, noComma) {
		reason += ` (a "[" or "{" that is not closed?)`
	}
	if len(reason) > 200 {
		// The parser repeats an unknown anchor's name, however long.
		reason = strings.ToValidUTF8(reason[:200], "") + "…"
	}
	return line, reason
}

// tabbedLine corrects the line of a tab by which a line is indented: after a mapping the library names the line before.
func tabbedLine(source []byte, line int, reason string) int {
	lines := bytes.Split(source, []byte{'\n'})
	tabbed := func(number int) bool {
		if number < 1 || number > len(lines) {
			return false
		}
		text := lines[number-1]
		return bytes.IndexByte(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t') >= 0
	}
	if strings.Contains(reason, "tab") && !tabbed(line) && tabbed(line+1) {
		return line + 1
	}
	return line
}

// How the library begins to say that a list or mapping in brackets goes on.
const (
	noNode  = "did not find expected node content"
	noComma = "did not find expected ',' or"
)

// isParserProblem reports whether a message is from the library's parser, not
// from its scanner.
func isParserProblem(reason string) bool {
	for _, p := range []string{
		"did not find expected <document start>", "did not find expected <stream-start>",
		noNode, noComma, "did not find expected key", "did not find expected '-' indicator",
		"found undefined tag handle", "found duplicate %", "found incompatible YAML document",
	} {
		if strings.HasPrefix(reason, p) {
			return true
		}
	}
	return false
}

// tooDeep is how the library begins to say that it gave up, at 10,000 levels.
const tooDeep = "exceeded max depth"

// isScannerProblem reports whether a message that is not from the library's
// parser is from its scanner, and so about a place in the file.
func isScannerProblem(reason string) bool {
	for _, p := range []string{"found ", "did not find ", "could not find ", tooDeep} {
		if strings.HasPrefix(reason, p) {
			return true
		}
	}
	return strings.HasSuffix(reason, "not allowed in this context")
}
