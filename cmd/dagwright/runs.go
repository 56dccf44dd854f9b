package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// runFields is what the commands use of a run.
type runFields struct {
	ID          string         `json:"dag_run_id"`
	DAG         string         `json:"dag_id"`
	State       string         `json:"state"`
	Type        string         `json:"run_type"`
	LogicalDate *time.Time     `json:"logical_date"`
	StartedAt   *time.Time     `json:"start_date"`
	EndedAt     *time.Time     `json:"end_date"`
	User        *string        `json:"triggering_user_name"`
	Note        *string        `json:"note"`
	Reason      *string        `json:"reason"`
	Conf        map[string]any `json:"conf"`
}

func (r runFields) ended() bool { return r.State == "success" || r.State == "failed" }

// instanceFields is what the commands use of a task instance.
type instanceFields struct {
	Task      string     `json:"task_id"`
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
		Short: "List, show, wait for and cancel runs",
		Example: `  dagwright runs list churn-model
  dagwright runs show churn-model
  dagwright runs wait churn-model && echo scored`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd)
	cmd.AddCommand(newRunsListCommand(&f), newRunsShowCommand(&f), newRunsWaitCommand(&f), newRunsCancelCommand(&f))
	return cmd
}

// argumentsBetween wants at least least and at most most arguments.
func argumentsBetween(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError{fmt.Errorf("want %d to %d argument(s), got %d: %s", least, most, len(args), cmd.UseLine())}
		}
		return nil
	}
}

func newRunsListCommand(f *clientFlags) *cobra.Command {
	var states []string
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
			return listRuns(cmd, f, id, url.Values{"state": states}, limit)
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only runs that are queued, running, success or failed")
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
	err = f.show(cmd.OutOrStdout(), runs, func(w io.Writer) {
		fmt.Fprintln(w, "DAG\tRUN\tSTATE\tLOGICAL DATE\tSTARTED\tDURATION\tREASON")
		for _, r := range runs {
			r := r.fields
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.DAG, r.ID, r.State, moment(r.LogicalDate), moment(r.StartedAt),
				duration(r.StartedAt, r.EndedAt, now), dash(r.Reason))
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
	}
}

func showRun(cmd *cobra.Command, f *clientFlags, c *client, run item[runFields]) error {
	tasks, err := instances(cmd, c, run.fields)
	if err != nil {
		return err
	}
	now := time.Now()
	answer := map[string]any{"dag_run": run, "task_instances": tasks}
	return f.show(cmd.OutOrStdout(), answer, func(w io.Writer) {
		showRunTable(w, run.fields, now)
		fmt.Fprintln(w, "\nTASK\tSTATE\tTRY\tSTARTED\tDURATION\tREASON")
		for _, t := range tasks {
			t := t.fields
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", t.Task, dash(t.State), t.Try, moment(t.StartedAt),
				duration(t.StartedAt, t.EndedAt, now), dash(t.Reason))
		}
	})
}

func showRunTable(w io.Writer, r runFields, now time.Time) {
	fmt.Fprintf(w, "DAG:\t%s\n", r.DAG)
	fmt.Fprintf(w, "Run:\t%s\n", r.ID)
	fmt.Fprintf(w, "State:\t%s\n", r.State)
	fmt.Fprintf(w, "Reason:\t%s\n", dash(r.Reason))
	fmt.Fprintf(w, "Type:\t%s, by %s\n", r.Type, dash(r.User))
	fmt.Fprintf(w, "Logical date:\t%s\n", moment(r.LogicalDate))
	fmt.Fprintf(w, "Started:\t%s\n", moment(r.StartedAt))
	fmt.Fprintf(w, "Duration:\t%s\n", duration(r.StartedAt, r.EndedAt, now))
	fmt.Fprintf(w, "Note:\t%s\n", dash(r.Note))
	if conf, err := json.Marshal(r.Conf); err == nil {
		fmt.Fprintf(w, "Conf:\t%s\n", conf)
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
	return &cobra.Command{
		Use:   "wait DAG [RUN]",
		Short: "Wait until a run has ended; the newest run unless one is named",
		Long: `Wait until a run has ended; the newest run unless one is named. The exit code is 0
when it succeeded and 1 when it failed. A restart of the server is waited out.`,
		Example: `  dagwright runs wait churn-model && echo scored`,
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
			return waitRun(cmd, f, c, args[0], run.fields.ID)
		},
	}
}

// waitRun waits for a run, prints it, and returns an error when it failed.
func waitRun(cmd *cobra.Command, f *clientFlags, c *client, id, run string) error {
	if err := awaitEnd(cmd, c, id, run); err != nil {
		return err
	}
	ended, err := findRun(cmd, c, id, run)
	if err != nil {
		return err
	}
	r := ended.fields
	err = f.show(cmd.OutOrStdout(), ended, func(w io.Writer) {
		fmt.Fprintf(w, "run %s of %s: %s after %s\n", r.ID, r.DAG, r.State, duration(r.StartedAt, r.EndedAt, time.Now()))
	})
	if err == nil && r.State == "failed" {
		err = fmt.Errorf("run %s of %s failed: %s", r.ID, r.DAG, dash(r.Reason))
	}
	return err
}

// awaitEnd returns when the run has ended. It says on standard error what
// state the run comes into.
func awaitEnd(cmd *cobra.Command, c *client, id, run string) error {
	last := ""
	return persist(cmd.Context(), func() (bool, error) {
		r := request{path: []string{"dags", id, "dagRuns", run, "wait"}, query: url.Values{"interval": {"5"}}}
		resp, err := c.open(cmd.Context(), r)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		lines := json.NewDecoder(resp.Body)
		for {
			var now runFields
			if err := lines.Decode(&now); err != nil {
				return false, cmd.Context().Err() // the stream broke; it is opened anew
			}
			if now.ended() {
				return true, nil
			}
			if now.State != last {
				last = now.State
				fmt.Fprintf(cmd.ErrOrStderr(), "run %s is %s\n", run, last)
			}
		}
	})
}

func newRunsCancelCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel DAG RUN",
		Short: "End a run: it is marked failed and its running tasks are stopped",
		Example: `  dagwright runs list churn-model --state running
  dagwright runs cancel churn-model manual__2026-01-31T10:00:00+00:00`,
		Args: exactArguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			return cancelRun(cmd, f, c, args[0], args[1])
		},
	}
}

func cancelRun(cmd *cobra.Command, f *clientFlags, c *client, id, run string) error {
	found, err := findRun(cmd, c, id, run)
	if err != nil {
		return err
	}
	if found.fields.ended() {
		return errors.New("run " + run + " has ended already: " + found.fields.State)
	}
	r := request{method: http.MethodPatch, path: []string{"dags", id, "dagRuns", run}, body: map[string]any{"state": "failed"}}
	if err := c.call(cmd.Context(), r, &found); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), found, func(w io.Writer) {
		fmt.Fprintf(w, "run %s of %s is marked %s; its running tasks are being stopped\n", run, id, found.fields.State)
	})
}
