package auth_test

import (
	"bufio"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"dagwright/auth"
	"dagwright/dag"
)

func TestOtherSites(t *testing.T) {
	t.Parallel()
	in := newInstance(t, func(c *auth.Config, _ *auth.ProviderConfig) { c.Hosts = []string{"dagwright.svc"} })
	b := in.browser()
	b.signIn(person("ada", "admins"))
	for name, test := range map[string]struct {
		method, path, host string
		header             map[string]string
		want               int
	}{
		"a form of another site":  {"POST", "/settings", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a form of a sister site": {"POST", "/settings", "", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"an old browser's form": {"POST", "/settings", "",
			map[string]string{"Origin": "https://evil.example.com"}, 403},
		"a form of no site":          {"POST", "/settings", "", map[string]string{"Origin": "null"}, 403},
		"a sign-out of another site": {"POST", "/logout", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"our own form":               {"POST", "/settings", "", map[string]string{"Sec-Fetch-Site": "same-origin"}, 303},
		"our own old form":           {"POST", "/settings", "", map[string]string{"Origin": in.server.URL}, 303},
		"a program":                  {"POST", "/settings", "", nil, 303},
		"a link of another site": {"GET", "/models", "",
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		"a frame of another site": {"GET", "/models", "",
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		"a script of another site": {"GET", "/api/v2/dags", "",
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403},
		"a request of another site": {"GET", "/api/v2/dags", "",
			map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403},
		"a name that was pointed here": {"GET", "/models", "evil.example.com", nil, 421},
		"a name like ours":             {"GET", "/models", "127.0.0.1.evil.example.com", nil, 421},
		"a further name":               {"GET", "/login", "dagwright.svc", nil, 200},
		"a further name with a port":   {"GET", "/login", "dagwright.svc:8080", nil, 200},
	} {
		r := b.request(test.method, test.path, url.Values{})
		if test.host != "" {
			r.Host = test.host
		}
		for key, value := range test.header {
			r.Header.Set(key, value)
		}
		b.wants(name, b.send(r), test.want)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	for _, path := range []string{"/", "/login", "/models", "/nowhere", "/api/v2/dags", "/api/nowhere", "/auth/config",
		"/static/app.js", "/auth/callback"} {
		h := b.get(path).header
		for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "same-origin", "Content-Security-Policy": "frame-ancestors 'none'"} {
			if !strings.Contains(h.Get(key), want) {
				t.Errorf("%s: %s is %q, want %q", path, key, h.Get(key), want)
			}
		}
		if policy := h.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: %s", path, policy)
		}
	}
}

func TestGuessesAreSlowed(t *testing.T) {
	t.Parallel()
	in := newInstance(t, func(c *auth.Config, _ *auth.ProviderConfig) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	b := in.browser()
	from := func(address, path, method string) answer {
		r := b.request(method, path, nil)
		r.Header.Set("X-Forwarded-For", "198.51.100.7, "+address)
		r.Header.Set("Authorization", "Bearer dwt_guess")
		return b.send(r)
	}
	count := func(address, path, method string) (limited int) {
		for range 140 {
			if a := from(address, path, method); a.status == http.StatusTooManyRequests {
				limited++
			}
		}
		return limited
	}
	if n := count("203.0.113.1", "/api/v2/dags", "GET"); n < 20 {
		t.Errorf("%d of 140 guesses at tokens were turned away", n)
	}
	b.wants("another client", from("203.0.113.2", "/api/v2/dags", "GET"), http.StatusUnauthorized)
	// Each end of a sign-in that was begun here has the provider be asked.
	back, err := url.Parse(b.begin(person("eve", "viewers"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, ended := b.cookie(in.service.SignInCookie()), 0
	for range 140 {
		b.setCookie(in.service.SignInCookie(), sealed)
		if from("203.0.113.3", "/auth/callback?code=guess&state="+url.QueryEscape(back.Query().Get("state")),
			"GET").status == http.StatusTooManyRequests {
			ended++
		}
	}
	if ended < 20 {
		t.Errorf("%d of 140 callbacks were turned away", ended)
	}
	b.wants("when time has passed",
		func() answer { in.later(5 * time.Minute); return from("203.0.113.1", "/api/v2/dags", "GET") }(),
		http.StatusUnauthorized)

	// A hook that proves nothing is turned away too, and one that is good is not counted.
	// Good ones are accepted behind as many bad ones from the same address.
	hooks := in.service.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Gitlab-Token") != "good" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	statuses := map[int]int{}
	for i := range 600 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://gitlab-knows-us-as.example.com/hooks/gitlab", nil)
		r.RemoteAddr = "203.0.113.9:1"
		if i < 200 || i >= 400 {
			r.Header.Set("X-Gitlab-Token", "good")
		}
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		hooks.ServeHTTP(w, r)
		statuses[w.status]++
	}
	if statuses[http.StatusOK] != 400 || statuses[http.StatusTooManyRequests] < 50 {
		t.Errorf("hooks were answered %v", statuses)
	}
}

// TestGuessesLockNobodyOut guesses from the address that everybody has behind a proxy
// that is not listed.
func TestGuessesLockNobodyOut(t *testing.T) {
	t.Parallel()
	known := reviews{}
	in := newInstance(t, func(c *auth.Config, _ *auth.ProviderConfig) {
		c.Reviews, c.ReviewAudiences = known, []string{"dagwright"}
	})
	ada := in.browser()
	ada.signIn(person("ada", "admins"))
	token := ada.makeToken(url.Values{"name": {"bot"}, "role": {"operator"}, "days": {"1"}})
	account := in.sign(map[string]any{"iss": "https://kubernetes.default.svc", "jti": "good"}, nil)
	known[account] = authenticationv1.TokenReviewStatus{
		Authenticated: true, Audiences: []string{"dagwright"},
		User: authenticationv1.UserInfo{Username: "system:serviceaccount:models:ci"},
	}
	ada.wants("a service account, before", in.withToken(http.MethodGet, "/api/v2/dags", account), http.StatusOK)
	in.later(2 * time.Minute) // the answer about it has to be asked for again

	eve := in.browser()
	for i := range 200 {
		guess := in.sign(map[string]any{"iss": "https://kubernetes.default.svc", "jti": strconv.Itoa(i)}, nil)
		known[guess] = authenticationv1.TokenReviewStatus{}
		in.withToken(http.MethodGet, "/api/v2/dags", guess)
		in.withToken(http.MethodGet, "/api/v2/dags", "dwt_guess")
		eve.get("/auth/callback?state=x&code=y")
		eve.post("/login", nil)
	}
	eve.wants("one more guess", in.withToken(http.MethodGet, "/api/v2/dags", "dwt_guess"), http.StatusTooManyRequests)
	ada.wants("a session", ada.get("/models"), http.StatusOK)
	ada.wants("an API token", in.withToken(http.MethodGet, "/api/v2/dags", token), http.StatusOK)
	ada.wants("a token of the provider", in.withToken(http.MethodGet, "/api/v2/dags", in.sign(map[string]any{
		"iss": in.idp.Issuer(), "aud": "dagwright-cli", "sub": "id-of-ada", "groups": []string{"/operators"},
		"exp": time.Now().Add(time.Hour).Unix(),
	}, nil)), http.StatusOK)
	ada.wants("a service account that was good before", in.withToken(http.MethodGet, "/api/v2/dags", account),
		http.StatusOK)
	in.browser().signIn(person("bob", "viewers"))
}

// recorder keeps an answer's status.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

// TestRefusalsDoNotFillTheLog has one person be refused the same thing many times.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	b.signIn(person("ada", "viewers"))
	for range 50 {
		if a := b.post("/dags/churn/delete", nil); a.status != http.StatusForbidden {
			t.Fatalf("an act of an administrator: %d", a.status)
		}
	}
	if n := strings.Count(strings.Join(in.events(), "\n"), "ada refused"); n < 1 || n > 3 {
		t.Errorf("%d refusals in the audit log, want one or two", n)
	}
}

// TestTeam signs in somebody who has a role over some DAGs: the others are not there.
func TestTeam(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	b := in.browser()
	b.signIn(person("fay", "fraud-team"))
	for _, path := range []string{"/", "/api/v2/dags", "/audit"} {
		if a := b.get(path); a.status != http.StatusOK || strings.Contains(a.body, "churn") {
			t.Errorf("%s: %d, and it names the DAG of another team: %t", path, a.status, strings.Contains(a.body, "churn"))
		}
	}
	b.wants("their own DAG", b.post("/dags/fraud/pause", url.Values{"paused": {"true"}}), http.StatusSeeOther)
	b.wants("more than their role", b.post("/dags/fraud/delete", nil), http.StatusForbidden)
	b.wants("another team's DAG", b.post("/dags/churn/pause", url.Values{"paused": {"true"}}), http.StatusNotFound)
	b.wants("an act upon the instance", b.post("/api/v2/rerender", nil), http.StatusForbidden)
	token := b.makeToken(url.Values{"name": {"bot"}, "role": {"operator"}, "days": {"1"}, "dags": {"churn fraud"}})
	b.wants("their DAG by token", in.withToken(http.MethodGet, "/api/v2/dags/fraud", token), http.StatusOK)
	b.wants("another's DAG by token", in.withToken(http.MethodGet, "/api/v2/dags/churn", token), http.StatusNotFound)
	if got := strings.Join(in.events(), "\n"); strings.Count(got, "fay refused") != 4 {
		t.Errorf("audit log:\n%s", got)
	}
}

// TestStreamEnds ends the session while its browser follows the events.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	auth.RecheckEvery(in.service, 20*time.Millisecond)
	for name, end := range map[string]func(b *browser, who string){
		"the session ends":       func(b *browser, _ string) { b.post("/logout", nil) },
		"the rights are changed": func(_ *browser, _ string) { in.later(6 * time.Minute) },
	} {
		b := in.browser()
		ada := person("ada", "operators")
		b.signIn(ada)
		r := b.request(http.MethodGet, "/events", nil)
		r.Header.Set("Accept", "text/event-stream")
		stream, err := b.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stream.Body)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "retry:") {
			t.Fatalf("%s: the stream begins with %q", name, lines.Text())
		}
		in.regroup(ada, "viewers")
		end(b, name)
		for lines.Scan() { //nolint:revive // reads to the end, which is what is waited for
		}
		_ = stream.Body.Close()
	}
}

// TestOpenInstance is one that asks nobody: on loopback, and by loopback names only.
func TestOpenInstance(t *testing.T) {
	t.Parallel()
	s, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var who auth.Identity
	h := s.Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who = auth.From(r.Context()) }))
	for host, want := range map[string]int{"localhost:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200, "x.localhost": 200,
		"evil.example.com": 421, "": 421} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/models", nil)
		r.Host = host
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(w, r)
		if w.status != want {
			t.Errorf("as %q: %d, want %d", host, w.status, want)
		}
	}
	if who.Name != "anonymous" || who.InstanceRole() != dag.RoleAdmin {
		t.Errorf("everybody is %+v", who)
	}
}
