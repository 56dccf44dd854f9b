package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/api"
	"dagwright/cli/clitest"
	"dagwright/client"
)

// workstation is where somebody signs in.
type workstation struct{ *clitest.Workstation }

func newWorkstation(t *testing.T, env ...string) *workstation {
	return &workstation{clitest.NewWorkstation(t, env...)}
}

// guarded is the API behind a sign-in, as a server with an identity provider has
// it: who shows a token that good accepts is ann, an operator.
func guarded(t *testing.T, provider *deviceProvider, good func(token string) bool) string {
	t.Helper()
	s := serveAPI(t)
	e := echo.New()
	known := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			token, ok := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
			if c.Path() == "/auth/config" || ok && good(token) {
				return next(c)
			}
			return c.JSON(http.StatusUnauthorized, map[string]any{"detail": "Not authenticated"})
		}
	}
	e.Use(known)
	e.GET("/auth/config", func(c echo.Context) error {
		return c.JSON(http.StatusOK,
			map[string]any{"auth": "oidc", "issuer": provider.url, "client_id": deviceClient,
				"scopes": []string{"openid", "offline_access"}})
	})
	e.GET("/api/v2/me", func(c echo.Context) error {
		return c.JSON(http.StatusOK, map[string]any{"name": "ann", "via": "oidc", "role": "operator"})
	})
	api.Register(e, api.Config{Store: s.store, Logs: s.logs})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

// login starts a sign-in and waits until the code is shown.
func (p *workstation) login(args ...string) (finish func() string) {
	p.Helper()
	cmd := p.Command(append([]string{"login"}, args...)...)
	out := clitest.NewScreen()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	out.Await(p.T, deviceUser)
	return func() string {
		p.Helper()
		err := cmd.Wait()
		p.Shown.WriteString(out.String())
		return fmt.Sprintf("%s(%v)", out, err)
	}
}

func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		given func(*deviceProvider) map[string]bool
	}{
		{"access token", func(p *deviceProvider) map[string]bool { return p.access }},
		{"ID token", func(p *deviceProvider) map[string]bool { return p.ids }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			provider := startProvider(t)
			url := guarded(t, provider, func(token string) bool {
				provider.mu.Lock()
				defer provider.mu.Unlock()
				return test.given(provider)[token]
			})
			ann := newWorkstation(t)
			ann.Run("", 0, "it is the current one", "context", "add", "dev", url)
			ann.Run("", 1,
				`you are not signed in to `+url+` (context dev) (Not authenticated): run "dagwright login --context dev"`,
				"dags", "list")
			finish := ann.login()
			provider.say("yes")
			if got := finish(); !strings.Contains(got, "signed in to "+url+" (context dev) as ann, operator\n(<nil>)") {
				t.Fatal(got)
			}
			ann.Run("", 0, "churn-model", "dags", "list")
			ann.Run("", 0, "operator", "whoami")
			info, err := os.Stat(ann.File("credentials.yml"))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			before := ann.Tokens()
			provider.forget(false)
			ann.Age()
			// Many at once renew once: a refresh token is good for one use only.
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if out, err := ann.Command("dags", "list").CombinedOutput(); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
			all.Wait()
			after := ann.Tokens()
			if len(after) != 2 || after[0] == before[0] || after[1] == before[1] {
				t.Error("the tokens were not renewed")
			}
			ann.Run("", 0, "signed out of "+url, "logout")
			ann.Run("", 0, "you were not signed in", "logout")
			if provider.revoked != 1 {
				t.Errorf("%d revocations", provider.revoked)
			}
			for _, secret := range append(before, after...) {
				if strings.Contains(ann.Shown.String(), secret) {
					t.Error("a token was shown")
				}
			}
		})
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	provider := startProvider(t)
	url := guarded(t, provider, func(string) bool { return false })
	for answer, want := range map[string]string{
		"access_denied": "it was refused in the browser",
		"expired_token": "the code was not entered in time",
		"server_error":  "the identity provider says server_error",
		"yes":           "does not accept the token",
	} {
		ann := newWorkstation(t)
		provider.say("")
		finish := ann.login("--server", url)
		provider.say(answer)
		if got := finish(); !strings.Contains(got, want) || !strings.Contains(got, "(exit status 1)") {
			t.Errorf("%s: %s", answer, got)
		}
		if _, err := os.Stat(ann.File("credentials.yml")); err == nil {
			t.Errorf("%s: something was kept", answer)
		}
	}
}

