package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dagwright/terminal"
	"dagwright/usage"

	"golang.org/x/oauth2"
	"golang.org/x/sys/unix"
)

// Secret is a token. It shows itself in no message; only YAML and what casts it
// have its text.
type Secret string

// String hides the token.
func (Secret) String() string { return "(secret)" }

// GoString hides the token from %#v.
func (Secret) GoString() string { return "(secret)" }

// credential is how a person is known to one server: a token that the server
// issued, or what the identity provider gave, with what is needed to renew it.
type credential struct {
	Token Secret `yaml:"token"`
	// The rest is of the identity provider's tokens only.
	Refresh Secret `yaml:"refresh,omitempty"`
	// ByID says that Token is the ID token: the server did not take the access
	// token, which the provider does not make out to it.
	ByID     bool      `yaml:"by_id_token,omitempty"`
	Expires  time.Time `yaml:"expires,omitempty"`
	Issuer   string    `yaml:"issuer,omitempty"`
	ClientID string    `yaml:"client_id,omitempty"`
	TokenURL string    `yaml:"token_url,omitempty"`
	Revoke   string    `yaml:"revocation_url,omitempty"`
}

// credentials are the tokens of a person, by the URL of the server. A token is
// sent to its server and to no other.
type credentials struct {
	Servers map[string]credential `yaml:"servers,omitempty"`
}

// credentialsName is the file's name; it is readable by its owner only.
const credentialsName = "credentials.yml"

func readCredentials() (credentials, error) {
	var all credentials
	path := clientFile(credentialsName)
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return all, fmt.Errorf("%s has tokens and others may read it (mode %#o): run \"chmod 600 %[1]s\"", path,
			info.Mode().Perm())
	}
	return all, readClientFile(path, &all)
}

// changeCredentials reads, changes and writes the tokens, one process at a time,
// so that two commands do not use one refresh token twice.
func changeCredentials(change func(*credentials) error) error {
	path := clientFile(credentialsName)
	return withLock(path, func() error {
		all, err := readCredentials()
		if err != nil {
			return err
		}
		if all.Servers == nil {
			all.Servers = map[string]credential{}
		}
		if err := change(&all); err != nil {
			return err
		}
		return writeClientFile(path, all)
	})
}

// withLock does something while no other process does so to the same file.
func withLock(path string, do func() error) error {
	if path == "" {
		return errors.New("there is no folder for settings: set HOME or XDG_CONFIG_HOME")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("lock settings: %w", err)
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock settings: %w", err)
	}
	defer f.Close() // which gives the lock up
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("lock settings: %w", err)
		}
		return do()
	}
}

// Variables that give a token to scripts.
const (
	TokenVariable     = "DAGWRIGHT_TOKEN"      // the token
	TokenFileVariable = "DAGWRIGHT_TOKEN_FILE" // a file with it
)

// TokenFromEnvironment is the token of DAGWRIGHT_TOKEN or DAGWRIGHT_TOKEN_FILE,
// and the variable that gave it; empty when neither is set.
func TokenFromEnvironment(getenv func(string) string) (token Secret, from string, err error) {
	text, file := getenv(TokenVariable), getenv(TokenFileVariable)
	switch {
	case text != "" && file != "":
		return "", "", usage.New(fmt.Errorf("want one of %s and %s, not both", TokenVariable, TokenFileVariable))
	case file != "":
		content, err := os.ReadFile(file)
		if err != nil {
			return "", "", usage.New(fmt.Errorf("%s: %w", TokenFileVariable, err))
		}
		token, err := CheckToken(string(content))
		if err != nil {
			return "", "", usage.New(fmt.Errorf("%s: %s: %w", TokenFileVariable, file, err))
		}
		return token, TokenFileVariable, nil
	case text != "":
		token, err := CheckToken(text)
		if err != nil {
			return "", "", usage.New(fmt.Errorf("%s: %w", TokenVariable, err))
		}
		return token, TokenVariable, nil
	}
	return "", "", nil
}

// CheckToken wants text that an Authorization header can carry (RFC 6750, 2.1),
// with nothing around it but white space.
func CheckToken(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", errors.New("there is no token")
	}
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return "", errors.New("a token is one word of letters, digits and -._~+/=; this has other characters in it")
		}
	}
	return Secret(text), nil
}

