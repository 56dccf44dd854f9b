package podspec_test

import (
	"os"
	"regexp"
	"testing"
)

// elsewhere are the arguments that dag keeps and that are not part of a pod.
var elsewhere = map[string]string{
	"skip_on_exit_code":              "the scheduler's: what an exit code means",
	"random_name_suffix":             "a pod's name always ends in its hash",
	"startup_check_interval_seconds": "nothing is polled",
	"log_events_on_failure":          "a pod's events are part of its log anyway",
	"log_pod_spec_on_failure":        "why a task failed is said in words, not shown as its pod",
}

// TestEveryArgumentHasAPlace finds an argument that dag learns to keep and that
// nobody here reads: it would be lost without a word.
func TestEveryArgumentHasAPlace(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../dag/arguments.go")
	if err != nil {
		t.Fatal(err)
	}
	code := ""
	for _, file := range []string{"operator.go", "secrets.go", "options.go", "layers.go", "name.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code += string(text)
	}
	kept := regexp.MustCompile(`(?m)^\t"(\w+)": +kept\(`).FindAllSubmatch(table, -1)
	if len(kept) < 40 {
		t.Fatalf("dag keeps %d arguments; this test reads its table wrongly", len(kept))
	}
	for _, m := range kept {
		name := string(m[1])
		read := regexp.MustCompile(`"` + name + `"`).MatchString(code)
		if _, other := elsewhere[name]; read == other {
			t.Errorf("argument %s: read by podspec %v, listed as being elsewhere %v; want exactly one", name, read, other)
		}
	}
}
