package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"dagwright/client"
	"dagwright/terminal"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

// tokenFields is what the commands use of an API token.
type tokenFields struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Owner    string     `json:"owner"`
	Service  bool       `json:"service"`
	Role     string     `json:"role"`
	DAGs     []string   `json:"dags"`
	Projects []string   `json:"projects"`
	Expires  *time.Time `json:"expires_at"`
	LastUsed *time.Time `json:"last_used_at"`
	Token    string     `json:"token"`
}

// reach says over which DAGs a token is good.
func (t tokenFields) reach() string {
	all := append(append([]string{}, t.DAGs...), t.Projects...)
	if len(all) == 0 {
		return "all"
	}
	return strings.Join(all, ",")
}

func (t tokenFields) ownerWord() string {
	if t.Service {
		return "a service"
	}
	return orDash(t.Owner)
}

func newTokensCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "tokens",
		Short: "List, create and revoke tokens for scripts",
		Long: `List, create and revoke tokens of dagwright, for scripts and for machines without a
browser. A script passes one in DAGWRIGHT_TOKEN_FILE or DAGWRIGHT_TOKEN; a person
signs in with "dagwright login --token-file -".`,
		Example: `  dagwright tokens create nightly-report --role viewer --days 30 --token-out token
  dagwright tokens list
  dagwright tokens revoke 3f2a9c1d`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd)
	cmd.AddCommand(newTokensListCommand(&f), newTokensCreateCommand(&f), newTokensRevokeCommand(&f))
	return cmd
}

func newTokensListCommand(f *clientFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List your tokens, without the secrets themselves",
		Example: `  dagwright tokens list`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			tokens, err := listTokens(cmd, c, all)
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), tokens, func(t *table) {
				t.header("ID", "NAME", "OWNER", "ROLE", "DAGS", "EXPIRES", "LAST USED")
				for _, one := range tokens {
					one := one.Fields
					t.row(one.ID, one.Name, one.ownerWord(), one.Role, one.reach(), one.Expires, one.LastUsed)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everybody's, for administrators")
	return cmd
}

func listTokens(cmd *cobra.Command, c *client.Client, all bool) ([]client.Item[tokenFields], error) {
	var answer struct {
		Tokens []client.Item[tokenFields] `json:"tokens"`
	}
	r := client.Request{Path: []string{"tokens"}, Query: url.Values{}}
	if all {
		r.Query.Set("all", "true")
	}
	err := c.Call(cmd.Context(), r, &answer)
	return answer.Tokens, err
}

// newToken is the body of the API's call.
type newToken struct {
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	Days     int      `json:"days,omitempty"`
	DAGs     []string `json:"dags,omitempty"`
	Service  bool     `json:"service,omitempty"`
	Projects []string `json:"projects,omitempty"`
}

func newTokensCreateCommand(f *clientFlags) *cobra.Command {
	var body newToken
	var out string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a token, which is shown this once",
		Long: `Create a token, which is shown only once: on standard output, or, better, written to
the file of --token-out, which only you may read. It can do no more than you can.`,
		Example: `  dagwright tokens create nightly-report --role viewer --days 30 --token-out token
  dagwright tokens create retrain-job --role operator --dag 'churn-model*' > token`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.Name = args[0]
			if body.Days < 0 || body.Days == 0 && cmd.Flags().Changed("days") {
				return usage.New(fmt.Errorf("--days %d: want 1 or more", body.Days))
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			return createToken(cmd, f, c, body, out)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&body.Role, "role", "viewer", "its role: viewer, operator or admin")
	cmd.Flags().IntVar(&body.Days, "days", 0, "days until it expires (default: the longest that the server allows)")
	cmd.Flags().StringSliceVar(&body.DAGs, "dag", nil,
		"only for this DAG, or for those that a pattern such as 'churn-*' matches; may be repeated")
	cmd.Flags().BoolVar(&body.Service, "service", false, "acts on its own behalf, not for you; for administrators")
	cmd.Flags().StringSliceVar(&body.Projects, "project", nil,
		"with --service: only for models of this GitLab project or group; may be repeated")
	cmd.Flags().StringVar(&out, "token-out", "", "new `file` to write the token to")
	mustComplete(cmd, "role", completeFlag(oneOf("viewer", "operator", "admin")))
	mustComplete(cmd, "dag", completeFlag(completeDAGs))
	return cmd
}

// createToken makes a token. The file for it is made first: a token that cannot be
// kept is not asked for.
func createToken(cmd *cobra.Command, f *clientFlags, c *client.Client, body newToken, out string) error {
	var file *os.File
	if out != "" {
		var err error
		if file, err = os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return usage.New(fmt.Errorf("--token-out: %w", err))
		}
		defer file.Close()
	}
	var made client.Item[tokenFields]
	if err := c.Call(cmd.Context(), client.Request{Method: http.MethodPost, Path: []string{"tokens"}, Body: body},
		&made); err != nil {
		if file != nil {
			err = errors.Join(err, os.Remove(out))
		}
		return err
	}
	t := made.Fields
	fmt.Fprintf(cmd.ErrOrStderr(), "token %s (%s, %s, until %s): keep it, it is not shown again\n", t.ID,
		terminal.OneLine(t.Name), t.Role, moment(t.Expires))
	if file != nil {
		if _, err := fmt.Fprintln(file, t.Token); err != nil {
			return fmt.Errorf("write token: %w", err)
		}
		return file.Close()
	}
	return f.show(cmd.OutOrStdout(), made, func(tb *table) { tb.line("%s", t.Token) })
}

func newTokensRevokeCommand(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID…",
		Short:   "Revoke tokens, with effect at once",
		Example: `  dagwright tokens revoke 3f2a9c1d`,
		Args:    argumentsAtLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			for _, id := range args {
				if err := c.Call(cmd.Context(), client.Request{Method: http.MethodDelete, Path: []string{"tokens", id}},
					nil); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "token %s is revoked\n", id)
			}
			return nil
		},
		ValidArgsFunction: completeRepeated(completeTokens),
	}
}

func completeTokens(cmd *cobra.Command, _ []string, _ string) ([]string, error) {
	c, err := flagsOf(cmd).dial()
	if err != nil {
		return nil, err
	}
	tokens, err := listTokens(cmd, c, false)
	var ids []string
	for _, t := range tokens {
		ids = append(ids, t.Fields.ID)
	}
	return ids, err
}
