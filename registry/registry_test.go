package registry_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ocireg "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"dagwright/dag"
	"dagwright/registry"
)

// guarded is a real registry behind a token service, as GitLab's.
type guarded struct {
	*testing.T
	host string
	down atomic.Int32 // the status of every answer, when it is not 0
}

const user, password, token = "gitlab+deploy-token-1", "s3cret", "a-token"

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{T: t}
	images := ocireg.New(ocireg.Logger(log.New(io.Discard, "", 0)))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwt/auth", func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password || r.FormValue("service") != "container_registry" {
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"HTTP Basic: Access denied"}]}`, http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, `{"token":"`+token+`"}`)
	})
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case g.down.Load() != 0:
			w.WriteHeader(int(g.down.Load()))
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/jwt/auth",service="container_registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			images.ServeHTTP(w, r)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	g.host = strings.TrimPrefix(server.URL, "http://")
	return g
}

// push puts an image into the registry and returns its digest.
func (g *guarded) push(image string) string {
	g.Helper()
	ref, err := name.ParseReference(image)
	if err != nil {
		g.Fatal(err)
	}
	if err := remote.Write(ref, empty.Image,
		remote.WithAuth(&authn.Basic{Username: user, Password: password})); err != nil {
		g.Fatal(err)
	}
	digest, err := empty.Image.Digest()
	if err != nil {
		g.Fatal(err)
	}
	return digest.String()
}

func (g *guarded) client(as, with string) *registry.Client {
	g.Helper()
	file := filepath.Join(g.TempDir(), "password")
	if err := os.WriteFile(file, []byte(with+"\n"), 0o600); err != nil {
		g.Fatal(err)
	}
	c, err := registry.New(registry.Config{Host: g.host + "/gbc", Username: as, PasswordFile: file})
	if err != nil {
		g.Fatal(err)
	}
	return c
}

func TestHas(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c := g.client(user, password)
	image := g.host + "/gbc/risk/churn-model"
	has := func(image string, want bool) {
		t.Helper()
		got, err := c.Has(t.Context(), image)
		if got != want || err != nil {
			t.Errorf("Has(%s) = %t, %v, want %t", image, got, err, want)
		}
	}
	has(image+":3f2a9c1d", false)
	digest := g.push(image + ":3f2a9c1d")
	has(image+":3f2a9c1d", true)
	has(image+"@"+digest, true)
	has(image+":another", false)
	has(g.host+"/gbc/other:1", false)
}

func TestHasSaysWhatIsTheMatter(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	image := g.host + "/gbc/x:1"
	g.push(image)
	for name, c := range map[string]*registry.Client{"a wrong password": g.client(user, "x"), "nobody": g.client("", "")} {
		if has, err := c.Has(t.Context(), image); has || err == nil ||
			!strings.Contains(err.Error(), "its user may not read the image") {
			t.Errorf("%s: %t, %v", name, has, err)
		}
	}
	g.down.Store(http.StatusServiceUnavailable)
	if has, err := g.client(user, password).Has(t.Context(), image); has || err == nil ||
		!strings.Contains(err.Error(), "503") {
		t.Errorf("a registry that is down: %t, %v", has, err)
	}
	c, err := registry.New(registry.Config{Host: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if has, err := c.Has(t.Context(), "127.0.0.1:1/x:1"); has || err == nil || errors.Is(err, dag.ErrInvalid) {
		t.Errorf("a registry that is away: %t, %v", has, err)
	}
	c = g.client(user, password)
	c.PasswordFile += ".gone"
	if has, err := c.Has(t.Context(), image); has || err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("a password file that is gone: %t, %v", has, err)
	}
}

// TestKnows never asks a registry that is another's.
func TestKnows(t *testing.T) {
	t.Parallel()
	c, err := registry.New(registry.Config{Host: "registry.example.com/gbc"})
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]bool{
		"registry.example.com/gbc/x:1": true, "registry.example.com/gbc/a/b@sha256:" + strings.Repeat("0", 64): true,
		"registry.example.com/gbcx/x:1": false, "registry.example.com/x:1": false, "registry.example.com:5000/gbc/x:1": false,
		"registry.example.com.evil.org/gbc/x:1": false, "127.0.0.1/gbc/x:1": false, "gbc/x:1": false, "": false,
		"registry.example.com/gbc/X Y":                false,
		"registry.example.com/gbc/{{ params.image }}": false,
	} {
		if got := c.Knows(image); got != want {
			t.Errorf("Knows(%q) = %t, want %t", image, got, want)
		}
		if !want {
			if _, err := c.Has(t.Context(), image); !errors.Is(err, dag.ErrInvalid) {
				t.Errorf("Has(%q): %v, want ErrInvalid", image, err)
			}
		}
	}
	for _, host := range []string{"", "a b", "https://registry.example.com"} {
		if _, err := registry.New(registry.Config{Host: host}); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("New(%q): %v, want ErrInvalid", host, err)
		}
	}
}
