package cli

import (
	"fmt"
	"io"
	"os"

	"dagwright/client"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

func newContextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Name the servers that you use, such as dev and prod",
		Long: `Name the servers that you use, such as dev and prod, and choose the one that
commands talk to. Contexts are kept in dagwright/config.yml in the folder of your
settings (~/.config on Linux).

A command talks to the server of --server or --context, else of DAGWRIGHT_SERVER or
DAGWRIGHT_CONTEXT, else of the current context, else to ` + client.DefaultServer + `.`,
		Example: `  dagwright context add dev https://dagwright-dev.example.com
  dagwright context add prod https://dagwright.example.com --production
  dagwright context use dev
  dagwright dags list --context prod`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newContextListCommand(), newContextShowCommand(), newContextUseCommand(), newContextAddCommand(),
		newContextRemoveCommand())
	return cmd
}

// contextRow is a context as it is printed.
type contextRow struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	client.Context
	SignedIn bool `json:"signed_in"`
}

func contextRows(c client.Contexts) ([]contextRow, error) {
	signedIn, err := client.SignedIn()
	if err != nil {
		return nil, err
	}
	rows := []contextRow{}
	for _, name := range c.Names() {
		sc := c.Contexts[name]
		t, err := c.ByURL(sc.Server)
		if err != nil {
			return nil, err
		}
		rows = append(rows, contextRow{name, name == c.Current, sc, signedIn[t.URL.String()]})
	}
	return rows, nil
}

func newContextListCommand() *cobra.Command {
	var f outputFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List contexts",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := client.ReadContexts()
			if err != nil {
				return err
			}
			rows, err := contextRows(c)
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), rows, func(t *table) {
				t.header("CURRENT", "NAME", "SERVER", "PRODUCTION", "SIGNED IN")
				for _, r := range rows {
					mark := ""
					if r.Current {
						mark = "*"
					}
					t.row(mark, r.Name, r.Server, yesNo(r.Production), yesNo(r.SignedIn))
				}
			})
		},
	}
	f.addTo(cmd)
	return cmd
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func newContextShowCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show which server commands talk to now, or a context",
		Args:  argumentsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.context, f.server = args[0], ""
			}
			c, err := client.ReadContexts()
			if err != nil {
				return err
			}
			to, err := c.Choose(f.server, f.context, os.Getenv)
			if err != nil {
				return err
			}
			answer := map[string]any{"name": to.Context, "server": to.URL.String(), "production": to.Production,
				"current": to.Context != "" && to.Context == c.Current}
			return f.show(cmd.OutOrStdout(), answer, func(t *table) {
				t.field("Context", orDash(to.Context))
				t.field("Server", to.URL.String())
				t.field("Production", yesNo(to.Production))
			})
		},
		ValidArgsFunction: completeArguments(completeContexts),
	}
	f.addTo(cmd)
	return cmd
}

func newContextUseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME",
		Short: "Choose the context that commands talk to",
		Args:  exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var sc client.Context
			err := client.ChangeContexts(func(c *client.Contexts) (err error) {
				sc, err = c.Find(args[0])
				c.Current = args[0]
				return err
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "commands talk to %s now, %s\n", args[0], sc.Server)
			}
			return err
		},
		ValidArgsFunction: completeArguments(completeContexts),
	}
}

func newContextAddCommand() *cobra.Command {
	var production, use bool
	cmd := &cobra.Command{
		Use:   "add NAME URL",
		Short: "Add a context, or change one",
		Long: `Add a context, or change the one of that name. The first one becomes the current
one. In a production context, commands that change or end what runs ask for
confirmation on a terminal, unless --yes is given.`,
		Example: `  dagwright context add prod https://dagwright.example.com --production`,
		Args:    exactArguments(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			sc := client.Context{Server: args[1], Production: production}
			if err := sc.Check(args[0]); err != nil {
				return usage.New(err)
			}
			current := false
			err := client.ChangeContexts(func(c *client.Contexts) error {
				if c.Contexts == nil {
					c.Contexts = map[string]client.Context{}
				}
				c.Contexts[args[0]] = sc
				if use || c.Current == "" {
					c.Current = args[0]
				}
				current = c.Current == args[0]
				return nil
			})
			if err != nil {
				return err
			}
			return sayAdded(cmd.OutOrStdout(), args[0], current)
		},
	}
	cmd.Flags().BoolVar(&production, "production", false, "ask before commands that change or end what runs")
	cmd.Flags().BoolVar(&use, "use", false, "make it the current context too")
	return cmd
}

func sayAdded(w io.Writer, name string, current bool) error {
	next := "use it with \"dagwright context use " + name + "\" or --context " + name
	if current {
		next = "it is the current one; sign in with \"dagwright login\""
	}
	_, err := fmt.Fprintf(w, "context %s added: %s\n", name, next)
	return err
}

func newContextRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Forget a context, and the token of its server",
		Args:  exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var server client.Server
			shared := false
			err := client.ChangeContexts(func(c *client.Contexts) error {
				sc, err := c.Find(args[0])
				if err != nil {
					return err
				}
				delete(c.Contexts, args[0])
				if c.Current == args[0] {
					c.Current = ""
				}
				server, err = c.ByURL(sc.Server)
				shared = server.Context != "" // another context has the server too
				return err
			})
			if err != nil {
				return err
			}
			if !shared {
				if _, err := client.New(server, "").SignOut(cmd.Context()); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "context %s removed\n", args[0])
			return nil
		},
		ValidArgsFunction: completeArguments(completeContexts),
	}
}
