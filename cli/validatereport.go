package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"dagwright/dag"
)

// qualityIssue is an entry of GitLab's code-quality report, see
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
type qualityIssue struct {
	Description string          `json:"description"`
	CheckName   string          `json:"check_name"`
	Fingerprint string          `json:"fingerprint"`
	Severity    string          `json:"severity"`
	Location    qualityLocation `json:"location"`
}

type qualityLocation struct {
	Path  string       `json:"path"`
	Lines qualityLines `json:"lines"`
}

type qualityLines struct {
	Begin int `json:"begin"`
}

// severities are how GitLab ranks a note.
var severities = map[dag.SpecNoteKind]string{dag.NoteLeftOut: "info", dag.NoteAirflow: "minor"}

// writeCodeQuality writes the faults and the notes so that GitLab shows each beside its
// line. A fingerprint does not hold the line: a fault that only moves stays the same one.
func writeCodeQuality(file string, faults []*dag.SpecError, notes []dag.SpecNote) error {
	issues := []qualityIssue{}
	seen := map[string]int{}
	add := func(f *dag.SpecError, severity string) {
		key := f.File + "\x00" + f.Path + "\x00" + f.Reason
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		seen[key]++
		issues = append(issues, qualityIssue{
			Description: strings.TrimPrefix(f.Path+": "+f.Reason, ": "), CheckName: "dagwright-validate",
			Fingerprint: hex.EncodeToString(sum[:]), Severity: severity,
			Location: qualityLocation{Path: f.File, Lines: qualityLines{Begin: max(f.Line, 1)}},
		})
	}
	for _, f := range faults {
		add(f, "blocker")
	}
	for _, n := range notes {
		add(&n.At, severities[n.Kind])
	}
	text, err := json.MarshalIndent(issues, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write code-quality report: %w", err)
	}
	return nil
}

// The elements of a JUnit report that GitLab reads.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes one test case for each file, failed where it has faults.
func writeJUnit(name string, files []string, faults []*dag.SpecError) error {
	byFile := map[string][]*dag.SpecError{}
	for _, f := range faults {
		byFile[f.File] = append(byFile[f.File], f)
	}
	suite := junitSuite{Name: "dagwright validate", Tests: len(files), Failures: len(byFile)}
	for _, file := range files {
		c := junitCase{Class: "dagwright", Name: file, File: file}
		if found := byFile[file]; len(found) > 0 {
			lines := make([]string, len(found))
			for i, f := range found {
				lines[i] = f.Error()
			}
			c.Failure = &junitFailure{Message: found[0].Reason, Text: strings.Join(lines, "\n")}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err == nil {
		err = os.WriteFile(name, append([]byte(xml.Header), append(text, '\n')...), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}
