package cli

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"dagwright/client"
	"dagwright/dag"
	"dagwright/usage"
)

func newTakeOverCommand(f *clientFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "take-over FORMER-DAG…",
		Short: "Give a DAG what a former owner of its id left",
		Long: `Give a DAG the history of a former owner of its id: runs with their logs, versions,
and the audit log. A DAG whose id went to another project or file is kept as churn~1
(the next one as churn~2); name it by that id. From then on the team of the DAG sees
all of it. Whether the DAG is paused does not change. This needs the role admin for
all DAGs.`,
		Example: `  dagwright dags take-over churn-model~1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.New(fmt.Errorf("name at least one former DAG: %s", cmd.UseLine()))
			}
			for _, id := range args {
				if !dag.ID(id).Former() {
					return usage.New(fmt.Errorf("%q: want the id of a former DAG, such as %s", id, dag.FormerID(dag.ID(id), 0)))
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			if !yes {
				question := fmt.Sprintf(
					"Make the history of %s part of the DAGs that have the ids now, on %s? This cannot be undone.",
					strings.Join(args, ", "), c.Server())
				if err := confirm(cmd.Context(), cmd, question); err != nil {
					return err
				}
			}
			dags := make([]client.Item[dagFields], len(args))
			for i, id := range args {
				r := client.Request{Method: http.MethodPost, Path: []string{"dags", id, "take_over"}}
				if err := c.Call(cmd.Context(), r, &dags[i]); err != nil {
					return err
				}
			}
			return f.show(cmd.OutOrStdout(), dags, func(t *table) {
				for i, d := range dags {
					t.line("%s is part of %s now, which is %s", args[i], d.Fields.ID, d.Fields.pauseWord())
				}
			})
		},
	}
	addYesFlag(cmd, &yes)
	return cmd
}