// The sign-in ends at the identity provider: the command says what to do.
func TestSignInEnds(t *testing.T) {
	t.Parallel()
	provider := startProvider(t)
	provider.life = time.Second
	url := guarded(t, provider, func(token string) bool { return provider.access[token] })
	ann := newWorkstation(t)
	finish := ann.login("--server", url)
	provider.say("yes")
	if got := finish(); !strings.Contains(got, "(<nil>)") {
		t.Fatal(got)
	}
	provider.forget(true)
	ann.Run("", 1, `the sign-in has ended (invalid_grant) at `+url+`: sign in again with "dagwright login --server `+url,
		"dags", "list", "--server", url)
}

func TestLoginByToken(t *testing.T) {
	t.Parallel()
	provider := startProvider(t)
	const token = "dwt_example-of-a-token"
	url := guarded(t, provider, func(t string) bool { return t == token })
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ann := newWorkstation(t)
	ann.Run("wrong", 1, "does not accept the token", "login", "--server", url, "--token-file", "-")
	ann.Run("two words", 2, "a token is one word", "login", "--server", url, "--token-file", "-")
	ann.Run("", 2, "there is no token", "login", "--server", url, "--token-file", "-")
	ann.Run("", 2, "no such file", "login", "--server", url, "--token-file", "absent")
	ann.Run(token, 0, "signed in to "+url+" as ann, operator", "login", "--server", url+"/", "--token-file", "-")
	ann.Run("", 0, "churn-model", "dags", "list", "--server", url)
	ann.Run("", 2, "is not encrypted", "login", "--server", "http://dagwright.example.com", "--token-file", file)
	if strings.Contains(ann.Shown.String(), token) {
		t.Error("the token was shown")
	}
	if err := os.Chmod(ann.File("credentials.yml"), 0o644); err != nil {
		t.Fatal(err)
	}
	ann.Run("", 1, "chmod 600", "dags", "list", "--server", url)

	newWorkstation(t, client.TokenVariable+"="+token).Run("", 0, "churn-model", "dags", "list", "--server", url)
	newWorkstation(t, client.TokenFileVariable+"="+file).Run("", 0, "churn-model", "dags", "list", "--server", url)
	newWorkstation(t, client.TokenVariable+"=other").Run("", 1,
		"does not accept the token of DAGWRIGHT_TOKEN (Not authenticated): it may have ended", "dags", "list",
		"--server", url)
	newWorkstation(t, client.TokenVariable+"=a", client.TokenFileVariable+"=b").Run("", 2, "want one of", "dags", "list",
		"--server", url)
	newWorkstation(t, client.TokenFileVariable+"=absent").Run("", 2, "DAGWRIGHT_TOKEN_FILE: open absent", "dags", "list",
		"--server", url)
}

// A server that lets everybody in needs no login; another program is not a dagwright.
func TestLoginWhereNoneIs(t *testing.T) {
	t.Parallel()
	s := serveAPI(t)
	ann := newWorkstation(t)
	ann.Run("", 0, s.url+" needs no sign-in", "login", "--server", s.url)
	ann.Run("", 0, "the server needs no sign-in", "whoami", "--server", s.url)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	ann.Run("", 1, "which is not an answer of dagwright's API", "login", "--server", other.URL)
}

// A token goes to its own server only, whatever another one answers.
func TestTokenStays(t *testing.T) {
	t.Parallel()
	provider := startProvider(t)
	const token = "dwt_stays"
	url := guarded(t, provider, func(t string) bool { return t == token })
	var seen bytes.Buffer
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Header.Write(&seen)
		http.Redirect(w, r, url+r.URL.Path, http.StatusFound)
	}))
	t.Cleanup(other.Close)
	ann := newWorkstation(t)
	ann.Run(token, 0, "signed in", "login", "--server", url, "--token-file", "-")
	ann.Run("", 1, "sends its callers on to "+url, "dags", "list", "--server", other.URL)
	if strings.Contains(seen.String(), token) {
		t.Error("another server was sent the token")
	}
}
