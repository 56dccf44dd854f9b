package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dagwright/client"
	"dagwright/terminal"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

// logFlags are the flags of "dagwright logs".
type logFlags struct {
	try        int
	follow     bool
	timestamps bool
	exitCode   bool
}

func newLogsCommand() *cobra.Command {
	var f clientFlags
	var l logFlags
	cmd := &cobra.Command{
		Use:   "logs DAG [RUN] [TASK]",
		Short: "Print a task's log, or follow it as it is written",
		Long: `Print the log of one try of a task: of the DAG's newest run unless RUN is named,
and of its running task, or the one that started last, unless TASK is named.

With --follow the log is printed as it is written, from task to task and from try to
try, until the run (or TASK, when it is named) has ended. Only the log goes to
standard output; --output json prints one object per line. Lines of containers other
than the main one begin with the container's name in brackets. On a terminal, control
sequences other than colours are left out; elsewhere lines come byte for byte.

With --exit-code the exit code is 1 when the run (or TASK, or the try of --try) has
failed, and 3 when it has not ended, as when Ctrl-C stops following.`,
		Example: `  dagwright logs churn-model
  dagwright logs -f churn-model-retrain
  dagwright logs churn-model manual__2026-01-31T10:00:00+00:00 run_model --try 1`,
		Args: argumentsBetween(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if l.try < 0 {
				return usage.New(fmt.Errorf("--try %d: tries count from 1", l.try))
			}
			if f.output == "yaml" {
				return usage.New(errors.New("--output yaml: a log is printed as it is, or as json, a line an object"))
			}
			c, run, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			p := logPrinter{cmd: cmd, client: c, run: run.Fields, task: argument(args, 2), try: l.try, output: f.output,
				timestamps: l.timestamps, terminal: isTerminal(cmd.OutOrStdout())}
			show := p.print
			if l.follow {
				show = p.follow
			}
			if err := show(); err != nil || !l.exitCode {
				return err
			}
			return p.outcome()
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns, completeTasks),
	}
	f.addTo(cmd)
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "keep printing until the run has ended")
	cmd.Flags().BoolVar(&l.timestamps, "timestamps", false, "print when each line was written, where the log says so")
	cmd.Flags().BoolVar(&l.exitCode, "exit-code", false, "exit with 1 when what was logged has failed")
	cmd.Flags().IntVar(&l.try, "try", 0, "number of the try (default the newest)")
	return cmd
}

// logPrinter prints logs of one run.
type logPrinter struct {
	cmd    *cobra.Command
	client *client.Client
	run    client.Run
	task   string // "" for any
	try    int    // 0 for the newest
	output string
	// timestamps says that lines are printed with their time.
	timestamps bool
	// terminal says that lines go to a terminal, which they must not steer.
	terminal bool
}

// attempt is one try of one task.
type attempt struct {
	task string
	try  int
}

// tried names the try of an attempt for the client.
func (p *logPrinter) tried(a attempt) client.Try {
	return client.Try{DAG: p.run.DAG, Run: p.run.ID, Task: a.task, Number: a.try}
}

// print prints what there is of one log.
func (p *logPrinter) print() error {
	tasks, err := p.tasks()
	if err != nil {
		return err
	}
	a, err := p.choose(tasks)
	if err != nil {
		return err
	}
	if newest := newestTry(tasks, a.task); a.try > newest {
		return fmt.Errorf("task %s of run %s has no try %d: its newest is %d", a.task, p.run.ID, a.try, newest)
	}
	out := bufio.NewWriter(p.cmd.OutOrStdout())
	err = p.client.Log(p.cmd.Context(), p.tried(a), func(text []byte) error { return p.line(out, text) })
	return errors.Join(err, out.Flush())
}

// line prints one line of a log: its text, or the object with --output json.
func (p *logPrinter) line(out io.Writer, text []byte) error {
	if p.output == "json" {
		_, err := io.WriteString(out, p.shown(string(text))+"\n")
		return err
	}
	var line client.Line
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	_, err := io.WriteString(out, p.shown(lineText(line, p.timestamps))+"\n")
	return err
}

