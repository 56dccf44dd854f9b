package cli

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/dag"
	"dagwright/usage"
)

func newTasksCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "tasks",
		Short: "List, show, clear, mark and cancel the tasks of a run",
		Long: `List, show, clear, mark and cancel the tasks of a run. Where RUN may be left out,
the newest run of the DAG is meant.`,
		Example: `  dagwright tasks list churn-model-retrain
  dagwright tasks clear churn-model-retrain manual__2026-01-31T10:00:00+00:00 train_model --downstream
  dagwright tasks mark churn-model manual__2026-01-31T10:00:00+00:00 run_model success`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd)
	cmd.AddCommand(newTasksListCommand(&f), newTasksShowCommand(&f), newTasksClearCommand(&f), newTasksMarkCommand(&f),
		newTasksCancelCommand(&f))
	return cmd
}

func newTasksListCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list DAG [RUN]",
		Short:   "List the tasks of a run; the newest run unless one is named",
		Example: `  dagwright tasks list churn-model-retrain`,
		Args:    argumentsBetween(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, run, err := f.dialRun(cmd, args)
			if err != nil {
				return err
			}
			tasks, err := c.Tasks(cmd.Context(), run.Fields.DAG, run.Fields.ID)
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), tasks, func(t *table) { listInstances(t, tasks, t.now) })
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
}

func newTasksShowCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show DAG RUN TASK",
		Short:   "Show a task of a run and each of its tries",
		Example: `  dagwright tasks show churn-model manual__2026-01-31T10:00:00+00:00 run_model`,
		Args:    exactArguments(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			return showTask(cmd, f, c, client.TaskPath(args[0], args[1], args[2]))
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns, completeTasks),
	}
}

func showTask(cmd *cobra.Command, f *clientFlags, c *client.Client, path []string) error {
	var now client.Item[client.TaskInstance]
	if err := c.Call(cmd.Context(), client.Request{Path: path}, &now); err != nil {
		return err
	}
	var tries struct {
		Instances []client.Item[client.TaskInstance] `json:"task_instances"`
	}
	if err := c.Call(cmd.Context(), client.Request{Path: append(slices.Clone(path), "tries")}, &tries); err != nil {
		return err
	}
	answer := map[string]any{"task_instance": now, "tries": tries.Instances}
	return f.show(cmd.OutOrStdout(), answer, func(t *table) {
		t.field("DAG", path[1])
		t.field("Run", path[3])
		t.field("Task", path[5])
		t.field("State", state(dash(now.Fields.State)))
		t.field("Reason", dash(now.Fields.Reason))
		t.field("Operator", dash(now.Fields.Operator))
		t.header("TRY", "STATE", "STARTED", "DURATION", "REASON")
		for _, try := range tries.Instances {
			try := try.Fields
			t.row(try.Try, state(dash(try.State)), try.StartedAt, duration(try.StartedAt, try.EndedAt, t.now), dash(try.Reason))
		}
	})
}

// relatives are the flags that widen an act to other task instances.
type relatives struct{ upstream, downstream, past, future bool }

func (r *relatives) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.upstream, "upstream", false, "also everything that comes before")
	cmd.Flags().BoolVar(&r.downstream, "downstream", false, "also everything that comes after")
	cmd.Flags().BoolVar(&r.past, "past", false, "also in earlier runs, by logical date")
	cmd.Flags().BoolVar(&r.future, "future", false, "also in later runs, by logical date")
}

func (r relatives) body() map[string]any {
	return map[string]any{"include_upstream": r.upstream, "include_downstream": r.downstream, "include_past": r.past,
		"include_future": r.future}
}

// actFlags are those of commands that change what runs.
type actFlags struct{ yes, dryRun bool }

func addYesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

func (a *actFlags) addTo(cmd *cobra.Command) {
	addYesFlag(cmd, &a.yes)
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "only show which tasks would change")
}

// instanceList is the API's answer to acts on task instances.
type instanceList struct {
	Instances []client.Item[client.TaskInstance] `json:"task_instances"`
}

