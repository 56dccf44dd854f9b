package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"dagwright/version"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "dagwright %s %s %s/%s\n", version.String(), runtime.Version(),
				runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
