package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/dag"
	"dagwright/usage"
)

func newRunsCancelCommand(f *clientFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "cancel DAG RUN",
		Short: "End a run: it is marked failed and its running tasks are stopped",
		Example: `  dagwright runs list churn-model --state running
  dagwright runs cancel churn-model manual__2026-01-31T10:00:00+00:00`,
		Args: exactArguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, found, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			if found.Fields.Ended() {
				return errors.New("run " + args[1] + " has ended already: " + found.Fields.State)
			}
			return markRun(cmd, f, c, found.Fields, "failed", yes)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
	addYesFlag(cmd, &yes)
	return cmd
}

var runMarks = []string{"success", "failed"}

func newRunsMarkCommand(f *clientFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "mark DAG RUN success|failed",
		Short: "End a run by hand, as success or failed",
		Long: `End a run by hand, as success or failed. Its running tasks are stopped. A run that has
ended takes the other state, and its tasks stay as they are; mark or clear tasks to have
the run follow them.`,
		Example: `  dagwright runs mark churn-model manual__2026-01-31T10:00:00+00:00 success`,
		Args:    exactArguments(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(runMarks, args[2]) {
				return usage.New(fmt.Errorf("state %q: want success or failed%s", args[2], dag.DidYouMean(args[2], runMarks)))
			}
			c, found, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			return markRun(cmd, f, c, found.Fields, args[2], yes)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns, oneOf(runMarks...)),
	}
	addYesFlag(cmd, &yes)
	return cmd
}

// markRun sets a run's state, after asking where that is wanted.
func markRun(cmd *cobra.Command, f *clientFlags, c *client.Client, run client.Run, to string, yes bool) error {
	question := fmt.Sprintf("Mark run %s of %s %s? It is %s now.", run.ID, run.DAG, to, run.State)
	if err := askInProduction(cmd, c, yes, question); err != nil {
		return err
	}
	var marked client.Item[client.Run]
	r := client.Request{Method: http.MethodPatch, Path: client.RunPath(run.DAG, run.ID), Body: map[string]any{"state": to}}
	if err := c.Call(cmd.Context(), r, &marked); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), marked, func(t *table) {
		text := fmt.Sprintf("run %s of %s is marked %s", run.ID, run.DAG, marked.Fields.State)
		if !run.Ended() {
			text += "; its running tasks are being stopped"
		}
		t.line("%s", text)
	})
}

func newRunsClearCommand(f *clientFlags) *cobra.Command {
	var act actFlags
	var onlyFailed bool
	cmd := &cobra.Command{
		Use:   "clear DAG RUN",
		Short: "Run the tasks of a run again",
		Long: `Run the tasks of a run again, in the version of the DAG that the run began with. Use
"dagwright tasks clear" for some of its tasks.`,
		Example: `  dagwright runs clear churn-model-retrain manual__2026-01-31T10:00:00+00:00 --only-failed`,
		Args:    exactArguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			return clearRun(cmd, f, c, client.RunPath(args[0], args[1]), onlyFailed, act)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
	act.addTo(cmd)
	cmd.Flags().BoolVar(&onlyFailed, "only-failed", false, "only those that failed, or whose upstream did")
	return cmd
}

func clearRun(cmd *cobra.Command, f *clientFlags, c *client.Client, path []string, onlyFailed bool,
	act actFlags) error {
	r := client.Request{Method: http.MethodPost, Path: append(slices.Clone(path), "clear"),
		Body: map[string]any{"dry_run": act.dryRun, "only_failed": onlyFailed}}
	question := fmt.Sprintf("Run the tasks of run %s of %s again?", path[3], path[1])
	if act.dryRun {
		return actOnTasks(cmd, f, c, r, act, question, "run again")
	}
	nothing := false
	if onlyFailed {
		var choice instanceList
		dry := client.Request{Method: r.Method, Path: r.Path, Body: map[string]any{"dry_run": true, "only_failed": true}}
		if err := c.Call(cmd.Context(), dry, &choice); err != nil {
			return err
		}
		nothing = len(choice.Instances) == 0
	}
	if err := askInProduction(cmd, c, act.yes, question); err != nil {
		return err
	}
	var cleared client.Item[client.Run]
	if err := c.Call(cmd.Context(), r, &cleared); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), cleared, func(t *table) {
		if nothing {
			t.line("no task of run %s of %s has failed: nothing is cleared, it is %s", cleared.Fields.ID, cleared.Fields.DAG,
				cleared.Fields.State)
			return
		}
		t.line("run %s of %s is cleared: it is %s", cleared.Fields.ID, cleared.Fields.DAG, cleared.Fields.State)
	})
}

func newRunsNoteCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "note DAG RUN TEXT",
		Short:   "Write a run's note, for people; an empty text removes it",
		Example: `  dagwright runs note churn-model manual__2026-01-31T10:00:00+00:00 "late data from the warehouse"`,
		Args:    exactArguments(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			var noted client.Item[client.Run]
			r := client.Request{Method: http.MethodPatch, Path: client.RunPath(args[0], args[1]),
				Body: map[string]any{"note": args[2]}}
			if err := c.Call(cmd.Context(), r, &noted); err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), noted, func(t *table) {
				t.line("note of run %s of %s: %s", noted.Fields.ID, noted.Fields.DAG, dash(noted.Fields.Note))
			})
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
}

func newRunsDeleteCommand(f *clientFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete DAG RUN",
		Short:   "Delete a run that is not running, with its logs",
		Example: `  dagwright runs delete churn-model manual__2026-01-31T10:00:00+00:00`,
		Args:    exactArguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, found, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			r := found.Fields
			question := fmt.Sprintf("Delete run %s of %s (%s, %s) with its logs from %s? This cannot be undone.", r.ID, r.DAG,
				r.State, moment(r.LogicalDate), c.Server())
			if !yes {
				if err := confirm(cmd.Context(), cmd, question); err != nil {
					return err
				}
			}
			if err := c.Call(cmd.Context(), client.Request{Method: http.MethodDelete, Path: client.RunPath(args[0], args[1])},
				nil); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "run %s of %s is deleted with its logs\n", r.ID, r.DAG)
			return err
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
	addYesFlag(cmd, &yes)
	return cmd
}

// backfillFields is what the commands use of a backfill.
type backfillFields struct {
	ID       int64      `json:"id"`
	DAG      string     `json:"dag_id"`
	From     *time.Time `json:"from_date"`
	To       *time.Time `json:"to_date"`
	Most     int        `json:"max_active_runs"`
	Finished *time.Time `json:"completed_at"`
}

// backfillFlags are the flags of "dagwright dags backfill".
type backfillFlags struct {
	from, to, conf, reprocess string
	most                      int
	backwards, dryRun, yes    bool
}

var reprocessing = []string{"none", "failed", "completed"}

