package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dagwright/terminal"
	"dagwright/usage"
)

// signInConfig is what a server says of its identity provider at /auth/config.
type signInConfig struct {
	Auth     string   `json:"auth"` // "none" where nobody is asked
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
}

// Identity is what a server says about the person who asks.
type Identity struct {
	Name string `json:"name"`
	Via  string `json:"via"`  // how: token, session, oidc, kubernetes
	Role string `json:"role"` // the highest: viewer, operator, admin
}

// Whoami asks the server who the client is. The error is [ErrNoSignIn] where the server
// knows nobody.
func (c *Client) Whoami(ctx context.Context) (Identity, error) {
	var me Identity
	err := c.Call(ctx, Request{Path: []string{"me"}}, &me)
	if refused(err, http.StatusNotFound) {
		return me, ErrNoSignIn // a server that does not know people
	}
	if err == nil && me.Via == "none" {
		err = ErrNoSignIn
	}
	return me, err
}

// CheckEncrypted refuses a server to which a token would travel in the clear.
func (t Server) CheckEncrypted() error {
	host := t.URL.Hostname()
	ip := net.ParseIP(host)
	if t.URL.Scheme == "https" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usage.New(fmt.Errorf("%s is not encrypted, so others could read your token on its way: want https", t))
}

// ErrNoSignIn says that a server lets everybody in.
var ErrNoSignIn = errors.New("no sign-in is needed")

// signIn reads what the server says of its identity provider, at an address that
// is not below /api/v2. A server that has nothing there lets everybody in.
func (c *Client) signIn(ctx context.Context) (signInConfig, error) {
	var config signInConfig
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.send(ctx, Request{}, c.to.URL.String()+"/auth/config")
	if err != nil {
		return config, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		if _, err := c.serverVersion(ctx); err != nil {
			return config, err // no dagwright is there
		}
		return config, ErrNoSignIn
	}
	if resp.StatusCode >= 300 {
		return config, c.refusal(ctx, Request{}, resp)
	}
	if err := c.readOnly(io.LimitReader(resp.Body, 1<<20), &config); err != nil {
		return config, err
	}
	switch {
	case config.Auth == "none":
		return config, ErrNoSignIn
	case config.Issuer == "" || config.ClientID == "":
		return config, fmt.Errorf(
			"%s has no client for the command line at its identity provider (auth.oidc.cli_client_id): use --token-file with a token of its page Tokens instead",
			c.to)
	}
	return config, nil
}

// keep asks the server who a credential is, and writes it down.
func (c *Client) keep(ctx context.Context, got credential) (Identity, error) {
	c.token = func(context.Context) (Secret, error) { return got.Token, nil }
	me, err := c.Whoami(ctx)
	if refused(err, http.StatusUnauthorized) {
		return me, &RefusedError{http.StatusUnauthorized, fmt.Sprintf("%s does not accept the token", c.to),
			": it may have ended or been revoked, or be another server's"}
	}
	if err != nil {
		return me, err
	}
	return me, changeCredentials(func(all *credentials) error {
		all.Servers[c.to.URL.String()] = got
		return nil
	})
}

// SignIn keeps a token of dagwright for the person's later calls of the server, and returns
// whose it is. The error is [ErrNoSignIn] where the server needs none: nothing is kept then.
func (c *Client) SignIn(ctx context.Context, token Secret) (Identity, error) {
	if err := c.to.CheckEncrypted(); err != nil {
		return Identity{}, err
	}
	return c.keep(ctx, credential{Token: token})
}

// Code is what a person needs to sign in at the identity provider, in a browser on any
// machine. Its texts are the provider's, without control characters.
type Code struct {
	Address  string        // of the page
	Code     string        // to be entered there
	Complete string        // an address with the code in it; may be empty
	Valid    time.Duration // how long the code is valid; 0 when that is not known
}

// SignInByDevice signs a person in at the server's identity provider (RFC 8628): show is
// given the code, and the call returns when the person has entered it. What the provider
// gave is kept for later calls and renewed by them. The error is [ErrNoSignIn] where the
// server needs no sign-in.
func (c *Client) SignInByDevice(ctx context.Context, show func(Code)) (Identity, error) {
	if err := c.to.CheckEncrypted(); err != nil {
		return Identity{}, err
	}
	config, err := c.signIn(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, c.http)
	provider, err := discover(ctx, config.Issuer)
	if err != nil {
		return Identity{}, err
	}
	token, err := provider.askDevice(ctx, show, config)
	if err != nil {
		return Identity{}, err
	}
	got := credential{Issuer: config.Issuer, ClientID: config.ClientID, TokenURL: provider.endpoint.TokenURL}
	got.take(token)
	if got.Refresh != "" {
		got.Revoke = provider.revocation
	}
	me, err := c.keep(ctx, got)
	if !refused(err, http.StatusUnauthorized) || token.Extra("id_token") == nil {
		return me, err
	}
	// Many providers make access tokens out to everybody and so to nobody; the ID
	// token is made out to the client that asked.
	got.ByID = true
	got.take(token)
	return c.keep(ctx, got)
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
		return found, fmt.Errorf(
			"the identity provider %s has no sign-in for devices (RFC 8628): use --token-file with a token of dagwright instead",
			issuer)
	}
	// The client is public: it has no secret to be tried in different places.
	found.endpoint.AuthStyle = oauth2.AuthStyleInParams
	return found, nil
}

// askDevice shows a code and waits until a person has entered it at the identity
// provider.
func (p identityProvider) askDevice(ctx context.Context, show func(Code), s signInConfig) (*oauth2.Token, error) {
	config := oauth2.Config{ClientID: s.ClientID, Endpoint: p.endpoint, Scopes: s.Scopes}
	code, err := config.DeviceAuth(ctx)
	if err != nil {
		return nil, fmt.Errorf("start sign-in: %w", inProviderWords(err))
	}
	shown := Code{
		Address: terminal.OneLine(code.VerificationURI), Code: terminal.OneLine(code.UserCode),
		Complete: terminal.OneLine(code.VerificationURIComplete),
	}
	if !code.Expiry.IsZero() {
		shown.Valid = time.Until(code.Expiry).Round(time.Second)
	}
	show(shown)
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
	return fmt.Errorf("the identity provider says %s",
		terminal.OneLine(strings.TrimSpace(refused.ErrorCode+" "+refused.ErrorDescription)))
}
