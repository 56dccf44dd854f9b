package gitlabtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signer signs ID tokens.
type signer struct {
	jose.Signer
	public jose.JSONWebKey
}

func newSigner(tb testing.TB) signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	private := jose.JSONWebKey{Key: key, KeyID: "test", Algorithm: string(jose.ES256), Use: "sig"}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		tb.Fatal(err)
	}
	return signer{s, private.Public()}
}

// serveKeys answers the two addresses at which GitLab publishes its keys.
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, map[string]any{
			"issuer": s.URL, "jwks_uri": s.URL + "/oauth/discovery/keys", "authorization_endpoint": s.URL + "/oauth/authorize",
			"token_endpoint": s.URL + "/oauth/token", "id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		})
	case "/oauth/discovery/keys":
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.signer.public}})
	default:
		return false
	}
	return true
}

// IDToken issues the ID token of a CI job for an audience, as "id_tokens" in a
// job does. more replaces or adds claims.
func (s *Server) IDToken(path, branch, commit, audience string, more map[string]any) string {
	s.tb.Helper()
	p := s.project(path)
	if p == nil {
		s.tb.Fatalf("no project %s", path)
	}
	now := time.Now()
	claims := map[string]any{
		"iss": s.URL, "aud": audience, "sub": "project_path:" + path + ":ref_type:branch:ref:" + branch,
		"iat": now.Unix(), "nbf": now.Add(-5 * time.Second).Unix(), "exp": now.Add(time.Hour).Unix(), "jti": commit,
		"project_id": idText(p.id), "project_path": path, "ref": branch, "ref_type": "branch",
		"ref_path":      "refs/heads/" + branch,
		"ref_protected": "true", "sha": commit, "pipeline_id": "1", "pipeline_source": "push", "job_id": "1",
		"user_login": "ann",
	}
	maps.Copy(claims, more)
	token, err := jwt.Signed(s.signer).Claims(claims).Serialize()
	if err != nil {
		s.tb.Fatal(err)
	}
	return token
}

// idText is an id as GitLab writes it into claims.
func idText(id int64) string { return strconv.FormatInt(id, 10) }
