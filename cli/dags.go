package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dagwright/client"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

// dagFields is what the commands use of a DAG.
type dagFields struct {
	ID            string     `json:"dag_id"`
	Paused        bool       `json:"is_paused"`
	Stale         bool       `json:"is_stale"`
	File          string     `json:"relative_fileloc"`
	Description   *string    `json:"description"`
	Schedule      *string    `json:"timetable_summary"`
	ScheduleWords *string    `json:"timetable_description"`
	Timezone      *string    `json:"timezone"`
	ImportErrors  bool       `json:"has_import_errors"`
	MaxActiveRuns int        `json:"max_active_runs"`
	ActiveRuns    int        `json:"active_runs_count"`
	NextDate      *time.Time `json:"next_dagrun_logical_date"`
	NextStart     *time.Time `json:"next_dagrun_data_interval_start"`
	NextEnd       *time.Time `json:"next_dagrun_data_interval_end"`
	NextRunAfter  *time.Time `json:"next_dagrun_run_after"`
	Owners        []string   `json:"owners"`
	Tags          []struct {
		Name string `json:"name"`
	} `json:"tags"`
}

// pauseWord says the pause state in one word.
func (d dagFields) pauseWord() string {
	switch {
	case d.Stale:
		return "archived"
	case d.Paused:
		return "paused"
	}
	return "active"
}

func (d dagFields) tagNames() string {
	names := make([]string, len(d.Tags))
	for i, t := range d.Tags {
		names[i] = t.Name
	}
	return orDash(strings.Join(names, ","))
}

func newDAGsCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "dags",
		Short: "List, show, pause, trigger, backfill and delete DAGs",
		Long: `List, show, pause, trigger and delete the DAGs of a running dagwright.

A DAG that has just appeared is paused: its schedule is not followed until it is
un-paused. It can still be triggered.`,
		Example: `  dagwright dags list
  dagwright dags unpause churn-model
  dagwright dags trigger churn-model --conf '{"SCORING_DATE": "2026-01-31"}' --wait`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd)
	cmd.AddCommand(newDAGsListCommand(&f), newDAGsShowCommand(&f), newPauseCommand(&f, true), newPauseCommand(&f, false),
		newTriggerCommand(&f), newDAGsDeleteCommand(&f), newDAGsNextCommand(&f),
		newBackfillCommand(&f), newVersionsCommand(&f), newSourceCommand(&f),
		newProvenanceCommand(&f), newDAGsPromoteCommand(&f), newTakeOverCommand(&f))
	return cmd
}

