package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"dagwright/auth"
)

var tokenText = regexp.MustCompile(`dwt_[A-Z2-7]{52}[0-9a-f]{8}`)

// withToken asks as a script does, from no browser.
func (in *instance) withToken(method, path, token string) answer {
	in.Helper()
	b := in.browser()
	r := b.request(method, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return b.send(r)
}

// makeToken makes a token on the page.
func (b *browser) makeToken(form url.Values) string {
	b.Helper()
	a := b.post("/tokens", form)
	token := tokenText.FindString(a.body)
	if a.status != http.StatusOK || token == "" {
		b.Fatalf("making a token: %d %.500s", a.status, a.body)
	}
	if strings.Contains(b.get("/tokens").body, token) {
		b.Error("the token is shown a second time")
	}
	return token
}

func TestPersonalToken(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	ada := person("ada", "operators")
	b := in.browser()
	b.signIn(ada)
	b.wants("a token that is more than its owner",
		b.post("/tokens", url.Values{"name": {"x"}, "role": {"admin"}, "days": {"1"}}), http.StatusUnprocessableEntity)
	b.wants("a token for too long", b.post("/tokens", url.Values{"name": {"x"}, "role": {"viewer"}, "days": {"91"}}),
		http.StatusUnprocessableEntity)
	b.wants("a service's token",
		b.post("/tokens", url.Values{"name": {"x"}, "role": {"viewer"}, "days": {"1"}, "service": {"1"}}),
		http.StatusForbidden)
	b.wants("a token for no DAG",
		b.post("/tokens", url.Values{"name": {"x"}, "role": {"viewer"}, "days": {"1"}, "dags": {"*a*"}}),
		http.StatusUnprocessableEntity)
	token := b.makeToken(url.Values{"name": {"nightly"}, "role": {"operator"}, "days": {"30"}})
	b.wants("a second token of that name",
		b.post("/tokens", url.Values{"name": {"nightly"}, "role": {"viewer"}, "days": {"1"}}), http.StatusConflict)

	in.wantsMe(token, `{"name":"ada","via":"token","role":"operator","instance_role":"operator"}`)
	b.wants("a token that makes tokens", in.withToken(http.MethodGet, "/api/v2/tokens", token), http.StatusForbidden)
	b.wants("the token in a cookie", func() answer {
		c := in.browser()
		c.setCookie(in.service.SessionCookie(), token)
		return c.get("/models")
	}(), http.StatusSeeOther)

	// Its owner becomes less, and so does it, at the next refresh.
	in.regroup(ada, "viewers")
	in.later(6 * time.Minute)
	b.get("/models")
	in.wantsMe(token, `{"name":"ada","via":"token","role":"viewer","instance_role":"viewer"}`)

	other := "A" // than the token's letter there
	if token[20] == 'A' {
		other = "B"
	}
	for name, wrong := range map[string]string{
		"cut": token[:len(token)-1], "mistyped": token[:20] + other + token[21:], "empty": "", "prefix": "dwt_", "none": "none",
		"case": strings.ToLower(token),
	} {
		b.wants("the token "+name, in.withToken(http.MethodGet, "/api/v2/dags", wrong), http.StatusUnauthorized)
	}
	if page := b.get("/tokens").body; !strings.Contains(page, "nightly") || strings.Contains(page, "never") {
		t.Errorf("the page lists no use of the token: %.2000s", page)
	}
	id := regexp.MustCompile(`/tokens/([A-Z2-7]+)/revoke`).FindString(b.get("/tokens").body)
	eve := in.browser()
	eve.signIn(person("eve", "operators"))
	eve.wants("revoking another's token", eve.post(id, nil), http.StatusNotFound)
	b.wants("revoking", b.post(id, nil), http.StatusSeeOther)
	b.wants("the revoked token", in.withToken(http.MethodGet, "/api/v2/dags", token), http.StatusUnauthorized)
}

func (in *instance) wantsMe(token, want string) {
	in.Helper()
	if got := in.withToken(http.MethodGet, "/api/v2/me", token); got.body != want+"\n" {
		in.Errorf("me: %d %s, want %s", got.status, got.body, want)
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	in := newInstance(t, func(c *auth.Config, _ *auth.ProviderConfig) { c.Life, c.Refresh = time.Hour, 100*24*time.Hour })
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	short := b.makeToken(url.Values{"name": {"short"}, "role": {"viewer"}, "days": {"1"}})
	long := b.makeToken(url.Values{"name": {"long"}, "role": {"viewer"}, "days": {"90"}})
	in.later(25 * time.Hour)
	b.wants("a token after its end", in.withToken(http.MethodGet, "/api/v2/dags", short), http.StatusUnauthorized)
	b.wants("a token before its end", in.withToken(http.MethodGet, "/api/v2/dags", long), http.StatusOK)
	// Whom the provider has not confirmed for a month may have left.
	in.later(30 * 24 * time.Hour)
	b.wants("a token whose owner was not seen", in.withToken(http.MethodGet, "/api/v2/dags", long),
		http.StatusUnauthorized)
	b.signIn(person("ada", "viewers"))
	b.wants("when they have signed in again", in.withToken(http.MethodGet, "/api/v2/dags", long), http.StatusOK)
}

func TestServiceToken(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	root := in.browser()
	root.signIn(person("root", "admins"))
	token := root.makeToken(url.Values{"name": {"bot"}, "role": {"operator"}, "days": {"30"}, "service": {"1"},
		"dags": {"churn-* fraud"}, "projects": {"gbc/risk"}})
	in.wantsMe(token, `{"name":"token bot","via":"token","role":"operator","instance_role":"none"}`)
	root.wants("an act upon the instance", in.withToken(http.MethodPost, "/api/v2/rerender", token), http.StatusForbidden)
}

// TestAirflowToken signs in as Airflow's client does.
func TestAirflowToken(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	token := b.makeToken(url.Values{"name": {"airflow"}, "role": {"viewer"}, "days": {"30"}})
	ask := func(kind, body string) answer {
		c := in.browser()
		r := c.request(http.MethodPost, "/auth/token", nil)
		r.Body = http.NoBody
		r, _ = http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL.String(), strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return c.send(r)
	}
	a := ask("application/json", `{"username":"ada","password":"`+token+`"}`)
	if a.status != http.StatusCreated || !strings.Contains(a.body, `"access_token":"`+token+`"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	b.wants("a wrong password", ask("application/json", `{"username":"ada","password":"x"}`), http.StatusUnauthorized)
	b.wants("a broken body", ask("application/json", `{`), http.StatusUnprocessableEntity)
	b.wants("a form of another site", ask("text/plain", `{"username":"ada","password":"x"}`),
		http.StatusUnsupportedMediaType)
	if c := b.get("/auth/config"); c.body != `{"auth":"oidc","issuer":"`+in.idp.Issuer()+
		`","client_id":"dagwright-cli","scopes":["openid","profile","email","groups"]}`+"\n" {
		t.Errorf("configuration: %s", c.body)
	}
}

// TestProviderTokens sends tokens of the provider itself, as the command line does.
func TestProviderTokens(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{
			"iss": in.idp.Issuer(), "aud": []string{"account", "dagwright-cli"}, "sub": "id-of-ada", "preferred_username": "ada",
			"groups": []string{"/operators"},
			"iat":    time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		if change != nil {
			change(c)
		}
		return c
	}
	in.wantsMe(in.sign(claims(nil), nil), `{"name":"ada","via":"oidc","role":"operator","instance_role":"operator"}`)
	for name, token := range map[string]string{
		"of the pages' client": in.sign(claims(func(c map[string]any) { c["aud"] = in.idp.ClientID }), nil),
		"of no audience":       in.sign(claims(func(c map[string]any) { delete(c, "aud") }), nil),
		"expired":              in.sign(claims(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }), nil),
		"of another issuer":    in.sign(claims(func(c map[string]any) { c["iss"] = "https://evil.example.com" }), nil),
		"without signature":    unsigned(claims(nil)),
		"to refresh":           in.sign(claims(func(c map[string]any) { c["typ"] = "Refresh" }), nil),
		"to sign out":          in.sign(claims(func(c map[string]any) { c["events"] = map[string]any{"x": 1} }), nil),
		"of nobody":            in.sign(claims(func(c map[string]any) { delete(c, "sub") }), nil),
	} {
		if a := in.withToken(http.MethodGet, "/api/v2/dags", token); a.status != http.StatusUnauthorized ||
			!strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("a token %s: %d %s", name, a.status, a.body)
		}
	}
}

// reviews is an API server that knows some tokens.
type reviews map[string]authenticationv1.TokenReviewStatus

func (r reviews) Create(_ context.Context, review *authenticationv1.TokenReview,
	_ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	status, ok := r[review.Spec.Token]
	if !ok {
		return nil, errors.New("the API server is away")
	}
	return &authenticationv1.TokenReview{Status: status}, nil
}

func TestServiceAccounts(t *testing.T) {
	t.Parallel()
	var in *instance
	known := reviews{}
	in = newInstance(t, func(c *auth.Config, _ *auth.ProviderConfig) {
		c.Reviews, c.ReviewAudiences = known, []string{"dagwright"}
	})
	token := func(jti string, status authenticationv1.TokenReviewStatus) string {
		text := in.sign(map[string]any{"iss": "https://kubernetes.default.svc", "jti": jti}, nil)
		known[text] = status
		return text
	}
	user := func(name string) authenticationv1.UserInfo { return authenticationv1.UserInfo{Username: name} }
	ours := []string{"dagwright"}
	in.wantsMe(token("good",
		authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: ours,
			User: user("system:serviceaccount:models:ci")}),
		`{"name":"system:serviceaccount:models:ci","via":"kubernetes","role":"operator","instance_role":"operator"}`)
	for name, test := range map[string]struct {
		status authenticationv1.TokenReviewStatus
		want   int
	}{
		"not known": {authenticationv1.TokenReviewStatus{}, http.StatusUnauthorized},
		"no audience": {authenticationv1.TokenReviewStatus{Authenticated: true,
			User: user("system:serviceaccount:models:ci")}, http.StatusUnauthorized},
		"another audience": {authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{"x"},
			User: user("system:serviceaccount:models:ci")}, http.StatusUnauthorized},
		"a person": {authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: ours, User: user("ada")},
			http.StatusUnauthorized},
		"an account of no rule": {authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: ours,
			User: user("system:serviceaccount:models:other")}, http.StatusForbidden},
	} {
		if a := in.withToken(http.MethodGet, "/api/v2/dags", token(name, test.status)); a.status != test.want {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, test.want)
		}
	}
	away := in.sign(map[string]any{"iss": "https://kubernetes.default.svc", "jti": "away"}, nil)
	if a := in.withToken(http.MethodGet, "/api/v2/dags", away); a.status != http.StatusServiceUnavailable {
		t.Errorf("while the API server is away: %d %s", a.status, a.body)
	}
}
