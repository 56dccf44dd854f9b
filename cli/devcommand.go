package cli

import (
	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/dev"
)

func newDevCommand() *cobra.Command {
	c := dev.Config{DefaultServer: client.DefaultServer}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run all of dagwright on this machine, with two example models",
		Long: `Run all of dagwright on this machine: a bare DAG repository, two example model
repositories that send push events like GitLab, the webhook, the generator, the
scheduler with local processes, and the pages. It needs git and python3 and nothing
else. Everything is kept under --dir; delete that folder to start over. Ctrl-C ends
it, and so does closing the terminal; when started again, it carries on where it
left off.`,
		Example: `  dagwright dev
  git clone .dagwright/models/churn-model.git   # edit, commit, push: a new DAG version`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return dev.Run(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&c.Dir, "dir", "./.dagwright", "folder for repositories, database and logs")
	cmd.Flags().StringVar(&c.Listen, "listen", "127.0.0.1:8080",
		"address of the pages, the API and the webhook; port 0 takes a free one")
	cmd.Flags().StringVar(&c.LogLevel, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

// newPostReceiveCommand is what the hooks of "dagwright dev" call. It is not
// for people, so help does not show it.
func newPostReceiveCommand() *cobra.Command {
	var r dev.Repository
	cmd := &cobra.Command{
		Use:    "post-receive",
		Short:  "Send push events for the refs on standard input, as GitLab does",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return dev.PostReceive(cmd.Context(), r, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&r.Dir, "dir", "", "folder of dagwright dev")
	cmd.Flags().StringVar(&r.Project, "project", "", "GitLab path of the project")
	cmd.Flags().Int64Var(&r.ProjectID, "project-id", 0, "GitLab id of the project")
	return cmd
}