func newTasksClearCommand(f *clientFlags) *cobra.Command {
	var with relatives
	var act actFlags
	var onlyFailed bool
	cmd := &cobra.Command{
		Use:   "clear DAG RUN TASK…",
		Short: "Run tasks of a run again",
		Long: `Run tasks of a run again, in the version of the DAG that the run began with. Their
earlier tries stay, with their logs. A task that is running is stopped first; a run
that has ended goes on.`,
		Example: `  dagwright tasks clear churn-model-retrain manual__2026-01-31T10:00:00+00:00 train_model --downstream
  dagwright tasks clear churn-model-retrain manual__2026-01-31T10:00:00+00:00 train_model --past --only-failed --dry-run`,
		Args: argumentsAtLeast(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			body := with.body()
			body["dag_run_id"], body["task_ids"], body["only_failed"], body["dry_run"] = args[1], args[2:], onlyFailed, act.dryRun
			question := fmt.Sprintf("Run %s of run %s of %s again?", counted(len(args)-2, "task"), args[1], args[0])
			r := client.Request{Method: http.MethodPost, Path: []string{"dags", args[0], "clearTaskInstances"}, Body: body}
			return actOnTasks(cmd, f, c, r, act, question, "run again")
		},
		ValidArgsFunction: completeActTasks,
	}
	with.addTo(cmd)
	act.addTo(cmd)
	cmd.Flags().BoolVar(&onlyFailed, "only-failed", false, "only those that failed, or whose upstream did")
	return cmd
}

// completeActTasks completes DAG RUN TASK….
func completeActTasks(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return completeArguments(completeDAGs, completeRuns, completeTasks)(cmd, args[:min(len(args), 2)], word)
}

// actOnTasks asks where that is wanted, acts, and prints the task instances.
func actOnTasks(cmd *cobra.Command, f *clientFlags, c *client.Client, r client.Request, act actFlags, question,
	done string) error {
	if !act.dryRun {
		if err := askInProduction(cmd, c, act.yes, question); err != nil {
			return err
		}
	}
	var answer instanceList
	if err := c.Call(cmd.Context(), r, &answer); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), answer.Instances, func(t *table) {
		if act.dryRun {
			done = "would " + done
		} else {
			done = "will " + done
		}
		t.line("%s %s", counted(len(answer.Instances), "task"), done)
		t.header("RUN", "TASK", "STATE", "TRY")
		for _, ti := range answer.Instances {
			t.row(ti.Fields.Run, ti.Fields.Task, state(dash(ti.Fields.State)), ti.Fields.Try)
		}
	})
}

func newTasksMarkCommand(f *clientFlags) *cobra.Command {
	var with relatives
	var act actFlags
	cmd := &cobra.Command{
		Use:   "mark DAG RUN TASK success|failed|skipped",
		Short: "Set a task's state by hand",
		Long: `Set a task's state by hand. A task that is running is stopped first. What comes after
it follows the new state, also when the run has ended.`,
		Example: `  dagwright tasks mark churn-model-retrain manual__2026-01-31T10:00:00+00:00 evaluate_model success`,
		Args:    exactArguments(4),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := args[3]
			if !slices.Contains(markStates, to) {
				return usage.New(fmt.Errorf("state %q: want success, failed or skipped%s", to, dag.DidYouMean(to, markStates)))
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			body := with.body()
			body["new_state"] = to
			question := fmt.Sprintf("Mark task %s of run %s of %s %s?", args[2], args[1], args[0], to)
			r := client.Request{Method: http.MethodPatch, Path: client.TaskPath(args[0], args[1], args[2]), Body: body}
			if act.dryRun {
				r.Path = append(r.Path, "dry_run")
			}
			return actOnTasks(cmd, f, c, r, act, question, "be marked "+to)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns, completeTasks, oneOf(markStates...)),
	}
	with.addTo(cmd)
	act.addTo(cmd)
	return cmd
}

var markStates = []string{"success", "failed", "skipped"}

func newTasksCancelCommand(f *clientFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "cancel DAG RUN TASK",
		Short:   "Stop a running task: it fails and is not retried",
		Example: `  dagwright tasks cancel churn-model-retrain manual__2026-01-31T10:00:00+00:00 train_model`,
		Args:    exactArguments(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			path := client.TaskPath(args[0], args[1], args[2])
			var now client.TaskInstance
			if err := c.Call(cmd.Context(), client.Request{Path: path}, &now); err != nil {
				return err
			}
			if now.State == nil || !dag.TaskState(*now.State).Active() {
				return errors.New("task " + args[2] + " is not running: " + dash(now.State))
			}
			if err := askInProduction(cmd, c, yes, "Stop task "+args[2]+" of run "+args[1]+"?"); err != nil {
				return err
			}
			body := map[string]any{"new_state": "failed"}
			var answer instanceList
			if err := c.Call(cmd.Context(), client.Request{Method: http.MethodPatch, Path: path, Body: body},
				&answer); err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), answer.Instances, func(t *table) {
				t.line("try %s of task %s is being stopped", strconv.Itoa(now.Try), args[2])
			})
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns, completeTasks),
	}
	addYesFlag(cmd, &yes)
	return cmd
}

// argumentsAtLeast wants n arguments or more.
func argumentsAtLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usage.New(fmt.Errorf("want at least %s, got %d: %s", counted(n, "argument"), len(args), cmd.UseLine()))
		}
		return nil
	}
}
