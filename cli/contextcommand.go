package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"

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
DAGWRIGHT_CONTEXT, else of the current context, else to ` + defaultServer + `.`,
		Example: `  dagwright context add dev https://dagwright-dev.example.com
  dagwright context add prod https://dagwright.example.com --production
  dagwright context use dev
  dagwright dags list --context prod`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newContextListCommand(), newContextShowCommand(), newContextUseCommand(), newContextAddCommand(), newContextRemoveCommand())
	return cmd
}

// contextRow is a context as it is printed.
type contextRow struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	serverContext
	SignedIn bool `json:"signed_in"`
}

func contextRows(c clientConfig) ([]contextRow, error) {
	tokens, err := readCredentials()
	if err != nil {
		return nil, err
	}
	rows := []contextRow{}
	for _, name := range c.names() {
		sc := c.Contexts[name]
		t, err := c.byURL(sc.Server)
		if err != nil {
			return nil, err
		}
		_, signedIn := tokens.Servers[t.url.String()]
		rows = append(rows, contextRow{name, name == c.Current, sc, signedIn})
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
			c, err := readClientConfig()
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
			c, err := readClientConfig()
			if err != nil {
				return err
			}
			to, err := c.choose(f.server, f.context, os.Getenv)
			if err != nil {
				return err
			}
			answer := map[string]any{"name": to.context, "server": to.url.String(), "production": to.production, "current": to.context != "" && to.context == c.Current}
			return f.show(cmd.OutOrStdout(), answer, func(t *table) {
				t.field("Context", orDash(to.context))
				t.field("Server", to.url.String())
				t.field("Production", yesNo(to.production))
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
			var sc serverContext
			err := changeClientConfig(func(c *clientConfig) (err error) {
				sc, err = c.find(args[0])
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
			sc := serverContext{Server: args[1], Production: production}
			if err := sc.check(args[0]); err != nil {
				return usage.New(err)
			}
			current := false
			err := changeClientConfig(func(c *clientConfig) error {
				if c.Contexts == nil {
					c.Contexts = map[string]serverContext{}
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
			var server target
			shared := false
			err := changeClientConfig(func(c *clientConfig) error {
				sc, err := c.find(args[0])
				if err != nil {
					return err
				}
				delete(c.Contexts, args[0])
				if c.Current == args[0] {
					c.Current = ""
				}
				server, err = c.byURL(sc.Server)
				shared = server.context != "" // another context has the server too
				return err
			})
			if err != nil {
				return err
			}
			if !shared {
				if _, err := forgetCredential(cmd.Context(), http.DefaultClient, server); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "context %s removed\n", args[0])
			return nil
		},
		ValidArgsFunction: completeArguments(completeContexts),
	}
}
