package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"dagwright/client"
	"dagwright/dag"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

// took is how long a run has taken. One that was cleared and waits has its first
// start, but does not run.
func took(r client.Run, now time.Time) string {
	if r.State == "queued" {
		return "-"
	}
	return duration(r.StartedAt, r.EndedAt, now)
}

func newRunsCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List, show, wait for, clear, mark and cancel runs",
		Example: `  dagwright runs list churn-model
  dagwright runs show churn-model
  dagwright runs wait churn-model && echo scored`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd)
	cmd.AddCommand(newRunsListCommand(&f), newRunsShowCommand(&f), newRunsWaitCommand(&f), newRunsClearCommand(&f),
		newRunsMarkCommand(&f), newRunsCancelCommand(&f), newRunsNoteCommand(&f), newRunsDeleteCommand(&f))
	return cmd
}

// argumentsBetween wants at least least and at most most arguments.
func argumentsBetween(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usage.New(fmt.Errorf("want %d to %d arguments, got %d: %s", least, most, len(args), cmd.UseLine()))
		}
		return nil
	}
}

var (
	runStates = []string{"queued", "running", "success", "failed"}
	runTypes  = []string{"manual", "scheduled", "backfill"}
)

// wantWords refuses a value of a flag that is none of the words.
func wantWords(flag string, values, words []string) error {
	for _, value := range values {
		if !slices.Contains(words, value) {
			return fmt.Errorf("%s %q: want %s%s", flag, value, oneWordOf(words), dag.DidYouMean(value, words))
		}
	}
	return nil
}

func newRunsListCommand(f *clientFlags) *cobra.Command {
	var states, kinds []string
	var limit int
	cmd := &cobra.Command{
		Use:   "list [DAG]",
		Short: "List runs, newest first",
		Example: `  dagwright runs list
  dagwright runs list churn-model --state failed --limit 5`,
		Args: argumentsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := errors.Join(wantWords("--state", states, runStates), wantWords("--type", kinds, runTypes))
			if err != nil {
				return usage.New(err)
			}
			id := "~"
			if len(args) == 1 {
				id = args[0]
			}
			return listRuns(cmd, f, id, url.Values{"state": states, "run_type": kinds}, limit)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only runs that are queued, running, success or failed")
	cmd.Flags().StringSliceVar(&kinds, "type", nil, "only runs that are manual, scheduled or backfill")
	mustComplete(cmd, "state", completeFlag(oneOf(runStates...)))
	mustComplete(cmd, "type", completeFlag(oneOf(runTypes...)))
	addLimitFlag(cmd, &limit)
	return cmd
}

func listRuns(cmd *cobra.Command, f *clientFlags, id string, query url.Values, limit int) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	query.Set("order_by", "-run_after")
	runs, total, err := pages(query, limit, func(query url.Values) ([]client.Item[client.Run], int, error) {
		var answer runPage
		err := c.Call(cmd.Context(), client.Request{Path: []string{"dags", id, "dagRuns"}, Query: query}, &answer)
		return answer.Runs, answer.Total, err
	})
	if err != nil {
		return err
	}
	now := time.Now()
	err = f.show(cmd.OutOrStdout(), runs, func(t *table) {
		t.header("DAG", "RUN", "STATE", "LOGICAL DATE", "STARTED", "DURATION", "REASON")
		for _, r := range runs {
			r := r.Fields
			t.row(r.DAG, r.ID, state(r.State), moment(r.LogicalDate), r.StartedAt, took(r, now), dash(r.Reason))
		}
	})
	noteMore(cmd, len(runs), total)
	return err
}

// runPage is a page of the API's list of runs.
type runPage struct {
	Runs  []client.Item[client.Run] `json:"dag_runs"`
	Total int                       `json:"total_entries"`
}

// dialRun finds the server and reads a run of it: that of the first two arguments, or the
// newest of the DAG when there is one argument.
func (f *clientFlags) dialRun(cmd *cobra.Command, args []string) (*client.Client, client.Item[client.Run], error) {
	c, err := f.dial()
	if err != nil {
		return nil, client.Item[client.Run]{}, err
	}
	run, err := c.Run(cmd.Context(), args[0], argument(args, 1))
	return c, run, err
}

