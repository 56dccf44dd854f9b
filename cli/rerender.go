package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/store"
	"dagwright/usage"
)

// pushFields is what the commands use of a push.
type pushFields struct {
	ID           int64      `json:"push_id"`
	Project      string     `json:"project"`
	Branch       string     `json:"branch"`
	Commit       string     `json:"commit"`
	User         string     `json:"user"`
	Title        string     `json:"title"`
	ReceivedAt   *time.Time `json:"received_at"`
	State        string     `json:"state"`
	Reason       string     `json:"reason"`
	DAG          string     `json:"dag_id"`
	DAGCommit    string     `json:"dag_commit"`
	MergeRequest string     `json:"merge_request"`
}

// rerenderRequest is the body of the API's call.
type rerenderRequest struct {
	Pattern   string `json:"pattern,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
	DryRun    bool   `json:"dry_run,omitempty"`
}

func newRerenderCommand() *cobra.Command {
	var f clientFlags
	var r rerenderRequest
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "rerender [PATTERN]",
		Short: "Render generated DAGs again, with the current templates",
		Long: `Render generated DAGs again, after a template or a setting has changed: all of them,
or those whose id or project contains PATTERN. What changes is one commit of the DAG
repository, or a merge request for each model, where the instance is set up so.

With --dry-run no file is written and the difference of each is printed, with what was
edited by hand; "dagwright models list" keeps it. Files that were edited by hand are left
alone unless --overwrite is given. The exit code is 1 when any was rejected.`,
		Example: `  dagwright rerender --dry-run
  dagwright rerender gbc/risk/
  dagwright rerender churn-model --overwrite`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage.New(fmt.Errorf("want one pattern at most: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.Pattern = args[0]
			}
			if r.DryRun && r.Overwrite {
				return usage.New(errors.New("want one of --dry-run and --overwrite, not both"))
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			return rerender(ctx, c, &f, r, cmd.OutOrStdout())
		},
	}
	f.addTo(cmd)
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "show what would change and write no file")
	cmd.Flags().BoolVar(&r.Overwrite, "overwrite", false, "overwrite files that were edited by hand")
	cmd.Flags().DurationVar(&patience, "timeout", 10*time.Minute, "how long to wait for all of them")
	return cmd
}

func rerender(ctx context.Context, c *client.Client, f *clientFlags, r rerenderRequest, out io.Writer) error {
	var asked struct {
		Pushes []int64 `json:"push_ids"`
	}
	if err := c.Call(ctx, client.Request{Method: http.MethodPost, Path: []string{"rerender"}, Body: r},
		&asked); err != nil {
		return err
	}
	var all []client.Item[pushFields]
	for _, id := range asked.Pushes {
		p, err := awaitPush(ctx, c, id)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if r.DryRun && f.output == "table" {
		return printCompared(out, all)
	}
	err := f.show(out, all, func(t *table) {
		t.header("DAG", "PROJECT", "BRANCH", "RESULT", "REASON")
		for _, p := range all {
			t.row(orDash(p.Fields.DAG), p.Fields.Project, p.Fields.Branch, pushState(p.Fields.State),
				orDash(p.Fields.Reason+p.Fields.MergeRequest))
		}
	})
	return errors.Join(err, refusals(all))
}

// refusals is an error when any push was rejected.
func refusals(all []client.Item[pushFields]) error {
	refused := 0
	for _, p := range all {
		if p.Fields.State == string(store.PushRefused) {
			refused++
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d rejected", refused, len(all))
	}
	return nil
}

// printCompared prints what a dry run found.
func printCompared(out io.Writer, all []client.Item[pushFields]) error {
	for _, p := range all {
		fmt.Fprintf(out, "%s (%s, %s): ", orDash(p.Fields.DAG), p.Fields.Project, p.Fields.Branch)
		if p.Fields.State != string(store.PushCompared) {
			fmt.Fprintf(out, "%s: ", p.Fields.State)
		}
		fmt.Fprintf(out, "%s\n", p.Fields.Reason)
	}
	return refusals(all)
}

// awaitPush waits until a push is finished. The server has no call that waits, so
// it is asked again and again, less and less often.
func awaitPush(ctx context.Context, c *client.Client, id int64) (client.Item[pushFields], error) {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var p client.Item[pushFields]
		if err := c.Call(ctx, client.Request{Path: []string{"pushes", strconv.FormatInt(id, 10)}}, &p); err != nil {
			return p, err
		}
		if p.Fields.State != string(store.PushPending) {
			return p, nil
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("push %d is still pending (%s); %w", id, orDash(p.Fields.Reason), errGoesOn)
		case <-time.After(pause):
		}
	}
}
