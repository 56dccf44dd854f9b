package auth_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/labstack/echo/v4"
	"github.com/oauth2-proxy/mockoidc"
	"go.uber.org/goleak"

	"dagwright/api"
	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
	"dagwright/ui"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "0123456789abcdef0123456789abcdef"

// rulesText gives each role to a group of that name.
const rulesText = `
rules:
  - {groups: [admins], role: admin}
  - {groups: [operators], role: operator}
  - {groups: [viewers], role: viewer}
  - {groups: [fraud-team], role: operator, dags: {ids: ["fraud*"]}}
  - {service_accounts: [models/ci], role: operator}
`

// instance is dagwright's pages and API behind a Service, beside an identity provider
// that is a library.
type instance struct {
	*testing.T
	idp     *mockoidc.MockOIDC
	store   *store.Store
	service *auth.Service
	server  *httptest.Server
	answers sync.Mutex   // held by the provider while it answers: the library knows no other requests
	clock   atomic.Int64 // added to the time, in nanoseconds
	// tamper may change what the provider answers, by path.
	tamper atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
}

// person is somebody whom the provider knows.
func person(name string, groups ...string) *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: "id-of-" + name, Email: name + "@example.com", EmailVerified: true,
		PreferredUsername: name, Groups: groups}
}

func newInstance(t *testing.T, change ...func(*auth.Config, *auth.ProviderConfig)) *instance {
	t.Helper()
	return newInstanceOn(t, storetest.OpenTest(t), change...)
}