// argument is the i-th argument, "" when there are fewer.
func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func newRunsShowCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show DAG [RUN]",
		Short:   "Show a run and its tasks; the newest run unless one is named",
		Example: `  dagwright runs show churn-model-retrain`,
		Args:    argumentsBetween(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, run, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			return showRun(cmd, f, c, run)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
}

func showRun(cmd *cobra.Command, f *clientFlags, c *client.Client, run client.Item[client.Run]) error {
	tasks, err := c.Tasks(cmd.Context(), run.Fields.DAG, run.Fields.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	answer := map[string]any{"dag_run": run, "task_instances": tasks}
	return f.show(cmd.OutOrStdout(), answer, func(t *table) {
		describeRun(run.Fields, t, now)
		listInstances(t, tasks, now)
	})
}

// describeRun prints a run's fields.
func describeRun(r client.Run, t *table, now time.Time) {
	t.field("DAG", r.DAG)
	t.field("Run", r.ID)
	t.field("State", state(r.State))
	t.field("Reason", dash(r.Reason))
	t.field("Type", r.Type+", by "+dash(r.User))
	t.field("Logical date", r.LogicalDate)
	t.field("Started", r.StartedAt)
	t.field("Duration", took(r, now))
	t.field("Note", dash(r.Note))
	var conf bytes.Buffer
	if err := json.Compact(&conf, r.Conf); err == nil {
		t.field("Conf", conf.String())
	}
}

// listInstances prints task instances.
func listInstances(t *table, tasks []client.Item[client.TaskInstance], now time.Time) {
	t.header("TASK", "STATE", "TRY", "STARTED", "DURATION", "REASON")
	for _, ti := range tasks {
		ti := ti.Fields
		t.row(ti.Task, state(dash(ti.State)), ti.Try, ti.StartedAt, duration(ti.StartedAt, ti.EndedAt, now), dash(ti.Reason))
	}
}

func newRunsWaitCommand(f *clientFlags) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait DAG [RUN]",
		Short: "Wait until a run has ended; the newest run unless one is named",
		Long: `Wait until a run has ended; the newest run unless one is named. The exit code is 0
when it succeeded, 1 when it failed or its result is unknown, 2 for wrong use, and 3
when --timeout or Ctrl-C ended the waiting: the run goes on. A restart of the server
does not end the waiting.`,
		Example: `  dagwright runs wait churn-model && echo scored
  dagwright runs wait churn-model --timeout 30m`,
		Args: argumentsBetween(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, run, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			return waitRun(cmd, f, c, run.Fields, timeout)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
	addTimeoutFlag(cmd, &timeout)
	return cmd
}

func addTimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", 0, "how long to wait at most, such as 90s or 2h (default: no limit)")
}

// errGoesOn says that waiting was given up: what was waited for goes on.
var errGoesOn = errors.New("it goes on")

// waitRun waits for a run, prints it, and returns an error when it failed.
func waitRun(cmd *cobra.Command, f *clientFlags, c *client.Client, run client.Run, timeout time.Duration) error {
	if timeout < 0 {
		return usage.New(fmt.Errorf("--timeout %s: want 0 or more", timeout))
	}
	ctx := cmd.Context()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	ended, err := c.Wait(ctx, run, func(state string) { fmt.Fprintf(cmd.ErrOrStderr(), "run %s is %s\n", run.ID, state) })
	switch {
	case err == nil:
	case cmd.Context().Err() != nil:
		return fmt.Errorf("waiting for run %s of %s was interrupted; %w", run.ID, run.DAG, errGoesOn)
	case ctx.Err() != nil:
		return fmt.Errorf("run %s of %s has not ended within %s; %w", run.ID, run.DAG, timeout, errGoesOn)
	default:
		return err
	}
	r := ended.Fields
	err = f.show(cmd.OutOrStdout(), ended, func(t *table) {
		t.line("run %s of %s: %s after %s", r.ID, r.DAG, r.State, duration(r.StartedAt, r.EndedAt, t.now))
	})
	if err == nil && r.State == "failed" {
		err = fmt.Errorf("run %s of %s failed: %s", r.ID, r.DAG, dash(r.Reason))
	}
	return err
}
