package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dagwright/dag"
	"dagwright/publickeys"
)

// ProviderConfig says who signs people in, and how.
type ProviderConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret dag.Secret // of a confidential client; none for a public one
	// Scopes asked for; openid, profile and email when empty.
	Scopes []string
	// GroupsClaim and NameClaim name the claims; "groups" when empty, and for the name
	// the first of preferred_username, email, name and sub that there is.
	GroupsClaim, NameClaim string
	// CLIClientID is the public client of the command line's device flow; none when
	// empty.
	CLIClientID string
	// Audiences are those of tokens of the provider that the API takes; CLIClientID
	// alone when empty.
	Audiences []string
	// RedirectURL and LogoutURL are where the provider sends the browser back to.
	RedirectURL, LogoutURL string
	// CA is a PEM bundle of those who sign the provider's certificate; the system's
	// when empty.
	CA []byte
	// Wrap goes around the transport of the requests to the provider; may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// ErrProviderAway says that the identity provider does not answer: try again.
var ErrProviderAway = errors.New("the identity provider does not answer now")

// ErrGrantEnded says that the identity provider gives nothing more for a refresh
// token: the person's session there has ended.
var ErrGrantEnded = errors.New("the identity provider has ended the session")

// Provider is an OpenID Connect identity provider. It is not called before it is needed,
// so it may be unavailable when the program starts. It is safe for concurrent use.
type Provider struct {
	config ProviderConfig
	client *http.Client

	found  atomic.Pointer[discovered]
	mu     sync.Mutex // held while the provider is asked about itself
	failed error
	again  time.Time // no new try before it
}

// discovered is what the provider says of itself.
type discovered struct {
	*oidc.Provider
	EndSession string `json:"end_session_endpoint"`
	Device     string `json:"device_authorization_endpoint"`
	// IssParameter says that each answer names its issuer (RFC 9207).
	IssParameter bool `json:"authorization_response_iss_parameter_supported"`
}

const (
	// providerTimeout bounds one request to the provider.
	providerTimeout = 10 * time.Second
	// discoveryPause is for how long a failed discovery is not tried again.
	discoveryPause = 2 * time.Second
	// maxAnswer bounds an answer of the provider.
	maxAnswer = 1 << 20
)

// NewProvider returns the provider, without asking it anything.
func NewProvider(c ProviderConfig) (*Provider, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	if !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		c.Scopes = append([]string{oidc.ScopeOpenID}, c.Scopes...)
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	if len(c.Audiences) == 0 && c.CLIClientID != "" {
		c.Audiences = []string{c.CLIClientID}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.CA) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("the CA file has no certificate in PEM form")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	wrapped := http.RoundTripper(transport)
	if c.Wrap != nil {
		wrapped = c.Wrap(wrapped)
	}
	noRedirect := func(*http.Request, []*http.Request) error {
		return errors.New("the identity provider answers with a redirect: write its address as it names itself")
	}
	client := &http.Client{Transport: publickeys.New(boundedAnswers{wrapped}), Timeout: providerTimeout,
		CheckRedirect: noRedirect}
	return &Provider{config: c, client: client}, nil
}

// boundedAnswers cuts answers that are too long.
type boundedAnswers struct{ http.RoundTripper }

func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	}
	return answer, err
}

// discover asks the provider about itself, once.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	if d := p.found.Load(); d != nil {
		return d, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.found.Load(); d != nil {
		return d, nil
	}
	if p.failed != nil && time.Now().Before(p.again) {
		return nil, p.failed
	}
	// The answer serves all requests, so it is not broken off with this one.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), p.client)
	provider, err := oidc.NewProvider(ctx, p.config.Issuer)
	d := &discovered{Provider: provider}
	if err == nil {
		err = provider.Claims(d)
	}
	if err != nil {
		p.failed = fmt.Errorf("discover the identity provider: %w: %w", ErrProviderAway, err)
		p.again = time.Now().Add(discoveryPause)
		return nil, p.failed
	}
	p.found.Store(d)
	return d, nil
}

// oauth is the client that the provider knows us as.
func (p *Provider) oauth(d *discovered) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret.Reveal(), Endpoint: d.Endpoint(),
		RedirectURL: p.config.RedirectURL, Scopes: p.config.Scopes,
	}
}

// attempt is a sign-in under way. It travels, sealed, in a cookie of the browser
// that began it.
type attempt struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"` // PKCE, RFC 7636
	ReturnTo string    `json:"return_to"`
	Expires  time.Time `json:"expires"`
}

// attemptLife is how long a sign-in may take.
const attemptLife = 15 * time.Minute

// begin starts a sign-in: to is where the browser goes.
func (p *Provider) begin(ctx context.Context, returnTo string) (a attempt, to string, err error) {
	d, err := p.discover(ctx)
	if err != nil {
		return attempt{}, "", err
	}
	a = attempt{
		State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), ReturnTo: returnTo,
		Expires: p.config.Now().Add(attemptLife),
	}
	return a, p.oauth(d).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// random is 256 bits for somebody to guess.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// grant is what the provider gave for a code or a refresh token.
