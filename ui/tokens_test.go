package ui

import (
	"net/http"
	"testing"
)

// TestTokensAndSessionsWithoutSignIn says in the reader's language that there are none, and
// not that somebody else could allow it.
func TestTokensAndSessionsWithoutSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/tokens", "/sessions"} {
		p := s.get(http.StatusForbidden, path)
		p.wants(t, "There is no sign-in",
			"Sign-in is off (auth: none), so there are neither sessions nor tokens")
		p.lacks(t, "Ask the owner", "Your role")
		p = s.russian(path)
		p.wants(t, "Вход отключён (auth: none), поэтому нет ни сеансов, ни токенов")
		p.lacks(t, "Sign-in", "Обратитесь", "роль")
	}
}