// shown is a text as it goes to where the output goes.
func (p *logPrinter) shown(text string) string {
	if p.terminal {
		return terminal.Screen(text)
	}
	return text
}

// lineText is a line as it stands in the log, with its time if that is wanted.
func lineText(l client.Line, timestamps bool) string {
	text := l.Event
	switch {
	case l.Logger == "dagwright":
		text = "dagwright: " + text
	case l.Container != "":
		text = "[" + l.Container + "] " + text
	}
	if timestamps && l.Timestamp != "" {
		text = l.Timestamp + " " + text
	}
	return text
}

// outcome is an error when what was logged has failed, or has not ended.
func (p *logPrinter) outcome() error {
	name, how, err := p.lastState()
	if err != nil {
		return err
	}
	switch {
	case how == "failed" || how == "upstream_failed":
		return fmt.Errorf("%s failed", name)
	case how != "success" && how != "skipped":
		return fmt.Errorf("%s is %s; %w", name, orDash(how), errGoesOn)
	}
	return nil
}

// lastState asks how what was logged stands now: a try, a task, or the run.
func (p *logPrinter) lastState() (name, how string, err error) {
	if p.task == "" {
		run, err := p.client.Run(p.cmd.Context(), p.run.DAG, p.run.ID)
		return "run " + p.run.ID, run.Fields.State, err
	}
	name, path := "task "+p.task, client.TaskPath(p.run.DAG, p.run.ID, p.task)
	if p.try > 0 {
		name, path = fmt.Sprintf("%s, try %d", name, p.try), append(path, "tries", strconv.Itoa(p.try))
	}
	var ti client.TaskInstance
	err = p.client.Call(p.cmd.Context(), client.Request{Path: path}, &ti)
	if ti.State != nil {
		how = *ti.State
	}
	return name, how, err
}

// tasks reads the run's task instances, or the one that was named.
func (p *logPrinter) tasks() ([]client.TaskInstance, error) {
	found, err := p.client.Tasks(p.cmd.Context(), p.run.DAG, p.run.ID)
	if err != nil {
		return nil, err
	}
	var tasks []client.TaskInstance
	var names []string
	for _, t := range found {
		names = append(names, t.Fields.Task)
		if p.task == "" || t.Fields.Task == p.task {
			tasks = append(tasks, t.Fields)
		}
	}
	if len(tasks) == 0 {
		return nil, fmt.Errorf("%s has no task %q; its tasks are %s", p.run.DAG, p.task, strings.Join(names, ", "))
	}
	return tasks, nil
}

// choose picks the try whose log is meant: of the first running task, else of
// the one that started last.
func (p *logPrinter) choose(tasks []client.TaskInstance) (attempt, error) {
	var best *client.TaskInstance
	for i := range tasks {
		t := &tasks[i]
		if t.Try == 0 {
			continue
		}
		if t.State != nil && *t.State == "running" {
			best = t
			break
		}
		if best == nil || startedAfter(t, best) {
			best = t
		}
	}
	if best == nil {
		if p.run.Ended() {
			return attempt{}, fmt.Errorf("run %s is %s and wrote no log", p.run.ID, p.run.State)
		}
		return attempt{}, fmt.Errorf("run %s is %s and has written no log yet; -f waits for it", p.run.ID, p.run.State)
	}
	if p.try > 0 {
		return attempt{best.Task, p.try}, nil
	}
	return attempt{best.Task, best.Try}, nil
}

// newestTry is the number of a task's newest try, 0 for none.
func newestTry(tasks []client.TaskInstance, task string) int {
	for _, t := range tasks {
		if t.Task == task {
			return t.Try
		}
	}
	return 0
}

func startedAfter(a, b *client.TaskInstance) bool {
	return a.StartedAt != nil && (b.StartedAt == nil || a.StartedAt.After(*b.StartedAt))
}
