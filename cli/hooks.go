package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/gitlab"
	"dagwright/instance"
	"dagwright/terminal"
	"dagwright/usage"
)

// hooksFlags are the flags of "dagwright hooks install".
type hooksFlags struct {
	gitlab, tokenFile, url, secretFile string
	groups, projects, skip, branches   []string
	pipelines, mergeRequests           bool
	rotate, dryRun                     bool
}

func newHooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hooks",
		Short: "Install the webhook in GitLab projects",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newHooksInstallCommand())
	return cmd
}

func newHooksInstallCommand() *cobra.Command {
	var f hooksFlags
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Add the webhook to projects, or bring it up to date",
		Long: `Add the webhook to each project of the groups, and to the projects that are named,
or bring it up to date where there is one with the same URL. Doing it again changes
nothing. One hook serves all branches by a regular expression.

The token needs the scope api and the role Maintainer. GitLab does not reveal the
secret of a hook: use --rotate after the secret has changed, while the server
accepts both the old and the new one.`,
		Example: `  dagwright hooks install --gitlab https://gitlab.example.com --token-file token \
    --url https://dagwright.example.com/hooks/gitlab --secret-file webhook-secret \
    --group gbc --dry-run`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return installHooks(cmd.Context(), f, cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&f.gitlab, "gitlab", cmp.Or(os.Getenv("CI_SERVER_URL"), os.Getenv("GITLAB_URL")),
		"GitLab's address (environment: CI_SERVER_URL, GITLAB_URL)")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with an access token")
	cmd.Flags().StringVar(&f.url, "url", "", "address of the webhook, such as https://dagwright.example.com/hooks/gitlab")
	cmd.Flags().StringVar(&f.secretFile, "secret-file", "", "file with the secret token, or a signing token (whsec_…)")
	cmd.Flags().StringSliceVar(&f.groups, "group", nil, "group whose projects get the hook; may be repeated")
	cmd.Flags().StringSliceVar(&f.projects, "project", nil, "project that gets the hook; may be repeated")
	cmd.Flags().StringSliceVar(&f.skip, "skip", nil, "project of a group that gets none; may be repeated")
	cmd.Flags().StringSliceVar(&f.branches, "branch", dag.DefaultBranches().Names(), "branches whose pushes are sent")
	cmd.Flags().BoolVar(&f.pipelines, "pipelines", true, "send pipeline events, for models that wait for their image")
	cmd.Flags().BoolVar(&f.mergeRequests, "merge-requests", true, "send merge request events, for previews")
	cmd.Flags().BoolVar(&f.rotate, "rotate", false, "set the secret again where nothing else changes")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only print what would be done")
	return cmd
}

// check refuses what cannot work before anything is asked of GitLab.
func (f hooksFlags) check() error {
	var missing []string
	for _, required := range []struct{ flag, value string }{
		{"--gitlab", f.gitlab}, {"--token-file", f.tokenFile}, {"--url", f.url}, {"--secret-file", f.secretFile},
	} {
		if required.value == "" {
			missing = append(missing, required.flag)
		}
	}
	address, err := url.Parse(f.url)
	switch {
	case len(missing) == 1:
		return usage.New(fmt.Errorf("%s is required", missing[0]))
	case len(missing) > 0:
		return usage.New(fmt.Errorf("%s are required", strings.Join(missing, ", ")))
	case err != nil || !instance.WebAddress(f.url) || strings.Trim(address.Path, "/") == "":
		return usage.New(
			fmt.Errorf("--url %q: want an address with a path, such as https://dagwright.example.com/hooks/gitlab", f.url))
	case len(f.groups)+len(f.projects) == 0:
		return usage.New(errors.New("name at least one --group or --project"))
	}
	for _, b := range f.branches {
		if err := dag.CheckBranchName(b); err != nil {
			return usage.New(fmt.Errorf("--branch: %w", err))
		}
		if b == "" || strings.ContainsAny(b, `\^$.|?*+()[]{} `) {
			return usage.New(fmt.Errorf("--branch %q: want the plain name of a branch", b))
		}
	}
	return nil
}

func installHooks(ctx context.Context, f hooksFlags, out io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	secrets := instance.Secrets{}
	token, secret := secrets.Read(f.tokenFile), secrets.Read(f.secretFile)
	if secrets.Err != nil {
		return usage.New(secrets.Err)
	}
	client, err := gitlab.Dial(gitlab.Config{BaseURL: f.gitlab, Token: token.Reveal()})
	if err != nil {
		return usage.New(err)
	}
	projects, err := f.targets(ctx, client)
	if err != nil {
		return err
	}
	hook := gitlab.Hook{URL: f.url, Secret: secret.Reveal(), Branches: f.branches, Pipelines: f.pipelines,
		MergeRequests: f.mergeRequests}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	failed := 0
	for _, p := range projects {
		change, err := client.EnsureHook(ctx, p, hook, f.rotate, f.dryRun)
		if err != nil {
			failed++
			fmt.Fprintf(tw, "%s\tfailed\t%s\n", p, terminal.OneLine(err.Error()))
			continue
		}
		if f.dryRun && change != gitlab.HookSame {
			change = "would be " + change
		}
		fmt.Fprintf(tw, "%s\t%s\t\n", p, change)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d projects failed", failed, len(projects))
	}
	return nil
}

// targets lists the projects, each once.
func (f hooksFlags) targets(ctx context.Context, client *gitlab.Client) ([]string, error) {
	seen := map[string]bool{}
	for _, p := range f.skip {
		seen[p] = true
	}
	var out []string
	add := func(path string) {
		if !seen[path] {
			seen[path] = true
			out = append(out, path)
		}
	}
	for _, group := range f.groups {
		projects, err := client.GroupProjects(ctx, group)
		if err != nil {
			return nil, err
		}
		for _, p := range projects {
			if !p.Archived && !p.Deleting {
				add(p.Path)
			}
		}
	}
	for _, p := range f.projects {
		add(p)
	}
	return out, nil
}
