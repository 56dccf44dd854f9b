// Package cli is what people type: the commands, their flags, and what they print.
// Those that use a running dagwright ask its API; "serve" and "dev" start one; the
// others work on the files of a checkout.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dagwright/dag"
	"dagwright/usage"
)

// Exit codes, the same for every command.
const (
	ExitDone   = 0
	ExitFailed = 1 // the work failed
	ExitUsage  = 2 // wrong use: flags, arguments, a wrong cron expression
	ExitGoesOn = 3 // interrupted, or waiting was given up: what was waited for goes on
)

// Run executes one command line and returns its exit code. SIGINT and SIGTERM
// end it politely, a second one at once.
func Run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(root.ErrOrStderr(), "dagwright: interrupted")
		return ExitGoesOn
	}
	fmt.Fprintln(root.ErrOrStderr(), "dagwright:", usage.Text(err))
	return exitCode(err)
}

// exitCode is what a command's error tells scripts.
func exitCode(err error) int {
	wrong := usage.Error{}
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &wrong):
		return ExitUsage
	case errors.Is(err, errGoesOn):
		return ExitGoesOn
	}
	return ExitFailed
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "dagwright",
		Short: "Turns pushes to model repositories into DAGs and runs them",
		Long: `dagwright is the system around an ML platform's models. A push to a model's GitLab
repository becomes a DAG in the DAG repository (scoring from main, retraining from
retrain), and a scheduler runs that DAG's tasks, with web pages where people pause
and trigger DAGs and read the models' logs.

Start with "dagwright dev": all of it on this machine, with two example models.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage.New(fmt.Errorf("%w%s (see %q)", inUnits(err), flagMeant(cmd, err), cmd.CommandPath()+" --help"))
	})
	root.AddGroup(
		&cobra.Group{ID: "server", Title: "Run dagwright:"},
		&cobra.Group{ID: "author", Title: "Work on models and DAGs:"},
		&cobra.Group{ID: "client", Title: "Use a running dagwright:"},
		&cobra.Group{ID: "sign-in", Title: "Choose a server and sign in:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("server", newDevCommand(), newServeCommand())
	add("author", newGenerateCommand(), newValidateCommand(), newScheduleCommand(), newPromoteCommand(),
		newHooksCommand(), newImportCommand(), newSchemaCommand())
	add("client", newDAGsCommand(), newRunsCommand(), newTasksCommand(), newLogsCommand(), newModelsCommand(),
		newImportErrorsCommand(),
		newAuditCommand(), newRerenderCommand())
	add("sign-in", newContextCommand(), newLoginCommand(), newLogoutCommand(), newWhoamiCommand(), newTokensCommand())
	root.AddCommand(newVersionCommand(), newPostReceiveCommand(), newManCommand())
	return root
}

// inUnits says what is missing where a flag for a time has a mere number.
func inUnits(err error) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) || wrong.GetFlag().Value.Type() != "duration" {
		return err
	}
	if _, number := strconv.ParseFloat(wrong.GetValue(), 64); number != nil {
		return fmt.Errorf("--%s %q: want a time such as 5s or 5m", wrong.GetFlag().Name, wrong.GetValue())
	}
	return fmt.Errorf("--%s: %s has no unit; want a time such as %[2]ss or %[2]sm", wrong.GetFlag().Name, wrong.GetValue())
}

// flagMeant names the flag that is most like one that is not known.
func flagMeant(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return dag.DidYouMean("--"+unknown.GetSpecifiedName(), names)
}

// noArguments refuses arguments, and so unknown commands, as wrong use.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usage.New(fmt.Errorf("unknown command or argument %q%s (see %q)", args[0], dag.DidYouMean(args[0], names),
		cmd.CommandPath()+" --help"))
}

// exactArguments wants n arguments, named as in the command's usage line.
func exactArguments(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage.New(fmt.Errorf("want %s, got %d: %s", counted(n, "argument"), len(args), cmd.UseLine()))
		}
		return nil
	}
}
