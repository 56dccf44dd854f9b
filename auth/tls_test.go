package auth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dagwright/auth"
)

// TestSignInBehindTLS signs in, acts and signs out over https: every cookie is one that a
// browser keeps for this very host and sends over https alone
// (https://www.rfc-editor.org/rfc/rfc6265.html and the prefix __Host- of its successor).
func TestSignInBehindTLS(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(nil)
	base := "https://" + secure.Listener.Addr().String()
	in := newInstance(t, func(c *auth.Config, p *auth.ProviderConfig) {
		c.PublicURL, p.RedirectURL, p.LogoutURL = base, base+"/auth/callback", base+"/login"
	})
	secure.Config.Handler = in.server.Config.Handler
	secure.StartTLS()
	defer secure.Close()
	plain := in.server.URL
	in.server.URL = base
	b := in.browser()
	b.Transport = recordCookies{t, secure.Client().Transport}
	b.signIn(person("ada", "admins"))
	b.wants("a page", b.get("/models"), http.StatusOK)
	b.wants("an act", b.post("/dags/churn/pause", url.Values{"paused": {"true"}}), http.StatusSeeOther)
	if session := b.cookie("__Host-dagwright-session"); session == "" {
		t.Error("the browser has no session's cookie")
	}
	b.wants("signing out", b.post("/logout", nil), http.StatusSeeOther)
	b.wants("a page afterwards", b.get("/models"), http.StatusSeeOther)
	in.server.URL = plain // for its end
}

// recordCookies looks at each cookie that the instance sets.
type recordCookies struct {
	*testing.T
	http.RoundTripper
}

func (r recordCookies) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(request)
	if err != nil || !strings.HasPrefix(request.URL.String(), "https://") {
		return answer, err
	}
	for _, c := range answer.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") && strings.Contains(c.Name, "dagwright-se") ||
			strings.HasPrefix(c.Name, "__Host-") &&
				(!c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode) {
			r.Errorf("cookie %s", c)
		}
	}
	return answer, nil
}
