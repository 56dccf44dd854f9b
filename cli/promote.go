package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/instance"
	"dagwright/usage"
)

// promoteFlags are the flags of "dagwright promote".
type promoteFlags struct {
	config, commit, by string
	dryRun             bool
}

func newPromoteCommand() *cobra.Command {
	var f promoteFlags
	cmd := &cobra.Command{
		Use:   "promote DAG",
		Short: "Propose a DAG of this instance to the next one (DEV to PROD)",
		Long: `Take a DAG's spec, as it is in the DAG repository of the configuration, apply the
differences that the next instance requires (promotion.overlay), and open a merge
request with it in the next instance's DAG repository. The merge request shows the
difference, which commit the spec comes from, and who promotes it. Doing it again
brings the same merge request up to date.`,
		Example: `  dagwright promote churn-model --config dagwright.yml
  dagwright promote churn-model --config dagwright.yml --dry-run`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return promote(cmd.Context(), args[0], f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.config, "config", "", "configuration file of the instance that has the DAG (required)")
	cmd.Flags().StringVar(&f.commit, "commit", "",
		"commit of the DAG repository to take the spec from (default: the newest)")
	cmd.Flags().StringVar(&f.by, "by", "", "who promotes it (default: GITLAB_USER_LOGIN, or the system's user)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be proposed and do nothing")
	return cmd
}

// promotion is one promotion under way.
type promotion struct {
	*generator.Promoter
	dag   dag.ID
	taken generator.Promotion
}

func promote(ctx context.Context, id string, f promoteFlags, out io.Writer) error {
	if err := dag.CheckID(id); err != nil {
		return usage.New(err)
	}
	config, err := instance.ReadConfig(f.config)
	if err != nil {
		return err
	}
	if config.Promotion.URL == "" {
		return usage.New(fmt.Errorf("%s: promotion: want url and project of the DAG repository to promote to", f.config))
	}
	dir, err := os.MkdirTemp("", "dagwright-promote-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	promoter, err := config.OpenPromoter(dir)
	if err != nil {
		return err
	}
	p := &promotion{Promoter: promoter, dag: dag.ID(id)}
	if err := p.find(ctx, f.commit, cmp.Or(f.by, os.Getenv("GITLAB_USER_LOGIN"), systemUser())); err != nil {
		return err
	}
	if f.dryRun {
		return p.show(ctx, out)
	}
	return p.propose(ctx, out)
}

func systemUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "somebody"
}

// find finds the DAG's file at a commit, the newest when it is empty.
func (p *promotion) find(ctx context.Context, commit, by string) error {
	head, err := p.From.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("fetch the DAG repository: %w", err)
	}
	commit = cmp.Or(commit, head)
	files, err := p.From.Files(commit, "dags")
	if err != nil {
		return err
	}
	const largest = 1 << 20
	for _, file := range files {
		if kind, _ := dag.KindOfFile(file.Path); kind != dag.SpecFile {
			continue
		}
		source, err := p.From.ReadFile(commit, file.Path, largest)
		if err != nil || !strings.Contains(string(source), string(p.dag)) {
			continue // what cannot be read defines no DAG
		}
		dags, err := dag.Parse(file.Path, source)
		if err != nil || len(dags) != 1 || dags[0].ID != p.dag {
			continue
		}
		p.taken, err = p.Take(p.dag, file.Path, commit, by)
		return err
	}
	return fmt.Errorf("no file of %s at %.8s defines the DAG %s: %w", p.FromProject, commit, p.dag, dag.ErrNotFound)
}

func (p *promotion) show(ctx context.Context, out io.Writer) error {
	c, err := p.Compare(ctx, p.taken)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, c.Plain(time.Now()))
	return err
}

func (p *promotion) propose(ctx context.Context, out io.Writer) error {
	url, err := p.Propose(ctx, p.taken)
	if err != nil {
		return err
	}
	if url == "" {
		_, err = fmt.Fprintf(out, "%s is already there; there is nothing to promote\n", p.dag)
		return err
	}
	_, err = fmt.Fprintf(out, "proposed: %s\n", url)
	return err
}
