package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTableFits(t *testing.T) {
	t.Parallel()
	began := noon.Add(-3 * time.Hour)
	fill := func(tb *table) {
		tb.field("Run", "r")
		tb.field("Started", &began)
		tb.header("TASK", "STATE", "STARTED", "REASON")
		tb.row("prepare_data", state("failed"), &began, "no such column: 日付 of the warehouse's table")
		tb.row("train_model", state(""), (*time.Time)(nil), "-")
	}
	tests := []struct {
		name string
		to   display
		want string
	}{
		{"pipe", display{now: noon}, `
Run:      r
Started:  2026-01-31T09:00:00Z

TASK          STATE   STARTED               REASON
prepare_data  failed  2026-01-31T09:00:00Z  no such column: 日付 of the warehouse's table
train_model   -       -                     -
`},
		{"terminal", display{now: noon, terminal: true, columns: 56}, `
Run:      r
Started:  2026-01-31T09:00:00Z (3h ago)

TASK          STATE   STARTED  REASON
prepare_data  failed  3h ago   no such column: 日付 of…
train_model   -       -        -
`},
		{"narrow terminal", display{now: noon, terminal: true, columns: 10, noHeaders: true}, `
Run:      r
Started:  2026-01-31T09:00:00Z (3h ago)

prepare_data  failed  3h ago  no such col…
train_model   -       -       -
`},
		{"colour", display{now: noon, terminal: true, colour: true}, `
Run:      r
Started:  2026-01-31T09:00:00Z (3h ago)

` + "\x1b[1mTASK\x1b[0m          \x1b[1mSTATE\x1b[0m   \x1b[1mSTARTED\x1b[0m  \x1b[1mREASON\x1b[0m\n" +
			"prepare_data  \x1b[31mfailed\x1b[0m  3h ago   no such column: 日付 of the warehouse's table\n" +
			`train_model   -       -        -
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tb := table{display: test.to}
			fill(&tb)
			var got bytes.Buffer
			if err := tb.write(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), got.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// What is copied into the next command is shown whole, however narrow the terminal.
func TestTableKeepsNames(t *testing.T) {
	t.Parallel()
	tb := table{display: display{now: noon, terminal: true, columns: 20}}
	tb.header("DAG", "REASON")
	tb.row("a-model-with-a-long-name", "something went wrong")
	var got bytes.Buffer
	if err := tb.write(&got); err != nil {
		t.Fatal(err)
	}
	want := "DAG                       REASON\na-model-with-a-long-name  something w…\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// What others wrote moves no cursor and changes no colour.
func TestTableTamesText(t *testing.T) {
	t.Parallel()
	var tb table
	tb.header("REASON")
	tb.row("\x1b[2J\x1b]0;title\x07gone\r\nnext\u009b31m")
	var got bytes.Buffer
	if err := tb.write(&got); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(got.String(), "\x1b\x07\r\u009b") || strings.Count(got.String(), "\n") != 2 {
		t.Errorf("%q", got.String())
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	for distance, want := range map[time.Duration]string{
		0: "now", 59 * time.Second: "59s ago", time.Minute: "1m ago", 47 * time.Hour: "47h ago", 49 * time.Hour: "2d ago",
		-time.Minute: "in 1m", -30 * 24 * time.Hour: "in 30d",
	} {
		if got := relative(noon.Add(-distance), noon); got != want {
			t.Errorf("%s ago: got %q, want %q", distance, got, want)
		}
	}
}
