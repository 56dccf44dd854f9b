package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"dagwright/instance"

	"github.com/spf13/cobra"
)

func newServeCommand() *cobra.Command {
	var file, logLevel string
	var run []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run an instance from its configuration file",
		Long: `Run an instance: the webhook, the generator, the scheduler and the pages, or some
of them. Several processes of one instance share a PostgreSQL database; the
generator and the scheduler must each run once.`,
		Example: `  dagwright serve --config dagwright.yml
  dagwright serve --config dagwright.yml --run webhook,ui`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := instance.NewLogger(cmd.ErrOrStderr(), logLevel)
			if err != nil {
				return err
			}
			c, err := instance.ReadConfig(file)
			if err != nil {
				return err
			}
			s, err := c.Settings(run)
			if err != nil {
				return err
			}
			s.Logger = logger
			syscall.Umask(instance.PrivateUmask)
			if err := instance.MakePrivate(c.Data); err != nil {
				return fmt.Errorf("make data folder: %w", err)
			}
			return serve(cmd.Context(), s, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (required)")
	cmd.Flags().StringSliceVar(&run, "run", instance.Components, "parts to run here")
	cmd.Flags().StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func serve(ctx context.Context, s instance.Settings, out io.Writer) (err error) {
	a, err := instance.Open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	defer instance.OutliveHangup(s.Logger)()
	fmt.Fprintf(out, "dagwright serves %s at %s\n", strings.Join(s.Components, ", "), a.URL())
	return a.Run(ctx)
}
