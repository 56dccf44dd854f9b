package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// TestTokenOfNoDays has a token for 0 days be refused, which is not one for as long as the
// instance allows.
func TestTokenOfNoDays(t *testing.T) {
	t.Parallel()
	s := newServer(Config{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v2/tokens",
		strings.NewReader(`{"name": "x", "role": "viewer", "days": 0}`))
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	defer func() {
		if recover() != nil {
			t.Error("a token of 0 days is made")
		}
	}()
	err := s.createToken(echo.New().NewContext(r, httptest.NewRecorder()))
	if err == nil || !strings.Contains(err.Error(), "days: want a number from 1") {
		t.Errorf("%v, want days refused", err)
	}
}
