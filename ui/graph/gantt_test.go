package graph

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// wellFormed fails when an SVG is no XML.
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

func TestGanttPlacesSpans(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 31, 6, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	got := string(Gantt([]Bar{
		{Label: "prepare_data", Href: "/t/a", Spans: []Span{{at(0), at(50), "s-success", "a ran"}}},
		{Label: "train_model", Spans: []Span{{at(50), at(100), "s-failed", "b ran"}, {at(100), at(100), "s-queued", "b waited"}}},
	}, "Run", time.Duration.String))
	wellFormed(t, got)
	for _, want := range []string{
		`<rect class="s-success" x="220" y="28" width="380" height="18"`,
		`<rect class="s-failed" x="600" y="58" width="380" height="18"`,
		`<rect class="s-queued" x="980" y="58" width="3"`, // what took no time is seen
		`href="/t/a"`, `<title>b waited</title>`, `text-anchor="middle">1m40s</text>`,
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
	got := string(Gantt([]Bar{{evil, evil, []Span{{now, now, evil, evil}}}}, evil, func(time.Duration) string { return evil }))
	wellFormed(t, got)
	if strings.Contains(got, "<script>") {
		t.Errorf("the payload came out unescaped:\n%s", got)
	}
	wellFormed(t, string(Gantt([]Bar{{Label: "waits"}}, "", time.Duration.String)))
}
