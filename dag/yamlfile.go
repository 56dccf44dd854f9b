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
// why when the file is empty, is no YAML, or breaks a limit.
func readTree(file string, source []byte, f *faults) *node {
	if reason := sizeFault(source); reason != "" {
		f.add(place{file: file}, "", "%s", reason)
		return nil
	}
	doc, err := decodeYAML(source)
	if err != nil {
		line, reason := yamlReason(err)
		// The end of the file counts as a line of its own.
		last := 1 + bytes.Count(bytes.TrimRight(source, "\n"), []byte{'\n'})
		f.add(place{file: file, line: min(line, last)}, "", "not YAML: %s", reason)
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

// sizeFault bounds what the YAML parser has to do. Nearly every value of a YAML
// file comes with one of the characters that are counted, so that their number
// bounds how many nodes the parser makes, each of which takes some 200 bytes.
func sizeFault(source []byte) string {
	if len(source) > maxSource {
		return fmt.Sprintf("the file has %d bytes; 1 MiB is the limit", len(source))
	}
	if bytes.IndexByte(source, 0) >= 0 {
		return "the file has NUL bytes; it must be text in UTF-8"
	}
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
	}
	if marks > maxNodes {
		return fmt.Sprintf("the file has more than %d values", maxNodes)
	}
	return ""
}

var errSeveralDocuments = errors.New("the file has more than one document; put every DAG into the first one")

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
	if isParserProblem(reason) {
		// The library counts the lines of these from 0 and leaves out line 0.
		line++
	}
	if strings.Contains(reason, "cannot start any token") {
		reason += " (a tab? YAML wants spaces)"
	}
	if len(reason) > 200 {
		// The parser repeats an unknown anchor's name, however long.
		reason = strings.ToValidUTF8(reason[:200], "") + "…"
	}
	return line, reason
}

// isParserProblem reports whether a message is from the library's parser, not
// from its scanner.
func isParserProblem(reason string) bool {
	for _, p := range []string{
		"did not find expected <document start>", "did not find expected <stream-start>",
		"did not find expected node content", "did not find expected key",
		"did not find expected '-' indicator", "did not find expected ',' or",
		"found undefined tag handle", "found duplicate %", "found incompatible YAML document",
	} {
		if strings.HasPrefix(reason, p) {
			return true
		}
	}
	return false
}
