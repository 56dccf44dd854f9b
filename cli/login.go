package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"dagwright/terminal"
	"dagwright/usage"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
	"golang.org/x/term"
)

// signInConfig is what a server says of its identity provider at /auth/config.
type signInConfig struct {
	Auth     string   `json:"auth"` // "none" where nobody is asked
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
}

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
			c, err := f.dialWith("")
			if err != nil {
				return err
			}
			if err := checkEncrypted(c.to); err != nil {
				return err
			}
			if _, from, _ := tokenFromEnvironment(os.Getenv); from != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is set and takes precedence over what is kept here\n", from)
			}
			if tokenFile != "" {
				return loginByToken(cmd, c, tokenFile)
			}
			return loginByDevice(cmd, c)
		},
	}
	f.addServerTo(cmd)
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` with a token of dagwright; - asks for it or reads standard input")
	return cmd
}

// checkEncrypted refuses to sign in where the token would travel in the clear.
func checkEncrypted(to target) error {
	host := to.url.Hostname()
	ip := net.ParseIP(host)
	if to.url.Scheme == "https" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usage.New(fmt.Errorf("%s is not encrypted, so others could read your token on its way: want https", to))
}

func loginByToken(cmd *cobra.Command, c *client, file string) error {
	token, err := readToken(cmd, file)
	if err != nil {
		return err
	}
	return c.keep(cmd, credential{Token: token})
}

// readToken reads a token from a file, from standard input, or from a terminal
// without showing it.
func readToken(cmd *cobra.Command, file string) (secret, error) {
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
	token, err := checkToken(string(text))
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

// keep asks the server who a credential is, writes it down and says so.
func (c *client) keep(cmd *cobra.Command, got credential) error {
	c.token = func(context.Context) (secret, error) { return got.Token, nil }
	me, err := c.whoami(cmd.Context())
	if e := (*refusedError)(nil); errors.As(err, &e) && e.status == http.StatusUnauthorized {
		return &refusedError{e.status, fmt.Sprintf("%s does not accept the token", c.to), ": it may have ended or been revoked, or be another server's"}
	}
	if errors.Is(err, errNoSignIn) {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s needs no sign-in; nothing is kept\n", c.to)
		return err
	}
	if err != nil {
		return err
	}
	err = changeCredentials(func(all *credentials) error {
		all.Servers[c.to.url.String()] = got
		return nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "signed in to %s as %s, %s\n", c.to, terminal.OneLine(me.Name), terminal.OneLine(me.Role))
	return err
}

// errNoSignIn says that a server lets everybody in.
var errNoSignIn = errors.New("no sign-in is needed")

// signIn reads what the server says of its identity provider, at an address that
// is not below /api/v2. A server that has nothing there lets everybody in.
func (c *client) signIn(ctx context.Context) (signInConfig, error) {
	var config signInConfig
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.send(ctx, request{}, c.to.url.String()+"/auth/config")
	if err != nil {
		return config, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		if _, err := c.serverVersion(ctx); err != nil {
			return config, err // no dagwright is there
		}
		return config, errNoSignIn
	}
	if resp.StatusCode >= 300 {
		return config, c.refusal(ctx, request{}, resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&config); err != nil {
		return config, fmt.Errorf("read answer of %s: %w", c.to, err)
	}
	switch {
	case config.Auth == "none":
		return config, errNoSignIn
	case config.Issuer == "" || config.ClientID == "":
		return config, fmt.Errorf("%s has no client for the command line at its identity provider (auth.oidc.cli_client_id): use --token-file with a token of its page Tokens instead", c.to)
	}
	return config, nil
}

func loginByDevice(cmd *cobra.Command, c *client) error {
	ctx := cmd.Context()
	config, err := c.signIn(ctx)
	if errors.Is(err, errNoSignIn) {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s needs no sign-in\n", c.to)
		return err
	}
	if err != nil {
		return err
	}
	ctx = oidc.ClientContext(ctx, c.http)
	provider, err := discover(ctx, config.Issuer)
	if err != nil {
		return err
	}
	token, err := provider.askDevice(ctx, cmd.ErrOrStderr(), config)
	if err != nil {
		return err
	}
	got := credential{Issuer: config.Issuer, ClientID: config.ClientID, TokenURL: provider.endpoint.TokenURL}
	got.take(token)
	if got.Refresh != "" {
		got.Revoke = provider.revocation
	}
	err = c.keep(cmd, got)
	if e := (*refusedError)(nil); !errors.As(err, &e) || e.status != http.StatusUnauthorized || token.Extra("id_token") == nil {
		return err
	}
	// Many providers make access tokens out to everybody and so to nobody; the ID
	// token is made out to the client that asked.
	got.ByID = true
	got.take(token)
	return c.keep(cmd, got)
}

// identityProvider is where a person signs in.
type identityProvider struct {
	endpoint   oauth2.Endpoint
	revocation string
}

// discover reads an identity provider's endpoints.
func discover(ctx context.Context, issuer string) (identityProvider, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	p, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return identityProvider{}, fmt.Errorf("ask the identity provider %s: %w", issuer, withoutURL(err))
	}
	var more struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := p.Claims(&more); err != nil {
		return identityProvider{}, fmt.Errorf("read the identity provider's configuration: %w", err)
	}
	found := identityProvider{p.Endpoint(), more.Revocation}
	if found.endpoint.DeviceAuthURL == "" {
		return found, fmt.Errorf("the identity provider %s has no sign-in for devices (RFC 8628): use --token-file with a token of dagwright instead", issuer)
	}
	// The client is public: it has no secret to be tried in different places.
	found.endpoint.AuthStyle = oauth2.AuthStyleInParams
	return found, nil
}

// askDevice shows a code and waits until a person has entered it at the identity
// provider.
func (p identityProvider) askDevice(ctx context.Context, out io.Writer, s signInConfig) (*oauth2.Token, error) {
	config := oauth2.Config{ClientID: s.ClientID, Endpoint: p.endpoint, Scopes: s.Scopes}
	code, err := config.DeviceAuth(ctx)
	if err != nil {
		return nil, fmt.Errorf("start sign-in: %w", inProviderWords(err))
	}
	fmt.Fprintf(out, "Open %s in a browser and enter the code %s\n", terminal.OneLine(code.VerificationURI), terminal.OneLine(code.UserCode))
	if code.VerificationURIComplete != "" {
		fmt.Fprintf(out, "or open %s\n", terminal.OneLine(code.VerificationURIComplete))
	}
	if !code.Expiry.IsZero() {
		fmt.Fprintf(out, "Waiting for you; the code is valid for %s.\n", rounded(time.Until(code.Expiry).Round(time.Second)))
	}
	token, err := config.DeviceAccessToken(ctx, code)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", inProviderWords(err))
	}
	return token, nil
}

// inProviderWords says why an identity provider refused.
func inProviderWords(err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("the code was not entered in time; run the command again for a new one")
	case !errors.As(err, &refused):
		return withoutURL(err)
	case refused.ErrorCode == "access_denied":
		return errors.New("it was refused in the browser")
	case refused.ErrorCode == "expired_token":
		return errors.New("the code was not entered in time; run the command again for a new one")
	case refused.ErrorCode == "":
		return fmt.Errorf("the identity provider answered %s", refused.Response.Status)
	}
	return fmt.Errorf("the identity provider says %s", terminal.OneLine(strings.TrimSpace(refused.ErrorCode+" "+refused.ErrorDescription)))
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
			c, err := f.dialWith("")
			if err != nil {
				return err
			}
			had, err := forgetCredential(cmd.Context(), c.http, c.to)
			if err != nil {
				return err
			}
			if !had {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "you were not signed in to %s\n", c.to)
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "signed out of %s\n", c.to)
			return err
		},
	}
	f.addServerTo(cmd)
	return cmd
}

// identityFields is what a server says about the person who asks.
type identityFields struct {
	Name string `json:"name"`
	Via  string `json:"via"`
	Role string `json:"role"`
}

func (c *client) whoami(ctx context.Context) (identityFields, error) {
	var me identityFields
	err := c.call(ctx, request{path: []string{"me"}}, &me)
	if e := (*refusedError)(nil); errors.As(err, &e) && e.status == http.StatusNotFound {
		return me, errNoSignIn // a server that does not know people
	}
	if err == nil && me.Via == "none" {
		err = errNoSignIn
	}
	return me, err
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
			me, err := c.whoami(cmd.Context())
			if errors.Is(err, errNoSignIn) {
				me, err = identityFields{Name: "anonymous", Via: "none", Role: "admin"}, nil
			}
			if err != nil {
				return err
			}
			answer := map[string]any{"server": c.to.url.String(), "context": c.to.context, "name": me.Name, "via": me.Via, "role": me.Role}
			return f.show(cmd.OutOrStdout(), answer, func(t *table) {
				t.field("Server", c.to.String())
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
