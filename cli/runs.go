package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"dagwright/usage"

	"github.com/spf13/cobra"
)

// runFields is what the commands use of a run.
type runFields struct {
	ID          string          `json:"dag_run_id"`
	DAG         string          `json:"dag_id"`
	State       string          `json:"state"`
	Type        string          `json:"run_type"`
	LogicalDate *time.Time      `json:"logical_date"`
	StartedAt   *time.Time      `json:"start_date"`
	EndedAt     *time.Time      `json:"end_date"`
	User        *string         `json:"triggering_user_name"`
	Note        *string         `json:"note"`
	Reason      *string         `json:"reason"`
	Conf        json.RawMessage `json:"conf"` // with its numbers as they are
}

// took is how long the run has taken. One that was cleared and waits has its first
// start, but does not run.
func (r runFields) took(now time.Time) string {
	if r.State == "queued" {
		return "-"
	}
	return duration(r.StartedAt, r.EndedAt, now)
}

func (r runFields) ended() bool { return r.State == "success" || r.State == "failed" }

// instanceFields is what the commands use of a task instance.
type instanceFields struct {
	Task      string     `json:"task_id"`
	Run       string     `json:"dag_run_id"`
	Operator  *string    `json:"operator_name"`
	State     *string    `json:"state"`
	Try       int        `json:"try_number"`
	StartedAt *time.Time `json:"start_date"`
	EndedAt   *time.Time `json:"end_date"`
	Reason    *string    `json:"reason"`
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
	mustComplete(cmd, "state", completeFlag(oneOf("queued", "running", "success", "failed")))
	mustComplete(cmd, "type", completeFlag(oneOf("manual", "scheduled", "backfill")))
	addLimitFlag(cmd, &limit)
	return cmd
}

func listRuns(cmd *cobra.Command, f *clientFlags, id string, query url.Values, limit int) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	query.Set("order_by", "-run_after")
	runs, total, err := pages(query, limit, func(query url.Values) ([]item[runFields], int, error) {
		var answer runPage
		err := c.call(cmd.Context(), request{path: []string{"dags", id, "dagRuns"}, query: query}, &answer)
		return answer.Runs, answer.Total, err
	})
	if err != nil {
		return err
	}
	now := time.Now()
	err = f.show(cmd.OutOrStdout(), runs, func(t *table) {
		t.header("DAG", "RUN", "STATE", "LOGICAL DATE", "STARTED", "DURATION", "REASON")
		for _, r := range runs {
			r := r.fields
			t.row(r.DAG, r.ID, state(r.State), moment(r.LogicalDate), r.StartedAt, r.took(now), dash(r.Reason))
		}
	})
	noteMore(cmd, len(runs), total)
	return err
}

// runPage is a page of the API's list of runs.
type runPage struct {
	Runs  []item[runFields] `json:"dag_runs"`
	Total int               `json:"total_entries"`
}

// findRun reads a DAG's run, the newest one when run is empty.
func findRun(cmd *cobra.Command, c *client, id, run string) (item[runFields], error) {
	var found item[runFields]
	if run != "" {
		err := c.call(cmd.Context(), request{path: []string{"dags", id, "dagRuns", run}}, &found)
		return found, err
	}
	var newest runPage
	query := url.Values{"order_by": {"-run_after"}, "limit": {"1"}}
	if err := c.call(cmd.Context(), request{path: []string{"dags", id, "dagRuns"}, query: query}, &newest); err != nil {
		return found, err
	}
	if len(newest.Runs) == 0 {
		return found, fmt.Errorf("%s has no run yet: start one with \"dagwright dags trigger %s\"", id, id)
	}
	return newest.Runs[0], nil
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
			c, err := f.dial()
			if err != nil {
				return err
			}
			run, err := findRun(cmd, c, args[0], argument(args, 1))
			if err != nil {
				return err
			}
			return showRun(cmd, f, c, run)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
}

func showRun(cmd *cobra.Command, f *clientFlags, c *client, run item[runFields]) error {
	tasks, err := instances(cmd, c, run.fields)
	if err != nil {
		return err
	}
	now := time.Now()
	answer := map[string]any{"dag_run": run, "task_instances": tasks}
	return f.show(cmd.OutOrStdout(), answer, func(t *table) {
		run.fields.describe(t, now)
		listInstances(t, tasks, now)
	})
}

