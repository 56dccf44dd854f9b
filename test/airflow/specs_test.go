package airflow_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dagwright/dag"
)

// This file has dagwright's half of the specs that "make airflow-check" holds against the
// real Airflow; it needs none.

// specsIn reads the specs of a folder by name.
func specsIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no specs in %s, %v", dir, err)
	}
	specs := map[string][]byte{}
	for _, file := range files {
		if specs[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return specs
}

// said is what reading a spec says: its faults, and what Airflow would refuse.
func said(file string, source []byte) []string {
	r, err := dag.Parser{}.Read(file, source)
	var lines []string
	if err != nil {
		lines = strings.Split(err.Error(), "\n")
	}
	for _, n := range r.Notes {
		if n.Kind == dag.NoteAirflow {
			lines = append(lines, n.At.Error())
		}
	}
	return lines
}

// What Airflow takes and dagwright means to take, and what the generator writes, has neither
// a fault nor a warning.
func TestSpecsThatLoadInBoth(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"testdata/accepted", "testdata", "../../testdata/golden"} {
		for file, source := range specsIn(t, dir) {
			for _, line := range said(file, source) {
				t.Error(line)
			}
		}
	}
}

// What Airflow refuses has a fault or a warning, which the first line of the file holds.
func TestSpecsThatAirflowRefuses(t *testing.T) {
	t.Parallel()
	for file, source := range specsIn(t, "testdata/refused") {
		head, _, _ := strings.Cut(string(source), "\n")
		want, ok := strings.CutPrefix(head, "# dagwright: ")
		lines := said(file, source)
		if !ok || want == "" || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, want) }) {
			t.Errorf("%s: want %q, got %q", file, want, lines)
		}
	}
}

var differenceRow = regexp.MustCompile("(?m)^\\| ([^|]+) \\| `([^`]+)` \\|")

// The table of differences in docs/airflow.md has what dagwright says of each, word by word,
// and each has a spec that Airflow takes.
func TestDifferencesAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/airflow.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## What dagwright refuses and Airflow takes")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := differenceRow.FindAllStringSubmatch(table, -1)
	if len(rows) == 0 {
		t.Fatal("docs/airflow.md has no table of differences")
	}
	shown := make([]bool, len(rows))
	for file, source := range specsIn(t, "testdata/differences") {
		found := false
		for _, line := range said(file, source) {
			for i, row := range rows {
				if strings.Contains(line, row[2]) {
					shown[i], found = true, true
				}
			}
		}
		if !found {
			t.Errorf("docs/airflow.md has no row for %s: %q", file, said(file, source))
		}
	}
	for i, row := range rows {
		if !shown[i] {
			t.Errorf("docs/airflow.md: no spec is refused by %q (%s)", row[2], row[1])
		}
	}
}
