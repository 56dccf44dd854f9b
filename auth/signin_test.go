package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oauth2-proxy/mockoidc"

	"dagwright/auth"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	first := b.get("/dags/churn?x=1")
	b.wants("a page", first, http.StatusSeeOther)
	if first.location() != "/login?return_to=%2Fdags%2Fchurn%3Fx%3D1" {
		t.Errorf("led to %q", first.location())
	}
	login := b.get(first.location())
	b.wants("the sign-in page", login, http.StatusOK)
	for _, want := range []string{"Sign in with okta", `value="/dags/churn?x=1"`, `action="/login"`} {
		if !strings.Contains(login.body, want) {
			t.Errorf("the sign-in page lacks %q", want)
		}
	}
	if policy := login.header.Get("Content-Security-Policy"); !strings.Contains(policy,
		"form-action 'self' "+strings.TrimSuffix(in.idp.Addr(), "/")+";") ||
		!strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("Content-Security-Policy of the sign-in page: %s", policy)
	}

	b.signIn(person("ada", "viewers"))
	b.wants("a page", b.get("/models"), http.StatusOK)
	if page := b.get("/"); !strings.Contains(page.body, "ada") {
		t.Error("the page does not name who reads it")
	}
	me := b.get("/api/v2/me")
	if want := `{"name":"ada","via":"session","role":"viewer","instance_role":"viewer"}` + "\n"; me.body != want {
		t.Errorf("me: got %s, want %s", me.body, want)
	}
	b.wants("an act of an operator", b.post("/dags/churn/trigger", nil), http.StatusForbidden)
	if got := in.events(); !slices.Contains(got, "ada refused") || !slices.Contains(got, "ada sign_in") {
		t.Errorf("audit log: %q", got)
	}
}

func TestNobodyWithoutSession(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	for _, path := range []string{"/", "/models", "/audit", "/tokens", "/sessions", "/dags/x/graph", "/nowhere", "/hooks",
		"/hooks/gitlab/", "/LOGIN", "//login", "/%6cogin/../models"} {
		if a := b.get(path); a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), "/login?") {
			t.Errorf("%s: %d to %q, want the sign-in page", path, a.status, a.location())
		}
	}
	for _, path := range []string{"/api", "/api/v2/dags", "/api/v2/version", "/api/v2/nowhere"} {
		a := b.get(path)
		if a.status != http.StatusUnauthorized || a.body != `{"detail":"Not authenticated"}`+"\n" ||
			a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d %s %v", path, a.status, a.body, a.header)
		}
	}
	stream := b.request(http.MethodGet, "/events", nil)
	stream.Header.Set("Accept", "text/event-stream")
	b.wants("the stream of events", b.send(stream), http.StatusUnauthorized)
	b.wants("an act", b.post("/dags/x/pause", url.Values{"paused": {"true"}}), http.StatusSeeOther)
	b.wants("a probe", b.get("/healthz"), http.StatusNotFound) // is the program's, and let through
	b.wants("a static file", b.get("/static/style.css"), http.StatusOK)
}