type grant struct {
	Subject string
	SID     string
	Claims  string // as encodeClaims wrote them
	// IssuedAt is when the provider said so, where that was not just now.
	IssuedAt     time.Time
	IDToken      string
	RefreshToken string
}

// Refusal is an error whose text is for the person who signs in.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }
func (r *Refusal) Unwrap() error { return dag.ErrForbidden }

func refusef(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// finish ends a sign-in with what the provider sent to the callback.
func (p *Provider) finish(ctx context.Context, a attempt, answer url.Values) (grant, error) {
	if !same(a.State, answer.Get("state")) || a.Expires.Before(p.config.Now()) {
		return grant{}, refusef("This sign-in was not begun in this browser, or it took too long.")
	}
	d, err := p.discover(ctx)
	if err != nil {
		return grant{}, err
	}
	// https://www.rfc-editor.org/rfc/rfc9207: an answer of another provider.
	if iss := answer.Get("iss"); iss != "" && iss != p.config.Issuer || iss == "" && d.IssParameter {
		return grant{}, refusef("The answer does not come from the identity provider that was asked.")
	}
	if fault := answer.Get("error"); fault != "" {
		return grant{}, refusef("The identity provider did not sign you in: %.200s",
			cleanName(fault+" "+answer.Get("error_description")))
	}
	if answer.Get("code") == "" {
		return grant{}, refusef("The answer does not come from the identity provider that was asked.")
	}
	token, err := p.oauth(d).Exchange(oidc.ClientContext(ctx, p.client), answer.Get("code"),
		oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return grant{}, p.tokenError("exchange code", err,
			refusef("The identity provider does not accept the code of this sign-in: it may have been used already."))
	}
	checked, raw, err := p.checkIDToken(ctx, d, token)
	if err != nil {
		return grant{}, err
	}
	if checked == nil {
		return grant{}, refusef("The identity provider sent no ID token.")
	}
	if !same(a.Nonce, checked.Nonce) {
		return grant{}, refusef("The ID token belongs to another sign-in.")
	}
	return newGrant(checked, raw, token.RefreshToken)
}

// same compares what must not be guessed byte by byte.
func same(want, got string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}

// checkIDToken verifies the ID token that came with an answer: signature, issuer,
// audience, time. It is nil when none came.
func (p *Provider) checkIDToken(ctx context.Context, d *discovered, token *oauth2.Token) (*oidc.IDToken,
	string, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, "", nil
	}
	checked, err := d.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: p.config.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, "", p.verifyError(err)
	}
	var claims struct {
		AuthorizedParty string          `json:"azp"`
		Events          json.RawMessage `json:"events"` // of a logout token
	}
	if err := checked.Claims(&claims); err != nil || checked.Subject == "" || len(claims.Events) > 0 {
		return nil, "", refusef("The ID token cannot be read.")
	}
	// https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, 4 and 5.
	if azp := claims.AuthorizedParty; azp != p.config.ClientID && (azp != "" || len(checked.Audience) > 1) {
		return nil, "", refusef("The ID token was issued to another client.")
	}
	if checked.AccessTokenHash != "" && checked.VerifyAccessToken(token.AccessToken) != nil {
		return nil, "", refusef("The ID token does not belong to its access token.")
	}
	return checked, raw, nil
}

func newGrant(checked *oidc.IDToken, raw, refresh string) (grant, error) {
	all := map[string]any{}
	if err := checked.Claims(&all); err != nil {
		return grant{}, refusef("The ID token cannot be read.")
	}
	sid, _ := all["sid"].(string)
	claims, err := encodeClaims(all)
	if err != nil {
		return grant{}, &Refusal{err.Error()}
	}
	return grant{Subject: checked.Subject, SID: sid, Claims: claims, IDToken: raw, RefreshToken: refresh}, nil
}

// refresh asks for what the person is like now. The error is ErrGrantEnded when the
// provider gives nothing for the refresh token any more, and ErrProviderAway when it
// does not answer.
func (p *Provider) refresh(ctx context.Context, subject, refreshToken string) (grant, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return grant{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.oauth(d).TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return grant{}, p.tokenError("refresh", err, ErrGrantEnded)
	}
	checked, raw, err := p.checkIDToken(ctx, d, token)
	if err != nil {
		return grant{}, err
	}
	var g grant
	if checked != nil {
		g, err = newGrant(checked, raw, token.RefreshToken)
	} else {
		g, err = p.userInfo(ctx, d, token)
	}
	if err == nil && g.Subject != subject {
		err = refusef("The identity provider answered for somebody else.")
	}
	return g, err
}

// userInfo reads the claims where a refresh brings no ID token, as it may.
func (p *Provider) userInfo(ctx context.Context, d *discovered, token *oauth2.Token) (grant, error) {
	info, err := d.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return grant{}, fmt.Errorf("read user info: %w: %w", ErrProviderAway, err)
	}
	all := map[string]any{}
	if err := info.Claims(&all); err != nil {
		return grant{}, fmt.Errorf("read user info: %w", err)
	}
	claims, err := encodeClaims(all)
	return grant{Subject: info.Subject, Claims: claims, RefreshToken: token.RefreshToken}, err
}

