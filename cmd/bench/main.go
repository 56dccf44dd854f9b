// Command bench measures a real dagwright on this machine, from outside,
// through its API: from a push to a DAG, from a trigger to a process, the gap
// between tasks, throughput, memory and start. It prints a table and writes
// JSON.
//
// It builds the program, starts "dagwright dev" on a new folder, and ends it.
// A bare fork/exec loop runs beside the throughput measures, since it is the
// limit that no scheduler of processes can pass.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

func main() {
	out := flag.String("json", "", "write the figures to this file as JSON")
	only := flag.String("only", "", "measure only what has this in its name")
	quick := flag.Bool("quick", false, "fewer repetitions, for a first look")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *only, *quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sizes says how often each thing is measured.
type sizes struct {
	pushes, triggers, chains, single, dags, runsEach, execs, projects, specs, starts, runsOfDAG, pageLoads, pods, burst int
	fakes, live                                                                                                         int
}

func run(ctx context.Context, out, only string, quick bool) error {
	n := sizes{pushes: 30, triggers: 100, chains: 20, single: 200, dags: 10, runsEach: 20, execs: 2000, projects: 1000,
		specs: 10000, starts: 5, runsOfDAG: 100, pageLoads: 40,
		pods: 20, burst: 40, fakes: 1000, live: 3000}
	if quick {
		n = sizes{pushes: 3, triggers: 10, chains: 3, single: 50, dags: 5, runsEach: 4, execs: 300, projects: 100,
			specs: 1000, starts: 2, runsOfDAG: 10, pageLoads: 10,
			pods: 4, burst: 10, fakes: 100, live: 200}
	}
	dir, err := os.MkdirTemp("", "dagwright-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "dagwright")
	if b, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/dagwright").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, b)
	}
	b := &bench{dir: dir, program: program, n: n}
	var left []string
	for _, m := range measures {
		if !strings.Contains(m.name, only) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring:", m.name)
		err := m.run(ctx, b)
		if errors.Is(err, errNoCluster) {
			left = append(left, fmt.Sprintf("left out: %s: %v", m.name, err))
		} else if err != nil {
			b.print() // what was measured until then
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.print()
	for _, line := range left {
		fmt.Fprintln(os.Stderr, line)
	}
	if out == "" {
		return nil
	}
	text, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}

// bench is one run of all measures.
type bench struct {
	dir, program string
	n            sizes
	figures      []figure
}

// figure is one measured thing. P95 is zero where only one value exists.
type figure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95,omitempty"`
	N      int     `json:"n"`
	Aim    string  `json:"aim,omitempty"`
}

func (b *bench) add(f figure) { b.figures = append(b.figures, f) }

func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "measure\tmedian\tp95\tn\tunit\taim\t")
	for _, f := range b.figures {
		p95 := "–"
		if f.P95 != 0 {
			p95 = fmt.Sprintf("%.2f", f.P95)
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%d\t%s\t%s\t\n", f.Name, f.Median, p95, f.N, f.Unit, f.Aim)
	}
	w.Flush()
}