// TestRefusedIDTokens has the provider issue tokens that must sign nobody in.
func TestRefusedIDTokens(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) func(*instance, map[string]any) string {
		return func(in *instance, c map[string]any) string {
			if c[name] = value; value == nil {
				delete(c, name)
			}
			return in.sign(c, nil)
		}
	}
	for name, forge := range map[string]func(*instance, map[string]any) string{
		"audience":          set("aud", "another-client"),
		"no audience":       set("aud", nil),
		"issuer":            set("iss", "https://evil.example.com"),
		"nonce":             set("nonce", "another"),
		"no nonce":          set("nonce", nil),
		"expired":           set("exp", time.Now().Add(-time.Minute).Unix()),
		"no expiry":         set("exp", nil),
		"not yet":           set("nbf", time.Now().Add(time.Hour).Unix()),
		"authorized party":  set("azp", "another-client"),
		"access token hash": set("at_hash", "bm90IGl0cyBoYXNo"),
		"huge claims":       set("groups", strings.Repeat("x", 70_000)),
		"algorithm none":    func(_ *instance, c map[string]any) string { return unsigned(c) },
		"signed by another": func(in *instance, c map[string]any) string { return in.sign(c, other) },
		"no ID token":       func(*instance, map[string]any) string { return "" },
		"no token at all":   func(*instance, map[string]any) string { return "x.y.z" },
		"several audiences": func(in *instance, c map[string]any) string {
			c["aud"] = []string{in.idp.ClientID, "b"}
			return in.sign(c, nil)
		},
		"without a subject": set("sub", nil),
		"a token for logout": set("events",
			map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInstance(t)
			in.onIDToken(func(c map[string]any) string { return forge(in, c) })
			b := in.browser()
			a := b.get(b.begin(person("ada", "admins"), "/"))
			b.wants("the callback", a, http.StatusBadRequest)
			if got := b.cookie(in.service.SessionCookie()); got != "" {
				t.Errorf("a session was given: %q", got)
			}
		})
	}
}