// tokenError tells an answer that refuses (refused) from no answer.
func (p *Provider) tokenError(what string, err, refused error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < 500 &&
		answer.Response.StatusCode != http.StatusTooManyRequests {
		switch answer.ErrorCode {
		case "invalid_grant", "access_denied":
			return refused
		}
		// Such as invalid_client: the operator has to see to it, and nobody is to lose a
		// session over it.
		return fmt.Errorf("%s: the identity provider answers %d %s: %w", what, answer.Response.StatusCode,
			cleanName(answer.ErrorCode), ErrProviderAway)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrProviderAway, unbody(err))
}

// unbody keeps the body of an answer, which may hold tokens, out of an error.
func unbody(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil {
		return fmt.Errorf("answer %d", answer.Response.StatusCode)
	}
	return err
}

// verifyError makes the fault of a token one for people, unless the keys could not be
// had, which the library tells in words only.
func (p *Provider) verifyError(err error) error {
	if strings.Contains(err.Error(), "fetching keys") {
		return fmt.Errorf("%w: %w", ErrProviderAway, err)
	}
	return &Refusal{"The token is not accepted: " + strings.TrimPrefix(err.Error(), "oidc: ")}
}

// bearer checks a token of the provider that a program sends: an ID token, or an
// access token that is a signed JWT (RFC 9068), for one of the audiences.
func (p *Provider) bearer(ctx context.Context, raw string) (grant, error) {
	if len(p.config.Audiences) == 0 {
		return grant{}, refusef("This instance takes no tokens of the identity provider: auth.oidc names no cli_client_id.")
	}
	if typ := tokenType(raw); !slices.Contains([]string{"", "jwt", "at+jwt", "application/at+jwt"}, typ) {
		return grant{}, refusef("A token of the type %.40q is not an access token.", typ)
	}
	d, err := p.discover(ctx)
	if err != nil {
		return grant{}, err
	}
	checked, err := d.Verifier(&oidc.Config{SkipClientIDCheck: true, Now: p.config.Now}).Verify(ctx, raw)
	if err != nil {
		return grant{}, p.verifyError(err)
	}
	if !meets(p.config.Audiences, checked.Audience) {
		return grant{}, refusef("The token is for another audience than this instance.")
	}
	var claims struct {
		Events json.RawMessage `json:"events"`
		Type   string          `json:"typ"` // Keycloak's: Bearer, ID, Refresh, Logout
	}
	if err := checked.Claims(&claims); err != nil || len(claims.Events) > 0 || checked.Subject == "" ||
		!slices.Contains([]string{"", "Bearer", "ID"}, claims.Type) {
		return grant{}, refusef("The token is neither an access token nor an ID token.")
	}
	g, err := newGrant(checked, "", "")
	g.IssuedAt = checked.IssuedAt
	return g, err
}

// tokenType is the "typ" of a JWT's header, in lower case.
func tokenType(raw string) string {
	var header struct {
		Type string `json:"typ"`
	}
	head, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(text, &header) != nil {
		return ""
	}
	return strings.ToLower(header.Type)
}

// issuerOf is what a JWT that nobody has checked yet names as its issuer.
func issuerOf(raw string) string {
	var claims struct {
		Issuer string `json:"iss"`
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// maxLogoutAge is how old a logout token may be: it is sent when it is made.
const maxLogoutAge = 10 * time.Minute

// logoutToken checks a token of a back-channel logout:
// https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation.
func (p *Provider) logoutToken(ctx context.Context, raw string) (*oidc.LogoutToken, error) {
	if typ := tokenType(raw); typ != "" && typ != "jwt" && typ != "logout+jwt" {
		return nil, refusef("A token of the type %.40q is not a logout token.", typ)
	}
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	token, err := d.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: p.config.Now}).VerifyLogout(ctx, raw)
	if err != nil {
		return nil, p.verifyError(err)
	}
	age := p.config.Now().Sub(token.IssuedAt)
	if token.IssuedAt.IsZero() || age > maxLogoutAge || age < -maxLogoutAge {
		return nil, refusef("The logout token was not issued just now.")
	}
	return token, nil
}

// logoutURL is where the browser goes to end the session at the provider; empty when
// the provider offers none or is unavailable.
func (p *Provider) logoutURL(ctx context.Context, idToken string) string {
	d, err := p.discover(ctx)
	if err != nil || d.EndSession == "" {
		return ""
	}
	u, err := url.Parse(d.EndSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.config.ClientID)
	q.Set("post_logout_redirect_uri", p.config.LogoutURL)
	if idToken != "" {
		q.Set("id_token_hint", idToken)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// origins are where forms of our pages may lead in the end: the provider's.
func (p *Provider) origins() []string {
	addresses := []string{p.config.Issuer}
	if d := p.found.Load(); d != nil {
		addresses = append(addresses, d.Endpoint().AuthURL, d.EndSession)
	}
	var origins []string
	for _, address := range addresses {
		if o := origin(address); o != "" && !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	return origins
}

// origin is the scheme and host of an address; empty when it has none.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