// expiryMargin is how long before its end a token is renewed, so that it does not
// end on its way.
const expiryMargin = 30 * time.Second

func (c credential) stale() bool {
	return !c.Expires.IsZero() && time.Until(c.Expires) < expiryMargin
}

// errSignedOut says that the identity provider no longer renews a token.
var errSignedOut = errors.New("the sign-in has ended")

// renew asks the identity provider for a new token for the refresh token.
func (c credential) renew(ctx context.Context, client *http.Client) (credential, error) {
	if c.Refresh == "" || c.TokenURL == "" {
		return c, errSignedOut
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	config := oauth2.Config{ClientID: c.ClientID,
		Endpoint: oauth2.Endpoint{TokenURL: c.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	got, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: string(c.Refresh)}).Token()
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < 500 {
		return c, fmt.Errorf("%w (%s)", errSignedOut,
			terminal.OneLine(strings.TrimSpace(refused.ErrorCode+" "+refused.ErrorDescription)))
	}
	if err != nil {
		return c, fmt.Errorf("renew the sign-in at %s: %w", c.Issuer, withoutURL(err))
	}
	c.take(got)
	return c, nil
}

// take keeps what a token endpoint answered. What it does not say stays as it was.
func (c *credential) take(got *oauth2.Token) {
	if got.RefreshToken != "" {
		c.Refresh = Secret(got.RefreshToken)
	}
	if id, ok := got.Extra("id_token").(string); ok && c.ByID {
		c.Token, c.Expires = Secret(id), expiryOf(id)
		return
	}
	c.Token, c.Expires = Secret(got.AccessToken), got.Expiry
}

// expiryOf reads when a JWT ends, without checking it: that is the server's to do.
func expiryOf(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(claims.Expires, 0).UTC()
}

// withoutURL drops the method and URL in front of a failed request's cause: the
// URL may hold what is not for a screen.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// freshToken is the token for a server, renewed when it is about to end; empty
// when nobody has signed in there.
func freshToken(ctx context.Context, client *http.Client, to Server) (Secret, error) {
	all, err := readCredentials()
	if err != nil {
		return "", err
	}
	name := to.URL.String()
	c, ok := all.Servers[name]
	if !ok || !c.stale() {
		return c.Token, nil
	}
	err = changeCredentials(func(all *credentials) error {
		c = all.Servers[name]
		if !c.stale() {
			return nil // another process was faster
		}
		if c, err = c.renew(ctx, client); err != nil {
			return err
		}
		all.Servers[name] = c
		return nil
	})
	if errors.Is(err, errSignedOut) {
		return "", fmt.Errorf("%w at %s: sign in again with \"dagwright login %s\"", err, to, to.Flags())
	}
	return c.Token, err
}

// SignedIn lists the URLs of the servers that the person is signed in to.
func SignedIn() (map[string]bool, error) {
	all, err := readCredentials()
	servers := make(map[string]bool, len(all.Servers))
	for name := range all.Servers {
		servers[name] = true
	}
	return servers, err
}

// SignOut forgets the sign-in to the server, and has the identity provider end it. It
// reports whether there was one. A token of dagwright itself stays valid.
func (c *Client) SignOut(ctx context.Context) (had bool, err error) {
	kept, err := readCredentials()
	if err != nil || len(kept.Servers) == 0 {
		return false, err
	}
	var old credential
	err = changeCredentials(func(all *credentials) error {
		old, had = all.Servers[c.to.URL.String()]
		delete(all.Servers, c.to.URL.String())
		return nil
	})
	if err != nil || old.Revoke == "" {
		return had, err
	}
	return had, old.revoke(ctx, c.http)
}

// revoke tells the identity provider that the refresh token is given up
// (RFC 7009).
func (c credential) revoke(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	form := url.Values{"token": {string(c.Refresh)}, "token_type_hint": {"refresh_token"}, "client_id": {c.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("revoke the token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the token is forgotten here, but %s could not be asked to revoke it: %w", c.Issuer,
			withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the token is forgotten here, but %s answered %s to its revocation", c.Issuer, resp.Status)
	}
	return nil
}