func TestForgedCallbacks(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	change := func(callback, key, value string) string {
		u, err := url.Parse(callback)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	ada := person("ada", "admins")
	refused := func(what string, b *browser, callback string) {
		t.Helper()
		b.wants(what, b.get(callback), http.StatusBadRequest)
		if b.cookie(in.service.SessionCookie()) != "" {
			t.Errorf("%s: a session was given", what)
		}
	}
	b := in.browser()
	refused("out of the blue", b, "/auth/callback?code=x&state=y")
	refused("another state", b, change(b.begin(ada, "/"), "state", "another"))
	refused("no state", b, change(b.begin(ada, "/"), "state", ""))
	refused("another code", b, change(b.begin(ada, "/"), "code", "another"))
	refused("no code", b, change(b.begin(ada, "/"), "code", ""))
	refused("another issuer", b, change(b.begin(ada, "/"), "iss", "https://evil.example.com"))
	refused("a fault", b, change(b.begin(ada, "/"), "error", "access_denied"))
	// Somebody is given the address of a sign-in that another person began (login CSRF).
	refused("in another browser", in.browser(), b.begin(ada, "/"))
	// A sign-in of one browser is good in no other, even with its state and code.
	callback := b.begin(ada, "/")
	thief := in.browser()
	thief.begin(ada, "/")
	refused("with the cookie of another sign-in", thief, callback)
	late := b.begin(ada, "/")
	in.later(time.Hour)
	refused("an hour later", b, late)

	// The same callback again: the code was used, and the cookie is gone.
	callback = b.begin(ada, "/")
	cookie := b.cookie(in.service.SignInCookie())
	b.wants("the callback", b.get(callback), http.StatusSeeOther)
	replay := in.browser()
	replay.setCookie(in.service.SignInCookie(), cookie)
	refused("a code that was used", replay, callback)
	if b.cookie(in.service.SignInCookie()) != "" {
		t.Error("the cookie of the sign-in is still there")
	}
	if got := in.events(); !slices.Contains(got, "anonymous sign_in_refused") {
		t.Errorf("audit log: %q", got)
	}
}

func TestSessionFixation(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	attacker, victim := in.browser(), in.browser()
	attacker.signIn(person("eve", "viewers"))
	planted := attacker.cookie(in.service.SessionCookie())
	victim.setCookie(in.service.SessionCookie(), planted)
	victim.signIn(person("ada", "admins"))
	if got := victim.cookie(in.service.SessionCookie()); got == planted || len(got) < 43 {
		t.Errorf("the session's id is %q, want a new one of 256 bits", got)
	}
	// The session that was planted is over for its maker too.
	attacker.wants("the planted session", attacker.get("/models"), http.StatusSeeOther)

	// An id that a browser made up becomes no session.
	victim.setCookie(in.service.SessionCookie(), "made-up")
	victim.wants("a made up session", victim.get("/models"), http.StatusSeeOther)
}

func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	for _, evil := range []string{
		"https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "\\\\evil.example.com",
		"/%5cevil.example.com", "javascript:alert(1)",
		"/\t/evil.example.com", "/%2f/evil.example.com", "evil.example.com", "http:evil", "///evil.example.com",
		"/login?return_to=/", "/logout", "/auth/callback", "",
	} {
		if got := auth.LocalPath(evil); got != "/" {
			t.Errorf("%q leads to %q", evil, got)
		}
	}
	b := in.browser()
	if a := b.get(b.begin(person("ada", "viewers"), "https://evil.example.com/")); a.location() != "/" {
		t.Errorf("the callback leads to %q", a.location())
	}
	if a := b.get("/login?return_to=//evil.example.com"); a.location() != "/" {
		t.Errorf("the sign-in page leads somebody who is signed in to %q", a.location())
	}
	if got := auth.LocalPath("/dags/a%2Fb/graph?run=x%20y#z"); got != "/dags/a%2Fb/graph?run=x%20y#z" {
		t.Errorf("a path of ours became %q", got)
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	secure := newInstance(t,
		func(c *auth.Config, _ *auth.ProviderConfig) { c.PublicURL = "https://dagwright.example.com" })
	got := secure.service.Cookie(secure.service.SessionCookie(), "x", time.Hour).String()
	if want := "__Host-dagwright-session=x; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	b := secure.browser()
	r := b.request(http.MethodGet, "/login", nil)
	r.Host = "dagwright.example.com"
	if h := b.send(r).header.Get("Strict-Transport-Security"); h != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security %q", h)
	}
	in := newInstance(t)
	if got := in.service.Cookie(in.service.SessionCookie(), "x",
		time.Hour).String(); got != "dagwright-session=x; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax" {
		t.Errorf("on loopback without TLS: %s", got)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	in := newInstance(t, func(c *auth.Config, _ *auth.ProviderConfig) {
		c.Idle, c.Life, c.Refresh = time.Hour, 3*time.Hour, 100*time.Hour
	})
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	for range 2 {
		in.later(50 * time.Minute)
		b.wants("a session in use", b.get("/models"), http.StatusOK)
	}
	in.later(50 * time.Minute)
	fragment := b.request(http.MethodGet, "/models", nil)
	fragment.Header.Set("X-Fragment", "1")
	b.wants("a page that reads itself", b.send(fragment), http.StatusOK)
	in.later(20 * time.Minute) // 70 since anybody did something
	b.wants("an idle session", b.get("/models"), http.StatusSeeOther)

	b.signIn(person("ada", "viewers"))
	for range 5 {
		in.later(35 * time.Minute)
		b.wants("a session in use", b.get("/models"), http.StatusOK)
	}
	in.later(10 * time.Minute)
	b.wants("a session older than its life", b.get("/models"), http.StatusSeeOther)
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	ada := person("ada", "operators")
	b := in.browser()
	b.signIn(ada)
	role := func() string {
		_, after, _ := strings.Cut(b.get("/api/v2/me").body, `"role":"`)
		role, _, _ := strings.Cut(after, `"`)
		return role
	}
	if got := role(); got != "operator" {
		t.Fatalf("the role is %q", got)
	}
	in.regroup(ada, "viewers")
	if got := role(); got != "operator" {
		t.Errorf("before a refresh the role is %q", got)
	}
	in.later(6 * time.Minute)
	if got := role(); got != "viewer" {
		t.Errorf("after a refresh the role is %q, want viewer", got)
	}
	in.regroup(ada)
	in.later(6 * time.Minute)
	b.wants("the API, without any role", b.get("/api/v2/dags"), http.StatusForbidden)
	if a := b.get("/"); a.status != http.StatusSeeOther || a.location() != "/login" {
		t.Errorf("a page without any role: %d to %q", a.status, a.location())
	}
	if a := b.get("/login"); a.status != http.StatusForbidden || !strings.Contains(a.body, "ada") {
		t.Errorf("the sign-in page tells somebody without a role: %d %.200s", a.status, a.body)
	}

	// The provider ends the grant (RFC 6749, 5.2).
	in.regroup(ada, "viewers")
	in.later(6 * time.Minute)
	b.wants("with a role again", b.get("/models"), http.StatusOK)
	in.onProvider(mockoidc.TokenEndpoint, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	})
	in.later(6 * time.Minute)
	b.wants("when the provider has ended the grant", b.get("/models"), http.StatusSeeOther)
}

