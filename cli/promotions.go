package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/store"
	"dagwright/usage"
)

// promotionFields is what the commands use of a promotion.
type promotionFields struct {
	ID           int64  `json:"promotion_id"`
	DAG          string `json:"dag_id"`
	Version      int    `json:"version_number"`
	State        string `json:"state"`
	Reason       string `json:"reason"`
	MergeRequest string `json:"merge_request"`
}

func newDAGsPromoteCommand(f *clientFlags) *cobra.Command {
	var version int
	var dry, yes bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "promote DAG",
		Short: "Have the server propose a DAG to the next instance (DEV to PROD)",
		Long: `Have the server propose a DAG to the next instance, as a merge request in that one's
DAG repository. With --dry-run the difference is printed and nothing is proposed.

"dagwright promote" does the same without a server, with the configuration file of
the instance.`,
		Example: `  dagwright dags promote churn-model --dry-run
  dagwright dags promote churn-model --version 7`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if version < 0 {
				return usage.New(fmt.Errorf("--version %d: versions count from 1", version))
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			if !dry {
				if err := askInProduction(cmd, c, yes, "Propose "+args[0]+" to the next instance?"); err != nil {
					return err
				}
			}
			body := map[string]any{"dry_run": dry}
			if version > 0 {
				body["version_number"] = version
			}
			return promoteByServer(cmd, f, c, args[0], body, timeout)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	cmd.Flags().IntVar(&version, "version", 0, "refuse unless this is the newest version (default the newest)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be proposed and propose nothing")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait for the merge request")
	addYesFlag(cmd, &yes)
	return cmd
}

func promoteByServer(cmd *cobra.Command, f *clientFlags, c *client.Client, id string, body map[string]any,
	timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	var asked promotionFields
	if err := c.Call(ctx, client.Request{Method: http.MethodPost, Path: []string{"dags", id, "promote"}, Body: body},
		&asked); err != nil {
		return err
	}
	p, err := awaitPromotion(ctx, c, id, asked.ID)
	if err != nil {
		return err
	}
	err = f.show(cmd.OutOrStdout(), p, func(t *table) {
		switch store.PromotionState(p.Fields.State) {
		case store.PromotionCompared:
			t.text(p.Fields.Reason)
		case store.PromotionUnchanged:
			t.line("%s is already there; there is nothing to promote", p.Fields.DAG)
		default:
			t.line("version %d of %s: %s %s", p.Fields.Version, p.Fields.DAG, p.Fields.State,
				orDash(cmp.Or(p.Fields.MergeRequest, p.Fields.Reason)))
		}
	})
	if err == nil && p.Fields.State == string(store.PromotionRefused) {
		err = errors.New("the promotion was refused")
	}
	return err
}

// awaitPromotion waits until a promotion is finished. The server has no call that
// waits, so it is asked again and again, less and less often.
func awaitPromotion(ctx context.Context, c *client.Client, id string,
	number int64) (client.Item[promotionFields], error) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var answer struct {
			Promotions []client.Item[promotionFields] `json:"promotions"`
		}
		if err := c.Call(ctx, client.Request{Path: []string{"dags", id, "promotions"}}, &answer); err != nil {
			return client.Item[promotionFields]{}, err
		}
		for _, p := range answer.Promotions {
			if p.Fields.ID == number && p.Fields.State != string(store.PromotionPending) {
				return p, nil
			}
		}
		if sleep(ctx, pause) != nil {
			return client.Item[promotionFields]{}, fmt.Errorf("promotion %d of %s is still pending; %w", number, id, errGoesOn)
		}
	}
}

// provenanceFields is what the commands use of where a DAG is from.
type provenanceFields struct {
	DAG          string `json:"dag_id"`
	Project      string `json:"project"`
	Branch       string `json:"branch"`
	Commit       string `json:"commit"`
	Template     string `json:"template"`
	Path         string `json:"path"`
	DAGCommit    string `json:"dag_commit"`
	MergeRequest string `json:"merge_request"`
	Version      int    `json:"version_number"`
	PromotedFrom *struct {
		Project string `json:"project"`
		Commit  string `json:"dag_commit"`
	} `json:"promoted_from"`
	Run *struct {
		ID   string `json:"dag_run_id"`
		Pods []struct {
			Task  string `json:"task_id"`
			Try   int    `json:"try_number"`
			State string `json:"state"`
			Image string `json:"image"`
			Pod   string `json:"pod_name"`
		} `json:"pods"`
	} `json:"dag_run"`
}

func newProvenanceCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "provenance DAG [RUN]",
		Short: "Show which commit of the model a DAG, or the pods of a run, come from",
		Example: `  dagwright dags provenance churn-model
  dagwright dags provenance churn-model manual__2026-01-31T10:00:00+00:00`,
		Args: argumentsBetween(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			r := client.Request{Path: []string{"dags", args[0], "provenance"}, Query: url.Values{}}
			if len(args) == 2 {
				r.Query.Set("dag_run_id", args[1])
			}
			var p client.Item[provenanceFields]
			if err := c.Call(cmd.Context(), r, &p); err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), p, p.Fields.describe)
		},
		ValidArgsFunction: completeArguments(completeDAGs, completeRuns),
	}
}

// describe prints where a DAG is from.
func (p provenanceFields) describe(t *table) {
	t.field("DAG", fmt.Sprintf("%s, version %d", p.DAG, p.Version))
	t.field("Model", orDash(p.Project))
	t.field("Branch", orDash(p.Branch))
	t.field("Commit", orDash(p.Commit))
	t.field("Template", orDash(p.Template))
	t.field("File", orDash(p.Path))
	t.field("DAG commit", orDash(p.DAGCommit))
	t.field("Merge request", orDash(p.MergeRequest))
	if p.PromotedFrom != nil {
		t.field("Promoted from", p.PromotedFrom.Project+" at "+p.PromotedFrom.Commit)
	}
	if p.Run == nil {
		return
	}
	t.field("Run", p.Run.ID)
	t.header("TASK", "TRY", "STATE", "IMAGE", "POD")
	for _, pod := range p.Run.Pods {
		t.row(pod.Task, pod.Try, state(pod.State), orDash(pod.Image), orDash(pod.Pod))
	}
}