func newDAGsListCommand(f *clientFlags) *cobra.Command {
	var search, owner, pause string
	var tags []string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List DAGs",
		Example: `  dagwright dags list --state active
  dagwright dags list --state archived
  dagwright dags list --search churn --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"tags": tags}
			if search != "" {
				query.Set("dag_id_pattern", search)
			}
			if owner != "" {
				query.Set("owners", owner)
			}
			switch pause {
			case "all":
			case "active", "paused":
				query.Set("paused", strconv.FormatBool(pause == "paused"))
			case "archived":
				query.Set("exclude_stale", "false")
			default:
				return usage.New(fmt.Errorf("--state %q: want all, active, paused or archived", pause))
			}
			return listDAGs(cmd, f, query, limit, pause == "archived")
		},
	}
	cmd.Flags().StringVar(&search, "search", "", "part of the DAG's name; % stands for any characters")
	cmd.Flags().StringVar(&owner, "owner", "", "only DAGs of this owner")
	cmd.Flags().StringSliceVar(&tags, "tag", nil, "only DAGs with one of these tags")
	cmd.Flags().StringVar(&pause, "state", "all", "active, paused, or all of these; or archived: DAGs whose file is gone")
	mustComplete(cmd, "state", completeFlag(oneOf("all", "active", "paused", "archived")))
	addLimitFlag(cmd, &limit)
	return cmd
}

func addLimitFlag(cmd *cobra.Command, limit *int) {
	cmd.Flags().IntVar(limit, "limit", client.PageSize, "how many to list at most; 0 lists all")
}

// listDAGs prints DAGs, or those of them alone that are archived, of which the API has no list.
func listDAGs(cmd *cobra.Command, f *clientFlags, query url.Values, limit int, archived bool) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	most := limit
	if archived {
		most = 0
	}
	dags, total, err := pages(query, most, func(query url.Values) ([]client.Item[dagFields], int, error) {
		var answer struct {
			DAGs  []client.Item[dagFields] `json:"dags"`
			Total int                      `json:"total_entries"`
		}
		err := c.Call(cmd.Context(), client.Request{Path: []string{"dags"}, Query: query}, &answer)
		return answer.DAGs, answer.Total, err
	})
	if err != nil {
		return err
	}
	if archived {
		dags = slices.DeleteFunc(dags, func(d client.Item[dagFields]) bool { return !d.Fields.Stale })
		total = len(dags)
		if limit > 0 {
			dags = dags[:min(limit, total)]
		}
	}
	err = f.show(cmd.OutOrStdout(), dags, func(t *table) {
		t.header("DAG", "STATE", "SCHEDULE", "NEXT RUN", "OWNERS", "TAGS")
		for _, d := range dags {
			d := d.Fields
			t.row(d.ID, state(d.pauseWord()), dash(d.Schedule), d.NextRunAfter, strings.Join(d.Owners, ","), d.tagNames())
		}
	})
	noteMore(cmd, len(dags), total)
	return err
}

// noteMore says that a list is not complete.
func noteMore(cmd *cobra.Command, shown, total int) {
	if shown < total {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d shown; --limit 0 lists all\n", shown, total)
	}
}

// pages reads a list page by page, at most limit entries; all when limit is 0.
func pages[T any](query url.Values, limit int, page func(url.Values) ([]T, int, error)) ([]T, int, error) {
	if limit < 0 {
		return nil, 0, usage.New(fmt.Errorf("--limit %d: want 0 or more", limit))
	}
	return client.Pages(query, limit, page)
}

// taskFields is what the commands use of a DAG's task.
type taskFields struct {
	ID         string   `json:"task_id"`
	Retries    float64  `json:"retries"`
	Rule       string   `json:"trigger_rule"`
	Downstream []string `json:"downstream_task_ids"`
}

func newDAGsShowCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show DAG",
		Short:   "Show a DAG and its tasks",
		Example: `  dagwright dags show churn-model-retrain`,
		Args:    exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showDAG(cmd, f, args[0])
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
}

func showDAG(cmd *cobra.Command, f *clientFlags, id string) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	var d client.Item[dagFields]
	var tasks struct {
		Tasks []client.Item[taskFields] `json:"tasks"`
	}
	if err := c.Call(cmd.Context(), client.Request{Path: []string{"dags", id, "details"}}, &d); err != nil {
		return err
	}
	if err := c.Call(cmd.Context(), client.Request{Path: []string{"dags", id, "tasks"}}, &tasks); err != nil {
		return err
	}
	answer := map[string]any{"dag": d, "tasks": tasks.Tasks}
	return f.show(cmd.OutOrStdout(), answer, func(t *table) {
		d.Fields.describe(t)
		t.header("TASK", "RETRIES", "TRIGGER RULE", "THEN")
		for _, task := range tasks.Tasks {
			t.row(task.Fields.ID, task.Fields.Retries, task.Fields.Rule, orDash(strings.Join(task.Fields.Downstream, ",")))
		}
	})
}

// describe prints a DAG's fields.
func (d dagFields) describe(t *table) {
	schedule := dash(d.ScheduleWords)
	if d.Schedule != nil {
		schedule = dash(d.Schedule) + " (" + schedule + ", " + dash(d.Timezone) + ")"
	}
	t.field("DAG", d.ID)
	t.field("Description", dash(d.Description))
	t.field("State", state(d.pauseWord()))
	t.field("Schedule", schedule)
	t.field("Next run", d.NextRunAfter)
	t.field("Active runs", fmt.Sprintf("%d of at most %d", d.ActiveRuns, d.MaxActiveRuns))
	t.field("Owners", strings.Join(d.Owners, ","))
	t.field("Tags", d.tagNames())
	t.field("File", d.File)
	if d.ImportErrors {
		t.field("Import error", "the file is broken now; an older version is in force")
	}
}

func newPauseCommand(f *clientFlags, pause bool) *cobra.Command {
	use, short, done := "unpause", "Let DAGs follow their schedule", "active"
	if pause {
		use, short, done = "pause", "Stop new scheduled runs of DAGs; active runs finish", "paused"
	}
	return &cobra.Command{
		Use:     use + " DAG…",
		Short:   short,
		Example: "  dagwright dags " + use + " churn-model",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.New(fmt.Errorf("name at least one DAG: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			dags := make([]client.Item[dagFields], len(args))
			for i, id := range args {
				r := client.Request{Method: http.MethodPatch, Path: []string{"dags", id}, Body: map[string]any{"is_paused": pause}}
				if err := c.Call(cmd.Context(), r, &dags[i]); err != nil {
					return err
				}
			}
			return f.show(cmd.OutOrStdout(), dags, func(t *table) {
				for _, d := range dags {
					t.line("%s is %s", d.Fields.ID, done)
				}
			})
		},
		ValidArgsFunction: completeRepeated(completeDAGs),
	}
}

func newDAGsNextCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "next DAG",
		Short: "Show a DAG's next scheduled run",
		Long: `Show a DAG's next scheduled run. Use "dagwright schedule" to see many runs of a
cron expression.`,
		Example: `  dagwright dags next churn-model`,
		Args:    exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			var d dagFields
			if err := c.Call(cmd.Context(), client.Request{Path: []string{"dags", args[0]}}, &d); err != nil {
				return err
			}
			return showNext(cmd, f, d)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
}

// showNext prints the next run with the names that "dagwright schedule" uses.
func showNext(cmd *cobra.Command, f *clientFlags, d dagFields) error {
	var next *scheduledRun
	if d.NextDate != nil {
		next = &scheduledRun{moment(d.NextDate), moment(d.NextStart), moment(d.NextEnd), moment(d.NextRunAfter)}
	}
	return f.show(cmd.OutOrStdout(), next, func(t *table) {
		if d.Stale {
			t.line("%s is archived: its file is gone, so it has no next run. An administrator can bring the file back: "+
				"\"Restore the file\" on the DAG's page", d.ID)
			return
		}
		if next == nil && !d.Paused {
			t.line("%s has no next run", d.ID)
		}
		if next != nil {
			t.header("LOGICAL DATE", "DATA INTERVAL START", "DATA INTERVAL END", "RUN AFTER")
			t.row(next.LogicalDate, next.DataIntervalStart, next.DataIntervalEnd, next.RunAfter)
		}
		if d.Paused {
			t.line("%s is paused: nothing is scheduled until \"dagwright dags unpause %s\"", d.ID, d.ID)
		}
	})
}

func newDAGsDeleteCommand(f *clientFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete DAG",
		Short: "Remove a DAG's file from the DAG repository",
		Long: `Remove a DAG's file from the DAG repository, so that it cannot come back by
itself. The DAG is archived: its schedule is off and its history stays. Delete an
archived DAG to remove its history too.`,
		Example: `  dagwright dags delete old-model`,
		Args:    exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			return deleteDAG(cmd, c, args[0], yes)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func deleteDAG(cmd *cobra.Command, c *client.Client, id string, yes bool) error {
	ctx := cmd.Context()
	var d dagFields
	if err := c.Call(ctx, client.Request{Path: []string{"dags", id}}, &d); err != nil {
		return err
	}
	question := fmt.Sprintf("Remove %s from the DAG repository of %s? Its history stays.", d.File, c.Server())
	done := fmt.Sprintf("%s will be removed from the DAG repository; %s is archived as soon as it is", d.File, id)
	if d.Stale {
		question = fmt.Sprintf("Delete the archived DAG %s with all its runs from %s? This cannot be undone.", id, c.Server())
		done = id + " is deleted with its history"
	}
	if !yes {
		if err := confirm(ctx, cmd, question); err != nil {
			return err
		}
	}
	if err := c.Call(ctx, client.Request{Method: http.MethodDelete, Path: []string{"dags", id}}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), done)
	return err
}