// TestRefreshForSomebodyElse has the provider answer a refresh with the token of
// another person.
func TestRefreshForSomebodyElse(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	in.onIDToken(func(c map[string]any) string {
		c["sub"], c["groups"] = "id-of-eve", []string{"admins"}
		return in.sign(c, nil)
	})
	in.later(6 * time.Minute)
	b.wants("the session", b.get("/models"), http.StatusSeeOther)
}

func TestProviderAway(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	away := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusBadGateway) }
	in.onProvider(mockoidc.DiscoveryEndpoint, away)
	b := in.browser()
	// At the start: the instance serves, and says what is wrong.
	a := b.post("/login", url.Values{"return_to": {"/models"}})
	b.wants("a sign-in while the provider is away", a, http.StatusServiceUnavailable)
	if !strings.Contains(a.body, "is not responding") || !strings.Contains(a.body, `value="/models"`) {
		t.Errorf("the page does not say so: %.600s", a.body)
	}
	in.tamper.Store(nil)
	// Within seconds it is asked again.
	tick, tries := time.NewTicker(500*time.Millisecond), 0
	defer tick.Stop()
	for b.post("/login", nil).status != http.StatusSeeOther {
		if tries++; tries > 20 {
			t.Fatal("the provider is back, and nobody can sign in")
		}
		<-tick.C
	}
	// Later: a session goes on, and its claims are asked for when the provider is back.
	ada := person("ada", "operators")
	b.signIn(ada)
	in.onProvider(mockoidc.TokenEndpoint, away)
	in.regroup(ada, "viewers")
	for range 3 {
		in.later(6 * time.Minute)
		if got := b.get("/api/v2/me"); !strings.Contains(got.body, `"operator"`) {
			t.Errorf("while the provider is away: %d %s", got.status, got.body)
		}
	}
	in.tamper.Store(nil)
	in.later(time.Minute)
	if got := b.get("/api/v2/me"); !strings.Contains(got.body, `"role":"viewer"`) {
		t.Errorf("when the provider is back: %d %s", got.status, got.body)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	in.browser().signIn(person("ada", "viewers"))
	fresh, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	in.answers.Lock()
	in.idp.Keypair = fresh
	in.answers.Unlock()
	in.browser().signIn(person("ada", "viewers"))
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	in.onProvider(mockoidc.DiscoveryEndpoint, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		recorded := httptest.NewRecorder()
		next.ServeHTTP(recorded, r)
		_, _ = w.Write(
			[]byte(strings.Replace(recorded.Body.String(), "{", `{"end_session_endpoint":"`+in.idp.Addr()+`/end",`, 1)))
	})
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	cookie := b.cookie(in.service.SessionCookie())
	b.wants("signing out by a link", b.get("/logout"), http.StatusNotFound)
	to, err := url.Parse(b.post("/logout", nil).location())
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if to.Path != "/end" || q.Get("post_logout_redirect_uri") != in.server.URL+"/login" ||
		claimsOf(t, q.Get("id_token_hint"))["sub"] != "id-of-ada" {
		t.Errorf("led to %s", to)
	}
	b.setCookie(in.service.SessionCookie(), cookie)
	b.wants("the session after signing out", b.get("/models"), http.StatusSeeOther)
	if got := in.events()[0]; got != "ada sign_out" {
		t.Errorf("audit log: %q", got)
	}
}

