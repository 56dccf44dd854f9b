package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/review"
	"dagwright/scheduler"
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
difference, from which commit the spec is, and who promotes it. Doing it again
brings the same merge request up to date.`,
		Example: `  dagwright promote churn-model --config dagwright.yml
  dagwright promote churn-model --config dagwright.yml --dry-run`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return promote(cmd.Context(), args[0], f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.config, "config", "", "configuration file of the instance that has the DAG (required)")
	cmd.Flags().StringVar(&f.commit, "commit", "", "commit of the DAG repository to take the spec from (default: the newest)")
	cmd.Flags().StringVar(&f.by, "by", "", "who promotes it (default: GITLAB_USER_LOGIN, or the system's user)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be proposed and do nothing")
	return cmd
}

// promotionConfig says where DAGs are promoted to.
type promotionConfig struct {
	URL          string            `yaml:"url"`
	Branch       string            `yaml:"branch"`
	Project      string            `yaml:"project"`
	Username     string            `yaml:"username"`
	PasswordFile string            `yaml:"password_file"`
	Overlay      generator.Overlay `yaml:"overlay"`
}

// promotion is one promotion under way.
type promotion struct {
	from, to     *gitrepo.Repo
	client       *gitlab.Client
	config       serveConfig
	dag          dag.ID
	path, commit string // of the spec in the DAG repository
	by           string
	content      []byte // with the overlay
}

func promote(ctx context.Context, id string, f promoteFlags, out io.Writer) error {
	if err := dag.CheckID(id); err != nil {
		return usageError{err}
	}
	config, err := readServeConfig(f.config)
	if err != nil {
		return err
	}
	if config.Promotion.URL == "" || config.Promotion.Project == "" {
		return usageError{fmt.Errorf("%s: promotion: want url and project of the DAG repository to promote to", f.config)}
	}
	dir, err := os.MkdirTemp("", "dagwright-promote-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &promotion{config: config, dag: dag.ID(id), by: cmp.Or(f.by, os.Getenv("GITLAB_USER_LOGIN"), systemUser())}
	if err := p.open(dir); err != nil {
		return err
	}
	if err := p.find(ctx, f.commit); err != nil {
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

// open opens both DAG repositories and GitLab.
func (p *promotion) open(dir string) error {
	secrets := secretReader{}
	d, to := p.config.DAGRepository, p.config.Promotion
	from := gitrepo.Config{URL: d.URL, Branch: d.Branch, Username: d.Username, Password: secrets.read(d.PasswordFile), Dir: filepath.Join(dir, "from.git")}
	target := gitrepo.Config{URL: to.URL, Branch: to.Branch, Username: to.Username, Password: secrets.read(to.PasswordFile), Dir: filepath.Join(dir, "to.git")}
	token := secrets.read(p.config.GitLab.TokenFile)
	if secrets.err != nil {
		return usageError{secrets.err}
	}
	var err error
	if p.from, err = gitrepo.Open(from); err != nil {
		return fmt.Errorf("DAG repository: %w", err)
	}
	if p.to, err = gitrepo.Open(target); err != nil {
		return fmt.Errorf("promotion: %w", err)
	}
	p.client, err = gitlab.Dial(gitlab.Config{BaseURL: p.config.GitLab.URL, Token: token})
	return err
}

// find finds the DAG's file at a commit and applies the overlay.
func (p *promotion) find(ctx context.Context, commit string) error {
	head, err := p.from.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("fetch the DAG repository: %w", err)
	}
	p.commit = cmp.Or(commit, head)
	files, err := p.from.Files(p.commit, "dags")
	if err != nil {
		return err
	}
	const largest = 1 << 20
	for _, file := range files {
		if !scheduler.IsSpec(file.Path) {
			continue
		}
		source, err := p.from.ReadFile(p.commit, file.Path, largest)
		if err != nil || !strings.Contains(string(source), string(p.dag)) {
			continue // what cannot be read defines no DAG
		}
		dags, err := dag.Parse(file.Path, source)
		if err != nil || len(dags) != 1 || dags[0].ID != p.dag {
			continue
		}
		p.path = file.Path
		p.content, err = generator.Promote(file.Path, source, p.config.Promotion.Overlay)
		return err
	}
	return fmt.Errorf("no file of %s at %.8s defines the DAG %s: %w", p.config.DAGRepository.Project, p.commit, p.dag, dag.ErrNotFound)
}

// change compares with the target's head.
func (p *promotion) change(head string) (review.Change, error) {
	var before []byte
	if head != "" {
		const largest = 1 << 20
		content, err := p.to.ReadFile(head, p.path, largest)
		if err != nil && !errors.Is(err, dag.ErrNotFound) {
			return review.Change{}, err
		}
		before = content
	}
	return review.Load(p.path, string(before), string(p.content)), nil
}

func (p *promotion) show(ctx context.Context, out io.Writer) error {
	head, err := p.to.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("fetch the DAG repository to promote to: %w", err)
	}
	c, err := p.change(head)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, c.Plain(time.Now()))
	return err
}

func (p *promotion) propose(ctx context.Context, out io.Writer) error {
	var c review.Change
	branch := "dagwright/promote/" + string(p.dag)
	title := fmt.Sprintf("Promote %s from %s at %.8s", p.dag, p.config.DAGRepository.Project, p.commit)
	commit, _, err := p.to.Propose(ctx, branch, gitrepo.Commit{
		Message:    fmt.Sprintf("%s\n\nPromoted-From: %s@%s %s\nPromoted-By: %s\n", title, p.config.DAGRepository.Project, p.commit, p.path, p.by),
		AuthorName: "dagwright", AuthorEmail: "dagwright@localhost", When: time.Now(),
		Changes: func(head string) (_ []gitrepo.Change, err error) {
			if c, err = p.change(head); err != nil || c.Diff() == "" {
				return nil, err
			}
			return []gitrepo.Change{{Path: p.path, Content: p.content}}, nil
		},
	})
	if err != nil {
		return fmt.Errorf("promote %s: %w", p.dag, err)
	}
	project := p.config.Promotion.Project
	if commit == "" {
		fmt.Fprintf(out, "%s is there already; nothing is left to promote\n", p.dag)
		return p.client.Withdraw(ctx, project, branch, "dagwright: the same is there already.")
	}
	text := fmt.Sprintf("`%s` promotes [`%s` at `%.8s`](%s/%s/-/blob/%s/%s) of %s.\n\n%s", strings.ReplaceAll(p.by, "`", "'"),
		p.path, p.commit, p.client.WebURL(), p.config.DAGRepository.Project, p.commit, p.path, p.config.DAGRepository.Project, c.Markdown(time.Now()))
	proposal, err := p.client.Propose(ctx, project, gitlab.MergeRequest{Source: branch, Target: p.to.Branch, Title: title, Description: text})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "proposed: %s\n", proposal.URL)
	return err
}
