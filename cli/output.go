package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"dagwright/terminal"
	"dagwright/usage"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
)

// outputFlags say how a command prints what it found.
type outputFlags struct {
	output    string
	noHeaders bool
}

// addTo declares the flags for a command and those below it.
func (f *outputFlags) addTo(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&f.output, "output", "o", "table", "table, json or yaml")
	cmd.PersistentFlags().BoolVar(&f.noHeaders, "no-headers", false, "print tables without their first line")
	mustComplete(cmd, "output", completeFlag(oneOf("table", "json", "yaml")))
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error {
		switch f.output {
		case "table", "json", "yaml":
			return nil
		}
		return usage.New(fmt.Errorf("--output %q: want table, json or yaml", f.output))
	}
}

// show prints an answer of the API: as it is with --output json or yaml, else
// as table says it for people.
func (f *outputFlags) show(w io.Writer, answer any, fill func(*table)) error {
	if f.output == "table" {
		t := table{display: newDisplay(w, os.Getenv)}
		t.noHeaders = f.noHeaders
		fill(&t)
		return t.write(w)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if f.output == "yaml" {
		return writeYAML(w, text)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// writeYAML writes JSON, which is YAML in another style, in YAML's own style
// and in the same order.
func writeYAML(w io.Writer, text []byte) error {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	blockStyle(&node)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return e.Close()
}

func blockStyle(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.Style = 0 // quoted again where it must be
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// moment shows a time of the API; "-" for none.
func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return utc(*t)
}

// duration shows how long something took or has taken by now; "-" before it
// began.
func duration(start, end *time.Time, now time.Time) string {
	if start == nil {
		return "-"
	}
	if end != nil {
		now = *end
	}
	return rounded(now.Sub(*start))
}

// rounded drops digits that do not matter to people.
func rounded(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// dash shows an absent text as "-".
func dash(text *string) string {
	if text == nil {
		return "-"
	}
	return orDash(*text)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return terminal.OneLine(text)
}

// counted writes a number of things, whose plural ends in "s".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
