package graph

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// wellFormed fails when an SVG is not XML.
func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, svg)
		}
	}
}

func plainMark(at, _ time.Duration) string { return at.String() }

// TestMarkStepIsRound wants few marks at round distances, whatever the chart shows.
func TestMarkStepIsRound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ whole, want time.Duration }{
		{time.Millisecond, time.Millisecond},
		{7 * time.Millisecond, 2 * time.Millisecond},
		{1300 * time.Millisecond, 500 * time.Millisecond},
		{6 * time.Second, time.Second},
		{6001 * time.Millisecond, 2 * time.Second},
		{10 * time.Second, 2 * time.Second},
		{100 * time.Second, 20 * time.Second},
		{4 * time.Minute, time.Minute},
		{50 * time.Minute, 10 * time.Minute},
		{20 * time.Hour, 6 * time.Hour},
		{9*24*time.Hour + 1, 48 * time.Hour},
	} {
		if got := markStep(test.whole); got != test.want {
			t.Errorf("markStep(%s) = %s, want %s", test.whole, got, test.want)
		}
	}
}

func TestGanttPlacesSpans(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 31, 6, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	got := string(Gantt([]Bar{
		{Label: "prepare_data", Href: "/t/a",
			Spans: []Span{{From: at(0), To: at(50), Class: "s-success", Says: "a:", Took: "50s"}}},
		{Label: "train_model",
			Spans: []Span{{From: at(50), To: at(100), Class: "s-failed"},
				{From: at(100), To: at(100), Class: "s-queued", Says: "b waited", Took: "0s"}}},
	}, "Run", plainMark))
	wellFormed(t, got)
	for _, want := range []string{
		`<rect class="s-success" x="220" y="28" width="380" height="18"`,
		`<rect class="s-failed" x="600" y="58" width="380" height="18"`,
		`<rect class="s-queued" x="980" y="58" width="3"`, // what took no time is seen
		`href="/t/a"`, `<title>b waited 0s</title>`, `transform="translate(372 0)"`, `>20s</text>`, `>1m40s</text>`, // each 20 seconds
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the chart lacks %q:\n%s", want, got)
		}
	}
}

// TestGanttGrows holds what a script needs to draw the bars longer: only where a
// span goes on.
func TestGanttGrows(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_000_000)
	ended := Span{From: start, To: start.Add(time.Second), Class: "s-success", Says: "a", Took: "1s"}
	got := string(Gantt([]Bar{{Label: "a", Spans: []Span{ended}}}, "", plainMark))
	if strings.Contains(got, "data-open") {
		t.Errorf("a chart of what ended grows:\n%s", got)
	}
	open := Span{From: start.Add(time.Second), To: start.Add(2 * time.Second), Open: true, Class: "s-running", Says: "b",
		Took: "1s"}
	got = string(Gantt([]Bar{{Label: "a", Spans: []Span{ended}}, {Label: "b", Spans: []Span{open}}}, "", plainMark))
	wellFormed(t, got)
	for _, want := range []string{
		`data-open="" data-from="1000000" data-left="220" data-width="760"`,
		`data-from="1000000" data-to="1001000"><title>a 1s<`,
		`data-from="1001000" data-says="b"><title>b 1s<`, `data-mark="1" transform="translate(600 0)"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the chart lacks %q:\n%s", want, got)
		}
	}
}

func TestGanttEscapesEveryText(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script>&%s`
	now := time.Now()
	got := string(Gantt([]Bar{{evil, evil, false, []Span{{now, now, true, evil, evil, evil}}}}, evil,
		func(_, _ time.Duration) string { return evil }))
	wellFormed(t, got)
	if strings.Contains(got, "<script>") {
		t.Errorf("the payload came out unescaped:\n%s", got)
	}
	wellFormed(t, string(Gantt([]Bar{{Label: "waits"}}, "", plainMark)))
}
