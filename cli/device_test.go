package cli

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// deviceProvider is an identity provider of which only the device authorization
// grant (RFC 8628), refresh (RFC 6749, 6) with rotation, and revocation (RFC 7009)
// are there, each as strict as its RFC.
type deviceProvider struct {
	url string
	// answer is what the person at the browser has said: "" for nothing yet.
	mu      sync.Mutex
	answer  string
	polled  time.Time
	pending map[string]bool // device codes that are good
	refresh map[string]bool // refresh tokens that are good
	access  map[string]bool // access tokens that were given
	ids     map[string]bool // ID tokens that were given
	revoked int
	life    time.Duration // of a token
	faults  []string
}

const (
	deviceClient  = "dagwright-cli"
	pollInterval  = time.Second
	deviceGrant   = "urn:ietf:params:oauth:grant-type:device_code"
	deviceUser    = "WDJB-MJHT"
	deviceExpires = 600
)

func startProvider(t *testing.T) *deviceProvider {
	t.Helper()
	p := &deviceProvider{
		pending: map[string]bool{}, refresh: map[string]bool{}, access: map[string]bool{}, ids: map[string]bool{},
		life: time.Hour,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.configuration)
	mux.HandleFunc("POST /device", p.device)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /revoke", p.revoke)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for _, f := range p.faults {
			t.Error("asked the provider wrongly: ", f)
		}
	})
	p.url = server.URL
	return p
}

func (p *deviceProvider) configuration(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token",
		"jwks_uri":                      p.url + "/keys",
		"device_authorization_endpoint": p.url + "/device", "revocation_endpoint": p.url + "/revoke",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client went away
}

// form reads a request's body and wants the public client's name in it.
func (p *deviceProvider) form(r *http.Request) bool {
	if err := r.ParseForm(); err != nil {
		p.faults = append(p.faults, err.Error())
		return false
	}
	if r.PostForm.Get("client_id") != deviceClient {
		p.faults = append(p.faults, r.URL.Path+": no client_id")
		return false
	}
	return true
}

func (p *deviceProvider) device(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.form(r) || r.PostForm.Get("scope") != "openid offline_access" {
		writeJSON(w, http.StatusBadRequest,
			map[string]any{"error": "invalid_request", "error_description": "scope " + r.PostForm.Get("scope")})
		return
	}
	code := rand.Text()
	p.pending[code] = true
	p.polled = time.Now()
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": deviceUser, "verification_uri": p.url + "/enter",
		"verification_uri_complete": p.url + "/enter?code=" + deviceUser,
		"expires_in":                deviceExpires, "interval": pollInterval / time.Second,
	})
}

func (p *deviceProvider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := ""
	switch {
	case !p.form(r):
		fault = "invalid_request"
	case r.PostForm.Get("grant_type") == deviceGrant:
		fault = p.byCode(r.PostForm.Get("device_code"))
	case r.PostForm.Get("grant_type") == "refresh_token":
		old := r.PostForm.Get("refresh_token")
		if !p.refresh[old] {
			fault = "invalid_grant"
		}
		delete(p.refresh, old) // a refresh token is good once
	default:
		fault = "unsupported_grant_type"
	}
	if fault != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": fault})
		return
	}
	access, refresh, id := rand.Text(), rand.Text(), p.idToken()
	p.access[access], p.refresh[refresh], p.ids[id] = true, true, true
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(p.life.Seconds()), "refresh_token": refresh,
		"id_token": id,
	})
}

// idToken has the form of a JWT; nobody here checks its signature.
func (p *deviceProvider) idToken() string {
	claims := fmt.Sprintf(`{"exp":%d,"jti":%q}`, time.Now().Add(p.life).Unix(), rand.Text())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// byCode answers a poll as RFC 8628, 3.5 says.
func (p *deviceProvider) byCode(code string) string {
	early := time.Since(p.polled) < pollInterval*9/10
	p.polled = time.Now()
	switch {
	case !p.pending[code]:
		return "invalid_grant"
	case early:
		p.faults = append(p.faults, "polled faster than the interval")
		return "slow_down"
	case p.answer == "":
		return "authorization_pending"
	case p.answer != "yes":
		return p.answer
	}
	delete(p.pending, code)
	return ""
}

func (p *deviceProvider) revoke(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.form(r) || !p.refresh[r.PostForm.Get("token")] {
		p.faults = append(p.faults, "revocation of a token that is not known")
	}
	delete(p.refresh, r.PostForm.Get("token"))
	p.revoked++
	w.WriteHeader(http.StatusOK)
}

// say is what the person does in the browser.
func (p *deviceProvider) say(answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// forget ends all access tokens and ID tokens that were given, and all refresh
// tokens too if sessions end.
func (p *deviceProvider) forget(sessions bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.access)
	clear(p.ids)
	if sessions {
		clear(p.refresh)
	}
}
