package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"dagwright/client"
	"dagwright/terminal"
	"dagwright/usage"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newLoginCommand() *cobra.Command {
	var f clientFlags
	var tokenFile string
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in to a server",
		Long: `Sign in to a server, so that commands may do there what you may do on its pages.

Without flags you are shown an address and a code, to be opened in a browser on any
machine; the command goes on as soon as you have signed in there (RFC 8628). With
--token-file a token of dagwright is used instead ("dagwright tokens create", or the
page Tokens): - reads it from standard input, and on a terminal does not show it.

The sign-in is kept in dagwright/credentials.yml in the folder of your settings,
readable by you only, and is renewed when it expires. Scripts need no login: they
set DAGWRIGHT_TOKEN_FILE (or DAGWRIGHT_TOKEN).`,
		Example: `  dagwright login --context prod
  dagwright login --server https://dagwright.example.com
  dagwright login --context prod --token-file -`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.dialUnknown()
			if err != nil {
				return err
			}
			if err := c.Server().CheckEncrypted(); err != nil {
				return err
			}
			if _, from, _ := client.TokenFromEnvironment(os.Getenv); from != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is set and takes precedence over what is kept here\n", from)
			}
			if tokenFile != "" {
				return loginByToken(cmd, c, tokenFile)
			}
			return loginByDevice(cmd, c)
		},
	}
	f.addServerTo(cmd)
	cmd.Flags().StringVar(&tokenFile, "token-file", "",
		"`file` with a token of dagwright; - asks for it or reads standard input")
	return cmd
}

func loginByToken(cmd *cobra.Command, c *client.Client, file string) error {
	token, err := readToken(cmd, file)
	if err != nil {
		return err
	}
	me, err := c.SignIn(cmd.Context(), token)
	return sayWho(cmd, c, me, err)
}

func loginByDevice(cmd *cobra.Command, c *client.Client) error {
	me, err := c.SignInByDevice(cmd.Context(), func(code client.Code) {
		out := cmd.ErrOrStderr()
		fmt.Fprintf(out, "Open %s in a browser and enter the code %s\n", code.Address, code.Code)
		if code.Complete != "" {
			fmt.Fprintf(out, "or open %s\n", code.Complete)
		}
		if code.Valid != 0 {
			fmt.Fprintf(out, "Waiting for you; the code is valid for %s.\n", rounded(code.Valid))
		}
	})
	if errors.Is(err, client.ErrNoSignIn) {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s needs no sign-in\n", c.Server())
		return err
	}
	return sayWho(cmd, c, me, err)
}

// sayWho says as whom somebody has signed in, unless that failed.
func sayWho(cmd *cobra.Command, c *client.Client, me client.Identity, err error) error {
	if errors.Is(err, client.ErrNoSignIn) {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s needs no sign-in; nothing is kept\n", c.Server())
		return err
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "signed in to %s as %s, %s\n", c.Server(), terminal.OneLine(me.Name),
		terminal.OneLine(me.Role))
	return err
}

// readToken reads a token from a file, from standard input, or from a terminal
// without showing it.
func readToken(cmd *cobra.Command, file string) (client.Secret, error) {
	var text []byte
	var err error
	in, isFile := cmd.InOrStdin().(*os.File)
	switch {
	case file != "-":
		text, err = os.ReadFile(file)
	case isFile && term.IsTerminal(int(in.Fd())):
		text, err = askSecret(cmd, in)
	default:
		text, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<20))
	}
	if err != nil {
		return "", usage.New(fmt.Errorf("read token: %w", err))
	}
	token, err := client.CheckToken(string(text))
	if err != nil {
		return "", usage.New(fmt.Errorf("--token-file %s: %w", file, err))
	}
	return token, nil
}

// askSecret reads a line from a terminal that does not show it. When it is
// interrupted, the terminal is put back as it was.
func askSecret(cmd *cobra.Command, in *os.File) ([]byte, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Token (it is not shown): ")
	defer fmt.Fprintln(cmd.ErrOrStderr())
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // reading a terminal cannot be interrupted
		text, err := term.ReadPassword(int(in.Fd()))
		answers <- answer{text, err}
	}()
	select {
	case <-cmd.Context().Done():
		return nil, errors.Join(cmd.Context().Err(), term.Restore(int(in.Fd()), before))
	case a := <-answers:
		return a.text, a.err
	}
}

func newLogoutCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Forget the sign-in to a server",
		Long: `Forget the sign-in to a server, and have the identity provider end it. A token of
dagwright itself is only forgotten: revoke it with "dagwright tokens revoke".`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.dialUnknown()
			if err != nil {
				return err
			}
			had, err := c.SignOut(cmd.Context())
			if err != nil {
				return err
			}
			if !had {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "you were not signed in to %s\n", c.Server())
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "signed out of %s\n", c.Server())
			return err
		},
	}
	f.addServerTo(cmd)
	return cmd
}

func newWhoamiCommand() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to a server, and your role",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			me, err := c.Whoami(cmd.Context())
			if errors.Is(err, client.ErrNoSignIn) {
				me, err = client.Identity{Name: "anonymous", Via: "none", Role: "admin"}, nil
			}
			if err != nil {
				return err
			}
			answer := map[string]any{"server": c.Server().URL.String(), "context": c.Server().Context, "name": me.Name,
				"via": me.Via, "role": me.Role}
			return f.show(cmd.OutOrStdout(), answer, func(t *table) {
				t.field("Server", c.Server().String())
				t.field("Name", orDash(me.Name))
				t.field("Role", orDash(me.Role))
				t.field("Signed in by", inVia(me.Via))
			})
		},
	}
	f.addTo(cmd)
	return cmd
}

// inVia says in words how somebody is known.
func inVia(via string) string {
	switch via {
	case "none":
		return "nothing: the server needs no sign-in"
	case "token":
		return "a token of dagwright"
	case "session", "oidc":
		return "the identity provider"
	case "kubernetes":
		return "a service account of Kubernetes"
	}
	return orDash(via)
}