func TestBackchannelLogout(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	in.onIDToken(func(c map[string]any) string { c["sid"] = "sid-1"; return in.sign(c, nil) })
	idp := in.browser() // the provider, as a client of ours
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{
			"iss": in.idp.Issuer(), "aud": in.idp.ClientID, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"jti": "j1", "sid": "sid-1", "sub": "id-of-ada",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		if change != nil {
			change(c)
		}
		return c
	}
	logout := func(token string) answer {
		return idp.post("/auth/backchannel-logout", url.Values{"logout_token": {token}})
	}
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"none":          "",
		"alg none":      unsigned(claims(nil)),
		"another's key": in.sign(claims(nil), other),
		"issuer":        in.sign(claims(func(c map[string]any) { c["iss"] = "https://evil.example.com" }), nil),
		"audience":      in.sign(claims(func(c map[string]any) { c["aud"] = "another" }), nil),
		"nonce":         in.sign(claims(func(c map[string]any) { c["nonce"] = "n" }), nil),
		"no events":     in.sign(claims(func(c map[string]any) { delete(c, "events") }), nil),
		"another event": in.sign(claims(func(c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} }),
			nil),
		"no jti":         in.sign(claims(func(c map[string]any) { delete(c, "jti") }), nil),
		"nobody":         in.sign(claims(func(c map[string]any) { delete(c, "sub"); delete(c, "sid") }), nil),
		"no iat":         in.sign(claims(func(c map[string]any) { delete(c, "iat") }), nil),
		"an old iat":     in.sign(claims(func(c map[string]any) { c["iat"] = time.Now().Add(-time.Hour).Unix() }), nil),
		"expired":        in.sign(claims(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), nil),
		"of another sid": in.sign(claims(func(c map[string]any) { c["sid"] = "sid-2"; c["jti"] = "j2" }), nil),
	} {
		want := http.StatusBadRequest
		if name == "of another sid" {
			want = http.StatusOK
		}
		idp.wants(name, logout(token), want)
		b.wants("the session after the token "+name, b.get("/models"), http.StatusOK)
	}
	good := in.sign(claims(nil), nil)
	idp.wants("a logout token", logout(good), http.StatusOK)
	b.wants("the session after the logout", b.get("/models"), http.StatusSeeOther)
	// Again, and after the next sign-in: it counts once.
	idp.wants("the same logout token", logout(good), http.StatusOK)
	b.signIn(person("ada", "viewers"))
	idp.wants("the same logout token", logout(good), http.StatusOK)
	b.wants("the session of the next sign-in", b.get("/models"), http.StatusOK)
}

func TestOwnSessions(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	ada, lost, bob, root := in.browser(), in.browser(), in.browser(), in.browser()
	ada.signIn(person("ada", "viewers"))
	lost.signIn(person("ada", "viewers"))
	bob.signIn(person("bob", "viewers"))
	root.signIn(person("root", "admins"))
	ends := func(b *browser, path string) (all []string) {
		for _, part := range strings.Split(b.get(path).body, `action="/sessions/`)[1:] {
			id, _, _ := strings.Cut(part, "/end")
			all = append(all, "/sessions/"+id+"/end")
		}
		return all
	}
	if got := ends(ada, "/sessions?all=1"); len(got) != 2 {
		t.Errorf("Ada sees %d sessions, want her two", len(got))
	}
	if got := ends(root, "/sessions?all=1"); len(got) != 4 {
		t.Errorf("an administrator sees %d sessions, want 4", len(got))
	}
	bobs := ends(bob, "/sessions")
	ada.wants("ending another's session", ada.post(bobs[0], nil), http.StatusNotFound)
	bob.wants("his session", bob.get("/models"), http.StatusOK)
	for _, end := range ends(ada, "/sessions") {
		bob.wants("ending another's session", bob.post(end, nil), http.StatusNotFound)
	}
	root.wants("ending a session as an administrator", root.post(bobs[0], nil), http.StatusSeeOther)
	bob.wants("the session that was ended", bob.get("/models"), http.StatusSeeOther)
	if diff := cmp.Diff("root end_session", in.events()[0]); diff != "" {
		t.Error(diff)
	}
}
