package auth

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// maxBody bounds the bodies of the endpoints here.
const maxBody = 64 << 10

// Register adds the routes for programs: how to sign in, tokens as Airflow issues them,
// and the provider's notice that a session has ended.
func (s *Service) Register(e *echo.Echo) {
	e.GET("/auth/config", echo.WrapHandler(http.HandlerFunc(s.tellConfig)))
	e.POST("/auth/token", echo.WrapHandler(http.HandlerFunc(s.exchangeToken)))
	e.POST("/auth/token/cli", echo.WrapHandler(http.HandlerFunc(s.exchangeToken)))
	e.POST("/auth/backchannel-logout", echo.WrapHandler(http.HandlerFunc(s.backchannelLogout)))
}

// ClientConfig is what a client needs to sign somebody in by itself (the answer of
// GET /auth/config).
type ClientConfig struct {
	// Auth is "oidc", or "none" where nobody is asked.
	Auth     string `json:"auth"`
	Issuer   string `json:"issuer,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	// Scopes to ask for.
	Scopes []string `json:"scopes,omitempty"`
}

func (s *Service) tellConfig(w http.ResponseWriter, _ *http.Request) {
	if s.open() {
		writeJSON(w, http.StatusOK, ClientConfig{Auth: "none"})
		return
	}
	c := s.Provider.config
	writeJSON(w, http.StatusOK, ClientConfig{Auth: "oidc", Issuer: c.Issuer, ClientID: c.CLIClientID, Scopes: c.Scopes})
}

// exchangeToken answers in the shape of Airflow's POST /auth/token, which its clients
// ask before all else. The password is an API token or another token that the API
// takes, and becomes the access token; the user name is not looked at.
func (s *Service) exchangeToken(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"detail": "want Content-Type: application/json"})
		return
	}
	var body struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil {
		writeJSON(w, http.StatusUnprocessableEntity,
			map[string]string{"detail": `want {"username": …, "password": an API token}`})
		return
	}
	if s.open() {
		writeJSON(w, http.StatusCreated, map[string]string{"access_token": "none", "token_type": "bearer"})
		return
	}
	switch _, err := s.byBearerOf(r.Context(), clientAddress(r, s.Proxies), body.Password); {
	case err == nil:
		writeJSON(w, http.StatusCreated, map[string]string{"access_token": body.Password, "token_type": "bearer"})
	case refused(err):
		writeJSON(w, http.StatusUnauthorized, map[string]string{"detail": "Invalid credentials"})
	default:
		s.answerUnknown(w, r, err)
	}
}

// backchannelLogout ends the sessions that the provider says have ended:
// https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRequest. A token that
// comes again, or for a session that is not there, is answered like the first one.
func (s *Service) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	if s.open() {
		writeJSON(w, http.StatusNotFound, map[string]string{"detail": "Not Found"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	token, err := s.Provider.logoutToken(r.Context(), r.PostFormValue("logout_token"))
	if err != nil {
		s.answerLogoutFault(w, r, err)
		return
	}
	ended, err := s.Store.EndSessionsOf(r.Context(), store.Logout{
		Issuer: token.Issuer, Subject: token.Subject, SID: token.SessionID, TokenID: token.TokenID, Expires: token.Expiry,
	})
	if err != nil {
		s.answerLogoutFault(w, r, err)
		return
	}
	s.Logger.InfoContext(r.Context(), "the identity provider has signed somebody out", "sessions", ended)
	w.WriteHeader(http.StatusOK)
}

func (s *Service) answerLogoutFault(w http.ResponseWriter, r *http.Request, err error) {
	var why *Refusal
	if errors.As(err, &why) || errors.Is(err, dag.ErrForbidden) {
		s.Logger.WarnContext(r.Context(), "a logout token was refused", "err", err)
		s.noteRefusal(r.Context(), "logout_refused", err)
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request", "error_description": err.Error()})
		return
	}
	s.Logger.ErrorContext(r.Context(), "a back-channel logout failed", "err", err)
	w.Header().Set("Retry-After", "2") // the provider may send it again: it counts once
	writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"})
}