// newInstanceOn is newInstance with a store of its own.
func newInstanceOn(t *testing.T, s *store.Store, change ...func(*auth.Config, *auth.ProviderConfig)) *instance {
	t.Helper()
	in := &instance{T: t, store: s}
	in.startProvider()
	in.saveDAGs("churn", "fraud")
	e := echo.New()
	in.server = httptest.NewUnstartedServer(nil)
	base := "http://" + in.server.Listener.Addr().String()
	c := auth.Config{Store: in.store, Logger: slog.New(slog.DiscardHandler), Now: in.now, Key: dag.NewSecret(key),
		Label: "Sign in with okta", PublicURL: base}
	p := auth.ProviderConfig{
		Issuer: in.idp.Issuer(), ClientID: in.idp.ClientID, ClientSecret: dag.NewSecret(in.idp.ClientSecret),
		CLIClientID: "dagwright-cli",
		Scopes:      []string{"openid", "profile", "email", "groups"}, RedirectURL: base + "/auth/callback",
		LogoutURL: base + "/login", Now: in.now,
	}
	rules, err := auth.ParseRules("rules.yml", []byte(rulesText))
	if err != nil {
		t.Fatal(err)
	}
	c.Rules = auth.FixedRules(rules)
	for _, f := range change {
		f(&c, &p)
	}
	if c.Provider, err = auth.NewProvider(p); err != nil {
		t.Fatal(err)
	}
	if in.service, err = auth.New(c); err != nil {
		t.Fatal(err)
	}
	in.service.Register(e)
	done := make(chan struct{})
	ui.Register(e,
		ui.Config{Store: in.store, Auth: in.service, User: auth.User, Allow: in.service.Allow, Now: in.now, Done: done})
	api.Register(e,
		api.Config{Store: in.store, Auth: in.service, User: auth.User, Allow: in.service.Allow, Done: done, Logger: c.Logger})
	in.server.Config.Handler = in.service.Guard(e)
	in.server.Start()
	t.Cleanup(func() {
		close(done)
		in.server.Close()
		if err := in.service.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

func (in *instance) saveDAGs(ids ...dag.ID) {
	in.Helper()
	var files []store.SpecFile
	for _, id := range ids {
		d := &dag.DAG{ID: id, Timezone: "UTC", Tasks: []dag.Task{{ID: "t"}}, Schedule: dag.Schedule{Kind: dag.ScheduleNone}}
		files = append(files, store.SpecFile{Path: string(id) + ".yaml", Blob: "b", DAGs: []*dag.DAG{d}})
	}
	if _, err := in.store.SaveDAGs(in.Context(), store.Sync{Commit: "c", Changed: files}); err != nil {
		in.Fatal(err)
	}
}

func (in *instance) startProvider() {
	in.Helper()
	idp, err := mockoidc.NewServer(nil)
	if err != nil {
		in.Fatal(err)
	}
	err = idp.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in.answers.Lock()
			defer in.answers.Unlock()
			if f := in.tamper.Load(); f != nil {
				(*f)(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	if err != nil {
		in.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(nil).Listener
	if err := idp.Start(listener, nil); err != nil {
		in.Fatal(err)
	}
	in.idp = idp
	in.Cleanup(func() { _ = idp.Server.Close() })
}

// now is the time of the test: real, so that the library's tokens fit, and moved on.
func (in *instance) now() time.Time { return time.Now().Add(time.Duration(in.clock.Load())) }

// later moves the time on, at the provider too.
func (in *instance) later(d time.Duration) {
	in.clock.Add(int64(d))
	in.answers.Lock()
	defer in.answers.Unlock()
	in.idp.FastForward(d)
}

// regroup puts somebody into other groups.
func (in *instance) regroup(who *mockoidc.MockUser, groups ...string) {
	in.answers.Lock()
	defer in.answers.Unlock()
	who.Groups = groups
}

// onProvider changes the answers of the provider at a path.
func (in *instance) onProvider(path string, f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	g := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == path {
			f(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
	in.tamper.Store(&g)
}

// browser keeps cookies and follows no redirect by itself.
type browser struct {
	*instance
	*http.Client
}

func (in *instance) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		in.Fatal(err)
	}
	transport := &http.Transport{}
	in.Cleanup(transport.CloseIdleConnections)
	return &browser{in,
		&http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is what came back, whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (b *browser) send(r *http.Request) answer {
	b.Helper()
	w, err := b.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Body.Close()
	var body strings.Builder
	buffer := make([]byte, 4096)
	for {
		n, err := w.Body.Read(buffer)
		body.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	return answer{w.StatusCode, w.Header, body.String()}
}

func (b *browser) request(method, address string, form url.Values) *http.Request {
	b.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.server.URL + address
	}
	r, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (b *browser) get(address string) answer { return b.send(b.request(http.MethodGet, address, nil)) }

func (b *browser) post(address string, form url.Values) answer {
	return b.send(b.request(http.MethodPost, address, form))
}

// begin goes from the button to the provider, which sends back: the callback's address.
func (b *browser) begin(who *mockoidc.MockUser, returnTo string) string {
	b.Helper()
	b.idp.QueueUser(who)
	to := b.post("/login", url.Values{"return_to": {returnTo}})
	if to.status != http.StatusSeeOther {
		b.Fatalf("the button answers %d: %s", to.status, to.body)
	}
	back := b.get(to.location())
	if back.status != http.StatusFound {
		b.Fatalf("the provider answers %d: %s", back.status, back.body)
	}
	return back.location()
}

// signIn signs somebody in.
func (b *browser) signIn(who *mockoidc.MockUser) {
	b.Helper()
	if a := b.get(b.begin(who, "/models")); a.status != http.StatusSeeOther || a.location() != "/models" {
		b.Fatalf("the callback answers %d, %q: %s", a.status, a.location(), a.body)
	}
}

// cookie is the value of a cookie that the browser has.
func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.server.URL)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	u, _ := url.Parse(b.server.URL)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// wants compares an answer's status with the one wanted.
func (b *browser) wants(what string, a answer, status int) {
	b.Helper()
	if a.status != status {
		b.Errorf("%s: status %d, want %d: %.300s", what, a.status, status, a.body)
	}
}

// events are those of the audit log, newest first.
func (in *instance) events() (events []string) {
	in.Helper()
	entries, _, err := in.store.Audit(in.Context(), store.AuditFilter{})
	if err != nil {
		in.Fatal(err)
	}
	for _, e := range entries {
		events = append(events, e.By.User+" "+e.Event)
	}
	return events
}

// sign signs claims with a key; the provider's when it is nil.
func (in *instance) sign(claims map[string]any, private *rsa.PrivateKey) string {
	in.Helper()
	kid, err := in.idp.Keypair.KeyID()
	if err != nil {
		in.Fatal(err)
	}
	if private == nil {
		private = in.idp.Keypair.PrivateKey
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: kid}},
		nil)
	if err != nil {
		in.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		in.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		in.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		in.Fatal(err)
	}
	return token
}

// unsigned is a token that says it has no signature (RFC 7519, 6).
func unsigned(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(payload) + "."
}

// onIDToken changes the ID tokens that the provider issues: f gets the claims and
// returns the token. A token that is empty is left out.
func (in *instance) onIDToken(f func(claims map[string]any) string) {
	in.onProvider(mockoidc.TokenEndpoint, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		recorded := httptest.NewRecorder()
		next.ServeHTTP(recorded, r)
		var body map[string]any
		if err := json.Unmarshal(recorded.Body.Bytes(), &body); err != nil || body["id_token"] == nil {
			w.WriteHeader(recorded.Code)
			_, _ = w.Write(recorded.Body.Bytes())
			return
		}
		token := f(claimsOf(in.T, body["id_token"].(string)))
		if body["id_token"] = token; token == "" {
			delete(body, "id_token")
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	})
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	var claims map[string]any
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Error(err)
	}
	return claims
}
