package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/usage"
)

func newModelsCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List pushes to models with their results, and replay them",
		Long: `List the pushes to models' repositories with their results, and replay one. A push
is rendered (its DAG changed), unchanged, rejected with a reason, proposed as a merge
request, superseded by a newer one, removed with its branch, only compared by a dry run,
skipped on request, or pending. The API, and so -o json, calls rejected "refused".`,
		Example: `  dagwright models list --state rejected
  dagwright models show 42
  dagwright models replay 42`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd)
	cmd.AddCommand(newModelsListCommand(&f), newModelsShowCommand(&f), newModelsReplayCommand(&f))
	return cmd
}

// pushStates are the states of pushes as people read them.
var pushStates = []string{
	string(store.PushPending), string(store.PushRendered), string(store.PushUnchanged), string(store.PushSuperseded),
	rejected, string(store.PushRemoved), string(store.PushProposed), string(store.PushCompared), string(store.PushSkipped),
}

// rejected is what people read of a push whose state is store.PushRefused.
const rejected = "rejected"

// pushState is a push's state as people read it.
func pushState(name string) state {
	if name == string(store.PushRefused) {
		return rejected
	}
	return state(name)
}

// oneWordOf lists words of which one is wanted.
func oneWordOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func newModelsListCommand(f *clientFlags) *cobra.Command {
	var project, id, only string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List pushes, newest first",
		Example: `  dagwright models list --project gbc/risk/churn-model`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asked := only
			if only == rejected {
				asked = string(store.PushRefused)
			} else if only != "" && only != string(store.PushRefused) && !slices.Contains(pushStates, only) {
				return usage.New(fmt.Errorf("--state %q: want %s%s", only, oneWordOf(pushStates), dag.DidYouMean(only, pushStates)))
			}
			query := url.Values{}
			for name, value := range map[string]string{"project": project, "dag_id": id, "state": asked} {
				if value != "" {
					query.Set(name, value)
				}
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			pushes, err := listPushes(cmd.Context(), c, query, limit)
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), pushes, func(t *table) {
				t.header("PUSH", "PROJECT", "BRANCH", "COMMIT", "RECEIVED", "STATE", "DAG", "REASON")
				for _, p := range pushes {
					p := p.Fields
					t.row(p.ID, p.Project, p.Branch, fmt.Sprintf("%.8s", p.Commit), p.ReceivedAt, pushState(p.State), orDash(p.DAG),
						orDash(cmp.Or(p.Reason, p.MergeRequest)))
				}
			})
		},
	}
	cmd.Flags().StringVar(&project, "project", "", "only pushes to this GitLab project")
	cmd.Flags().StringVar(&id, "dag", "", "only pushes that became this DAG")
	cmd.Flags().StringVar(&only, "state", "", "only pushes in this state")
	addLimitFlag(cmd, &limit)
	mustComplete(cmd, "state", completeFlag(oneOf(pushStates...)))
	mustComplete(cmd, "dag", completeFlag(completeDAGs))
	return cmd
}

// listPushes reads pushes page by page; each begins before the last one's id.
func listPushes(ctx context.Context, c *client.Client, query url.Values, limit int) ([]client.Item[pushFields], error) {
	if limit < 0 {
		return nil, usage.New(fmt.Errorf("--limit %d: want 0 or more", limit))
	}
	all := []client.Item[pushFields]{}
	for {
		size := client.PageSize
		if limit > 0 {
			size = min(size, limit-len(all))
		}
		query.Set("limit", strconv.Itoa(size))
		var answer struct {
			Pushes []client.Item[pushFields] `json:"pushes"`
		}
		if err := c.Call(ctx, client.Request{Path: []string{"pushes"}, Query: query}, &answer); err != nil {
			return nil, err
		}
		all = append(all, answer.Pushes...)
		if len(answer.Pushes) < size || len(all) == limit {
			return all, nil
		}
		query.Set("before", strconv.FormatInt(all[len(all)-1].Fields.ID, 10))
	}
}

// describe prints a push's fields.
func (p pushFields) describe(t *table) {
	t.field("Push", p.ID)
	t.field("Project", p.Project)
	t.field("Branch", p.Branch)
	t.field("Commit", p.Commit)
	t.field("Title", orDash(p.Title))
	t.field("By", orDash(p.User))
	t.field("Received", p.ReceivedAt)
	t.field("State", pushState(p.State))
	t.field("Reason", orDash(p.Reason))
	t.field("DAG", orDash(p.DAG))
	t.field("DAG commit", orDash(p.DAGCommit))
	t.field("Merge request", orDash(p.MergeRequest))
}

// pushPath wants the number of a push.
func pushPath(text string) ([]string, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || n < 1 {
		return nil, usage.New(fmt.Errorf("push %q: want its number, as \"dagwright models list\" shows it", text))
	}
	return []string{"pushes", text}, nil
}

func newModelsShowCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show PUSH",
		Short:   "Show a push and its result",
		Example: `  dagwright models show 42`,
		Args:    exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := pushPath(args[0])
			if err != nil {
				return err
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			var p client.Item[pushFields]
			if err := c.Call(cmd.Context(), client.Request{Path: path}, &p); err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), p, p.Fields.describe)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

func newModelsReplayCommand(f *clientFlags) *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "replay PUSH",
		Short: "Render the branch of a push again",
		Long: `Render the branch of a push again, as it is now. With --wait the exit code is 1 when
it was rejected, and 3 when it is still pending after --timeout.`,
		Example: `  dagwright models replay 42 --wait`,
		Args:    exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := pushPath(args[0])
			if err != nil {
				return err
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			var p client.Item[pushFields]
			if err := c.Call(cmd.Context(), client.Request{Method: http.MethodPost, Path: append(path, "replay")},
				&p); err != nil {
				return err
			}
			if wait {
				ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
				defer cancel()
				if p, err = awaitPush(ctx, c, p.Fields.ID); err != nil {
					return err
				}
			}
			if err := f.show(cmd.OutOrStdout(), p, p.Fields.describe); err != nil {
				return err
			}
			return refusals([]client.Item[pushFields]{p})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the result")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait at most")
	return cmd
}