// describe prints a run's fields.
func (r runFields) describe(t *table, now time.Time) {
	t.field("DAG", r.DAG)
	t.field("Run", r.ID)
	t.field("State", state(r.State))
	t.field("Reason", dash(r.Reason))
	t.field("Type", r.Type+", by "+dash(r.User))
	t.field("Logical date", r.LogicalDate)
	t.field("Started", r.StartedAt)
	t.field("Duration", r.took(now))
	t.field("Note", dash(r.Note))
	var conf bytes.Buffer
	if err := json.Compact(&conf, r.Conf); err == nil {
		t.field("Conf", conf.String())
	}
}

// listInstances prints task instances.
func listInstances(t *table, tasks []item[instanceFields], now time.Time) {
	t.header("TASK", "STATE", "TRY", "STARTED", "DURATION", "REASON")
	for _, ti := range tasks {
		ti := ti.fields
		t.row(ti.Task, state(dash(ti.State)), ti.Try, ti.StartedAt, duration(ti.StartedAt, ti.EndedAt, now), dash(ti.Reason))
	}
}

// instances reads the task instances of a run, in the order of the DAG.
func instances(cmd *cobra.Command, c *client, r runFields) ([]item[instanceFields], error) {
	tasks, _, err := pages(url.Values{}, 0, func(query url.Values) ([]item[instanceFields], int, error) {
		var answer struct {
			Instances []item[instanceFields] `json:"task_instances"`
			Total     int                    `json:"total_entries"`
		}
		path := []string{"dags", r.DAG, "dagRuns", r.ID, "taskInstances"}
		err := c.call(cmd.Context(), request{path: path, query: query}, &answer)
		return answer.Instances, answer.Total, err
	})
	return tasks, err
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
			c, err := f.dial()
			if err != nil {
				return err
			}
			run, err := findRun(cmd, c, args[0], argument(args, 1))
			if err != nil {
				return err
			}
			return waitRun(cmd, f, c, run.fields, timeout)
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
func waitRun(cmd *cobra.Command, f *clientFlags, c *client, run runFields, timeout time.Duration) error {
	if timeout < 0 {
		return usage.New(fmt.Errorf("--timeout %s: want 0 or more", timeout))
	}
	ctx := cmd.Context()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if err := awaitEnd(ctx, cmd, c, run); err != nil {
		switch {
		case cmd.Context().Err() != nil:
			return fmt.Errorf("waiting for run %s of %s was interrupted; %w", run.ID, run.DAG, errGoesOn)
		case ctx.Err() != nil:
			return fmt.Errorf("run %s of %s has not ended within %s; %w", run.ID, run.DAG, timeout, errGoesOn)
		}
		return err
	}
	ended, err := findRun(cmd, c, run.DAG, run.ID)
	if err != nil {
		return err
	}
	r := ended.fields
	err = f.show(cmd.OutOrStdout(), ended, func(t *table) {
		t.line("run %s of %s: %s after %s", r.ID, r.DAG, r.State, duration(r.StartedAt, r.EndedAt, t.now))
	})
	if err == nil && r.State == "failed" {
		err = fmt.Errorf("run %s of %s failed: %s", r.ID, r.DAG, dash(r.Reason))
	}
	return err
}

// awaitEnd returns when the run has ended. It says on standard error what
// state the run is in and comes into. A server without a stream to spare is asked at
// intervals.
func awaitEnd(ctx context.Context, cmd *cobra.Command, c *client, run runFields) error {
	last := ""
	ended := func(now runFields) bool {
		if !now.ended() && now.State != last {
			last = now.State
			fmt.Fprintf(cmd.ErrOrStderr(), "run %s is %s\n", run.ID, last)
		}
		return now.ended()
	}
	ended(run)
	return persist(ctx, func() (bool, error) {
		r := request{path: append(runPath(run.DAG, run.ID), "wait"), query: url.Values{"interval": {"5"}}}
		resp, err := c.open(ctx, r)
		if unavailable(err) {
			return pollRun(ctx, c, run, ended)
		}
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		lines := json.NewDecoder(resp.Body)
		for {
			var now runFields
			if err := lines.Decode(&now); err != nil {
				return false, ctx.Err() // the stream broke; it is opened again
			}
			if ended(now) {
				return true, nil
			}
		}
	})
}

// pollRun asks once for a run, and then pauses unless it has ended.
func pollRun(ctx context.Context, c *client, run runFields, ended func(runFields) bool) (bool, error) {
	var now runFields
	if err := c.call(ctx, request{path: runPath(run.DAG, run.ID)}, &now); err != nil {
		return false, err
	}
	if ended(now) {
		return true, nil
	}
	return false, sleep(ctx, pollPause)
}
