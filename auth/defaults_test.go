package auth_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/auth"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestDefaults has a configuration that says nothing, and one that says little.
func TestDefaults(t *testing.T) {
	t.Parallel()
	type values struct {
		Label                                      string
		Idle, Life, Refresh, TokenLife, ConfirmAge time.Duration
	}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		config auth.Config
		want   values
	}{
		"nothing": {auth.Config{}, values{"Sign in", 8 * time.Hour, day, 5 * time.Minute, 90 * day, 30 * day}},
		"the least": {auth.Config{Label: "x", Idle: 1, Life: 2, Refresh: 3, TokenLife: 4, ConfirmAge: 5},
			values{"x", 1, 2, 3, 4, 5}},
	} {
		s, err := auth.New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, values{s.Label, s.Idle, s.Life, s.Refresh, s.TokenLife, s.ConfirmAge}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if s.Now == nil || s.Logger == nil {
			t.Errorf("%s: no default for Now or Logger", name)
		}
	}
}

// TestGuardOfAStoreThatFails asks for a page and for the API while the database is
// away, and while it fails for good: nobody gets an empty answer, and nobody is sent to
// sign in again.
func TestGuardOfAStoreThatFails(t *testing.T) {
	t.Parallel()
	const away = "Who you are cannot be checked now, since the database does not answer: try again."
	const broken = "Who you are cannot be checked now. The cause is in the server's log."
	for name, c := range map[string]struct {
		fail             func(*testing.T, *store.Store, string)
		status           int
		retryAfter, says string
	}{
		"away": {func(t *testing.T, s *store.Store, _ string) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}, http.StatusServiceUnavailable, "2", away},
		"broken": {func(t *testing.T, _ *store.Store, file string) {
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), "ALTER TABLE session RENAME TO lost"); err != nil {
				t.Fatal(err)
			}
		}, http.StatusInternalServerError, "", broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "test.db")
			s := storetest.Open(t, store.Config{DSN: "sqlite:" + file})
			in := newInstanceOn(t, s)
			b := in.browser()
			b.signIn(person("ada", "admins"))
			c.fail(t, s, file)
			for path, want := range map[string]string{"/models": c.says + "\n",
				"/api/v2/dags": `{"detail":"` + c.says + `"}` + "\n"} {
				a := b.get(path)
				if a.status != c.status || a.body != want || a.header.Get("Retry-After") != c.retryAfter {
					t.Errorf("%s: %d %q, again after %q; want %d %q after %q", path, a.status, a.body, a.header.Get("Retry-After"),
						c.status, want, c.retryAfter)
				}
			}
		})
	}
}
