package executortest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/executor"
)

func testExitCodes(t *testing.T, s *suite) {
	for _, code := range []int{0, 1, 3, 255} {
		a := s.script(fmt.Sprint("exit-", code), fmt.Sprint("exit ", code))
		s.start(t, a)
		e := s.await(t, a.Key, dag.AttemptEnded)
		if e.ExitCode != code || e.Lost || e.Stopped || e.Succeeded() != (code == 0) || e.Reason.IsZero() != (code == 0) {
			t.Errorf("exit %d is reported as %+v", code, e)
		}
		if begin := s.await(t, a.Key, dag.AttemptStarted); begin.Hostname == "" || begin.At.IsZero() ||
			e.At.Before(begin.At) {
			t.Errorf("began %+v, ended %+v", begin, e)
		}
	}
	killed := s.script("killed", "kill -KILL $$")
	s.start(t, killed)
	if e := s.await(t, killed.Key, dag.AttemptEnded); e.ExitCode != 137 || e.Lost ||
		!strings.Contains(e.Reason.String(), "SIGKILL") {
		t.Errorf("kill -KILL is reported as %+v", e)
	}
}

func testEnvironment(t *testing.T, s *suite) {
	a := s.script("env", "")
	a.Env = []dag.EnvVar{
		{Name: "SCORING_DATE", Value: "2026-01-31"},
		{Name: "DAG_RUN_CONF", Value: `{"a": "$HOME 'x' \"y\" ` + "`id`" + ` \\ %s"}`},
		{Name: "EMPTY", Value: ""},
		{Name: "CYRILLIC", Value: "Привет, мир"},
		{Name: "with.dot-and-dash", Value: "kept"},
		{Name: "IFS", Value: "x"},
		{Name: "PS1", Value: "> "},
		{Name: "OPTIND", Value: "no number"},
		{Name: "PWD", Value: "/nowhere"},
		{Name: "HOME", Value: "/nonexistent"},
		{Name: "A", Value: strings.Repeat("x", 100_000)},
	}
	a.Task.Cmds = []string{"env"}
	s.start(t, a)
	if e := s.await(t, a.Key, dag.AttemptEnded); !e.Succeeded() {
		t.Fatalf("env ended as %+v", e)
	}
	var want strings.Builder
	for _, v := range a.Env {
		want.WriteString(v.Name + "=" + v.Value + "\n")
	}
	text, _ := s.Log(t, a.Key)
	if diff := cmp.Diff(envOf(want.String(), nil), envOf(text, s.GivenEnv)); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func testArguments(t *testing.T, s *suite) {
	a := s.script("args", `for a in "$@"; do printf '[%s]\n' "$a"; done`)
	a.Task.Arguments = []string{"first is $0", "a b", "", "$HOME", "*", "--", "-n", "semi;colon", "quote'\"",
		"back\\slash", "Ж"}
	s.start(t, a)
	s.await(t, a.Key, dag.AttemptEnded)
	var want strings.Builder
	for _, arg := range a.Task.Arguments[1:] {
		want.WriteString("[" + arg + "]\n")
	}
	text, _ := s.Log(t, a.Key)
	if diff := cmp.Diff(want.String(), text); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

func testLogComplete(t *testing.T, s *suite) {
	// Only the last lines are new at the end: a node drops what it has not taken two
	// seconds after a container's end, which on a busy one are thousands of lines.
	const n, last = 10_000, 200
	end := filepath.Join(s.Shared, "end")
	a := s.script("log", fmt.Sprintf(`i=0; until [ $i -eq %d ]; do
		[ $i -ne %d ] || until [ -e "%s" ]; do sleep 0.05; done
		echo "line $i"; i=$((i+1)); done`, n, n-last, end))
	s.start(t, a)
	s.awaitLine(t, a.Key, fmt.Sprint("line ", n-last-1))
	if err := os.WriteFile(end, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.await(t, a.Key, dag.AttemptEnded)
	text, sealed := s.Log(t, a.Key)
	if !sealed {
		t.Error("the log is not sealed at the end event")
	}
	if text != lines(n) {
		t.Errorf("the log has %d lines, want exactly %d", strings.Count(text, "\n"), n)
	}
	unended := s.script("unended", "echo out; printf 'no newline'; exit 2")
	s.start(t, unended)
	s.await(t, unended.Key, dag.AttemptEnded)
	text, _ = s.Log(t, unended.Key)
	if !strings.HasPrefix(text, "out\nno newline") {
		t.Errorf("the log of a last line without its end is %q", text)
	}
	both := s.script("both", "echo out; echo err >&2; exit 2")
	s.start(t, both)
	s.await(t, both.Key, dag.AttemptEnded)
	text, _ = s.Log(t, both.Key)
	// Two pipes have no order between them, unless they are one file.
	got := slices.Sorted(strings.Lines(strings.TrimSuffix(text, "\n") + "\n"))
	got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "dagwright: ") })
	if diff := cmp.Diff([]string{"err\n", "out\n"}, got); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

// testLogLimit writes 10 MB, which is more than the log may hold: it is cut with
// a mark, and the attempt goes on to its own end.
func testLogLimit(t *testing.T, s *suite) {
	const line, n = 100, 100_000
	file := filepath.Join(s.Shared, "last")
	a := s.script("large", fmt.Sprintf(`yes "$1" | head -n %d; : > "$0"; exit 6`, n))
	a.Task.Arguments = []string{file, strings.Repeat("x", line-1)}
	s.start(t, a)
	if e := s.await(t, a.Key, dag.AttemptEnded); e.ExitCode != 6 || e.Lost || e.Stopped {
		t.Errorf("it ended as %+v", e)
	}
	s.awaitFile(t, file)
	text, sealed := s.Log(t, a.Key)
	if !sealed {
		t.Error("the log is not sealed")
	}
	// A timestamp may stand before each line.
	if size := int64(strings.Count(text, "x")); size > s.MaxLog || size < s.MaxLog/2 {
		t.Errorf("the log has %d bytes of output, want about %d", size, s.MaxLog)
	}
	if notes := s.notes(t, a.Key); strings.Count(notes, "the log is cut here: ") != 1 ||
		!strings.Contains(notes, "exit code 6") {
		t.Errorf("dagwright says %q", notes)
	}
}

func testNoCommand(t *testing.T, s *suite) {
	a := s.script("nothing", "")
	a.Task.Cmds = nil
	if err := s.x.Start(t.Context(), a); err != nil && !errors.Is(err, dag.ErrInvalid) {
		t.Errorf("Start without a command: %v, want dag.ErrInvalid or an image's own command", err)
	}
}

func testCommandNotFound(t *testing.T, s *suite) {
	a := s.script("missing", "")
	a.Task.Cmds = []string{"python3x-is-not-there", "main.py"}
	s.start(t, a)
	e := s.await(t, a.Key, dag.AttemptEnded)
	if e.Succeeded() || e.ExitCode == 0 || !strings.Contains(e.Reason.String(), "python3x-is-not-there") {
		t.Errorf("a missing command is reported as %+v", e)
	}
	_, sealed := s.Log(t, a.Key)
	if text := s.notes(t, a.Key); !sealed || !strings.Contains(text, "python3x-is-not-there") {
		t.Errorf("the log is %q, sealed %v", text, sealed)
	}
}

func testStartTwice(t *testing.T, s *suite) {
	marks := filepath.Join(s.Shared, "marks")
	a := s.script("twice", `echo run >> "`+marks+`"; while ! [ -e "`+s.Shared+`/go" ]; do sleep 0.01; done`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.x.Start(t.Context(), a); err != nil {
				t.Errorf("Start: %v", err)
			}
		})
	}
	wg.Wait()
	if err := os.WriteFile(filepath.Join(s.Shared, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.await(t, a.Key, dag.AttemptEnded)
	s.start(t, a) // after the end it is reported again
	s.restart(t)
	s.start(t, a)
	if e := s.await(t, a.Key, dag.AttemptEnded); !e.Succeeded() {
		t.Errorf("reported again as %+v", e)
	}
	if b, err := os.ReadFile(marks); err != nil || string(b) != "run\n" {
		t.Errorf("it ran %d times (%v)", strings.Count(string(b), "\n"), err)
	}
}

func testOddNames(t *testing.T, s *suite) {
	long := strings.Repeat("x", 249)
	keys := []dag.AttemptKey{
		{DAG: "a.b_c-D", Run: "scheduled__2026-01-31T03:00:00.123456+00:00", Task: "group.task", Try: 1},
		{DAG: "a.b_c-D", Run: "scheduled__2026-01-31T03:00:00.123456+00:00", Task: "group.task", Try: 12},
		{DAG: "a", Run: "ручной запуск №1", Task: "t", Try: 1},
		{DAG: "a", Run: `quote " ' and space \ * ? $HOME %2F`, Task: "t", Try: 1},
		{DAG: dag.ID(long + "a"), Run: dag.RunID(long + "b"), Task: dag.TaskID(long + "c"), Try: 1},
		{DAG: dag.ID(long + "a"), Run: dag.RunID(long + "b"), Task: dag.TaskID(long + "d"), Try: 1},
		{DAG: "-rf", Run: "~", Task: ".", Try: 1},
	}
	for i, key := range keys {
		a := s.script("odd", fmt.Sprint("echo I am ", i))
		a.Key = key
		s.start(t, a)
	}
	for i, key := range keys {
		if e := s.await(t, key, dag.AttemptEnded); !e.Succeeded() {
			t.Errorf("%v ended as %+v", key, e)
		}
		if text, _ := s.Log(t, key); text != fmt.Sprint("I am ", i, "\n") {
			t.Errorf("the log of %v is %q", key, text)
		}
	}
	s.restart(t)
	for _, key := range keys {
		s.listedOf(t, key)
	}
}

func testConcurrency(t *testing.T, s *suite) {
	const n = 100
	var wg sync.WaitGroup
	attempts := make([]executor.Attempt, n)
	for i := range n {
		attempts[i] = s.script(fmt.Sprint("task-", i), fmt.Sprintf("echo %d; exit %d", i, i))
		wg.Go(func() {
			if err := s.x.Start(t.Context(), attempts[i]); err != nil {
				t.Errorf("Start: %v", err)
			}
		})
	}
	wg.Wait()
	for i, a := range attempts {
		if e := s.await(t, a.Key, dag.AttemptEnded); e.ExitCode != i || e.Lost {
			t.Errorf("attempt %d ended as %+v", i, e)
		}
		if text, _ := s.Log(t, a.Key); !strings.HasPrefix(text, fmt.Sprint(i, "\n")) {
			t.Errorf("the log of attempt %d is %q", i, text)
		}
	}
}