func newBackfillCommand(f *clientFlags) *cobra.Command {
	var b backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill DAG --from DATE --to DATE",
		Short: "Start the runs of a past range of the schedule",
		Long: `Start the runs that the DAG's schedule calls for between two logical dates, both
included. A date that already has a run is skipped, unless --reprocess asks for
failed runs, or all that have ended, to run again.

A date without a time is its midnight, as in Airflow's "backfill create": a run at 06:00
of the last day is not among them with --to 2026-01-31, but with --to 2026-01-31T23:59.`,
		Example: `  dagwright dags backfill churn-model --from 2026-01-01 --to 2026-01-31T23:59 --dry-run
  dagwright dags backfill churn-model --from 2026-01-01 --to 2026-01-31T23:59 --max-active-runs 2`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := b.body(cmd, args[0])
			if err != nil {
				return err
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			if b.dryRun {
				return tryBackfill(cmd, f, c, body)
			}
			return backfill(cmd, f, c, body, b)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	cmd.Flags().StringVar(&b.from, "from", "",
		"first logical `date`, at midnight unless it has a time, UTC unless it has an offset (required)")
	cmd.Flags().StringVar(&b.to, "to", "", "last logical `date`, at midnight unless it has a time (required)")
	cmd.Flags().StringVar(&b.conf, "conf", "", "JSON object for every run, @FILE or @- as in \"dagwright dags trigger\"")
	cmd.Flags().StringVar(&b.reprocess, "reprocess", "none", "which existing runs to run again: none, failed or completed")
	cmd.Flags().IntVar(&b.most, "max-active-runs", 10, "how many of the runs may be active at a time")
	cmd.Flags().BoolVar(&b.backwards, "backwards", false, "newest date first")
	cmd.Flags().BoolVar(&b.dryRun, "dry-run", false, "only show the logical dates")
	addYesFlag(cmd, &b.yes)
	mustComplete(cmd, "reprocess", completeFlag(oneOf(reprocessing...)))
	return cmd
}

func (b backfillFlags) body(cmd *cobra.Command, id string) (map[string]any, error) {
	if b.from == "" || b.to == "" {
		return nil, usage.New(errors.New("want both --from and --to, as in --from 2026-01-01 --to 2026-01-31T23:59"))
	}
	from, err := parseMoment("--from", b.from, time.UTC, time.Time{})
	if err != nil {
		return nil, err
	}
	to, err := parseMoment("--to", b.to, time.UTC, time.Time{})
	if err != nil {
		return nil, err
	}
	switch {
	case to.Before(from):
		return nil, usage.New(fmt.Errorf("--to %s is before --from %s", b.to, b.from))
	case !slices.Contains(reprocessing, b.reprocess):
		return nil, usage.New(fmt.Errorf("--reprocess %q: want none, failed or completed", b.reprocess))
	case b.most < 1:
		return nil, usage.New(fmt.Errorf("--max-active-runs %d: want 1 or more", b.most))
	}
	body := map[string]any{
		"dag_id": id, "from_date": from.UTC().Format(time.RFC3339), "to_date": to.UTC().Format(time.RFC3339),
		"run_backwards":      b.backwards,
		"reprocess_behavior": b.reprocess, "max_active_runs": b.most, "dag_run_conf": map[string]any{},
	}
	if b.conf != "" {
		if body["dag_run_conf"], err = readConf(b.conf, cmd.InOrStdin()); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// dateFields is a logical date for which a backfill would start a run.
type dateFields struct {
	Date *time.Time `json:"logical_date"`
}

// backfillDates asks for which dates a backfill would start a run.
func backfillDates(ctx context.Context, c *client.Client, body map[string]any) ([]client.Item[dateFields], error) {
	var answer struct {
		Backfills []client.Item[dateFields] `json:"backfills"`
	}
	err := c.Call(ctx, client.Request{Method: http.MethodPost, Path: []string{"backfills", "dry_run"}, Body: body},
		&answer)
	return answer.Backfills, err
}

// tryBackfill shows the dates that a backfill would run.
func tryBackfill(cmd *cobra.Command, f *clientFlags, c *client.Client, body map[string]any) error {
	dates, err := backfillDates(cmd.Context(), c, body)
	if err != nil {
		return err
	}
	if len(dates) == 0 {
		return startsNothing(cmd, f, c, body)
	}
	return f.show(cmd.OutOrStdout(), dates, func(t *table) {
		t.line("%s would start", counted(len(dates), "run"))
		t.header("LOGICAL DATE")
		for _, b := range dates {
			t.row(moment(b.Fields.Date))
		}
	})
}

// startsNothing says why a backfill has no run to start.
func startsNothing(cmd *cobra.Command, f *clientFlags, c *client.Client, body map[string]any) error {
	id := fmt.Sprint(body["dag_id"])
	var runs struct {
		Total int `json:"total_entries"`
	}
	query := url.Values{"logical_date_gte": {fmt.Sprint(body["from_date"])},
		"logical_date_lte": {fmt.Sprint(body["to_date"])}, "limit": {"1"}}
	if err := c.Call(cmd.Context(), client.Request{Path: []string{"dags", id, "dagRuns"}, Query: query},
		&runs); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), []client.Item[dateFields]{}, func(t *table) {
		t.line("nothing to start: %s", whyNothing(body, runs.Total))
	})
}

// whyNothing is why a backfill has no run to start, given how many runs its range has.
func whyNothing(body map[string]any, runs int) string {
	within := fmt.Sprintf("from %s to %s", body["from_date"], body["to_date"])
	switch {
	case runs == 0:
		return fmt.Sprintf("the schedule of %s calls for no run %s", body["dag_id"], within)
	case body["reprocess_behavior"] == "none":
		return fmt.Sprintf("every date of %s %s has a run; --reprocess failed or completed has them run again",
			body["dag_id"], within)
	case body["reprocess_behavior"] == "failed":
		return fmt.Sprintf("every date of %s %s has a run, and none of them has failed", body["dag_id"], within)
	}
	return fmt.Sprintf("every date of %s %s has a run that has not ended", body["dag_id"], within)
}

func backfill(cmd *cobra.Command, f *clientFlags, c *client.Client, body map[string]any, b backfillFlags) error {
	dates, err := backfillDates(cmd.Context(), c, body)
	if err != nil {
		return err
	}
	if len(dates) == 0 {
		return startsNothing(cmd, f, c, body)
	}
	question := fmt.Sprintf("Start the runs of %s from %s to %s?", body["dag_id"], body["from_date"], body["to_date"])
	if err := askInProduction(cmd, c, b.yes, question); err != nil {
		return err
	}
	var made client.Item[backfillFields]
	if err := c.Call(cmd.Context(), client.Request{Method: http.MethodPost, Path: []string{"backfills"}, Body: body},
		&made); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), made, func(t *table) {
		m := made.Fields
		t.line("backfill %d of %s: %s to %s, %s at a time", m.ID, m.DAG, moment(m.From), moment(m.To), counted(m.Most, "run"))
		t.line("see its runs: dagwright runs list %s --type backfill", m.DAG)
	})
}
