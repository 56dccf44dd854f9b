package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/store"
)

// SessionCookie and SignInCookie are the names of the cookies: over https such that a
// browser sends them to this very host only, and not to its neighbours.
func (s *Service) SessionCookie() string { return s.cookieName("session") }

// SignInCookie holds a sign-in under way.
func (s *Service) SignInCookie() string { return s.cookieName("sign-in") }

func (s *Service) cookieName(name string) string {
	if s.secure {
		return "__Host-dagwright-" + name
	}
	return "dagwright-" + name // a loopback address without TLS: browsers refuse the prefix
}

// Cookie makes a cookie of a value that lasts for a time; an empty value takes it away.
func (s *Service) Cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()), Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure but on a loopback address without TLS, where browsers keep no such cookie
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// CookieLife is for how long a browser keeps the session's cookie, and SignInLife
// that of a sign-in under way.
func (s *Service) CookieLife() time.Duration { return s.Life }

// SignInLife is how long a sign-in may take.
func (s *Service) SignInLife() time.Duration { return attemptLife }

// Guard stands in front of everything that the instance serves. It lets a request
// through with an Identity in its context, or to one of the public paths, and answers
// every other one itself. See docs/auth.md.
func (s *Service) Guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	if o := origin(s.PublicURL); o != "" {
		if err := crossOrigin.AddTrustedOrigin(o); err != nil {
			s.Logger.Error("public_url cannot be an origin", "err", err)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.setHeaders(w.Header())
		s.noteProxy(r) //nolint:contextcheck // it logs once, whoever asks first
		w, r = s.boundBody(w, r)
		switch {
		case probe(r):
			next.ServeHTTP(w, r)
		case machine(r):
			s.serveMachine(w, r, next)
		case !s.answersTo(r.Host):
			refuse(w, r, http.StatusMisdirectedRequest,
				"This server does not answer to this name: open it by its public address (public_url, hosts), or on its own machine as localhost.")
		case crossOrigin.Check(r) != nil || foreign(r):
			refuse(w, r, http.StatusForbidden, "This request comes from a page of another site.")
		default:
			s.serveKnown(w, r, next)
		}
	})
}

// route is the path by which the router chooses, so that what is public here is what
// it serves.
func route(r *http.Request) string { return echo.GetPath(r) }

// probe reports whether an orchestrator asks.
func probe(r *http.Request) bool { return route(r) == "/healthz" || route(r) == "/readyz" }

// machine reports whether GitLab or a CI job asks, who prove who they are by secrets
// of their own and know the instance by names of their own.
func machine(r *http.Request) bool { return route(r) == "/hooks/gitlab" || route(r) == "/ci/generate" }

// public reports whether everybody may ask for a path.
func public(p string) bool {
	return p == "/login" || p == "/favicon.ico" || strings.HasPrefix(p, "/static/") || strings.HasPrefix(p, "/auth/")
}

// serveMachine slows clients that are refused again and again. One that is accepted is
// never slowed: behind a proxy that is not listed, it has the address of the others.
func (s *Service) serveMachine(w http.ResponseWriter, r *http.Request, next http.Handler) {
	client := clientAddress(r, s.Proxies)
	next.ServeHTTP(&slowedWriter{ResponseWriter: w, take: func() bool { return s.hooks.take(client, s.Now()) }}, r)
}

// slowedWriter answers 429 in place of a refusal when there is none left to take.
type slowedWriter struct {
	http.ResponseWriter
	take func() bool
}

func (w *slowedWriter) WriteHeader(status int) {
	if (status == http.StatusUnauthorized || status == http.StatusForbidden) && !w.take() {
		w.Header().Set("Retry-After", "30")
		status = http.StatusTooManyRequests
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer.
func (w *slowedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// foreign reports whether a page of another site asks for more than to be left for a
// page of ours: to show ours inside of its own, to load parts, to read
// (https://www.w3.org/TR/fetch-metadata/). Programs send no such headers.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site == "" || site == "same-origin" || site == "none" {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	return !read || mode != "navigate" || dest != "document" && dest != "empty"
}

// answersTo reports whether the instance goes by a Host header's name. A name that
// somebody else has pointed at this address (DNS rebinding) is none.
func (s *Service) answersTo(host string) bool {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = strings.ToLower(h)
	}
	if IsLoopbackName(host) {
		return true
	}
	u, err := url.Parse(s.PublicURL)
	if err == nil && s.PublicURL != "" && strings.EqualFold(u.Hostname(), strings.Trim(name, "[]")) {
		return true
	}
	return slices.ContainsFunc(s.Hosts,
		func(h string) bool { return strings.EqualFold(h, name) || strings.EqualFold(h, host) })
}

// IsLoopbackName reports whether a Host header, or an address to listen at, names
// this machine's loopback interface.
func IsLoopbackName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// setHeaders sets what every answer has; pages set a policy of their own.
func (s *Service) setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if strings.HasPrefix(s.PublicURL, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// serveKnown lets a request through with the identity of its sender.
func (s *Service) serveKnown(w http.ResponseWriter, r *http.Request, next http.Handler) {
	p := route(r)
	client := clientAddress(r, s.Proxies)
	if s.costly(r) && !s.signIns.take(client, s.Now()) {
		tooMany(w, r)
		return
	}
	who, err := s.identify(r, client, byHand(r))
	switch {
	case err == nil && (who.Role() > 0 || public(p) || p == "/logout"):
		ctx, end := s.watch(r, who)
		defer end()
		next.ServeHTTP(w, r.WithContext(With(ctx, who))) //nolint:contextcheck // ctx is the request's, made to end sooner
	case err == nil:
		s.note(r.Context(), who, "refused", "", map[string]string{"path": short(p), "reason": "no role"})
		s.answerNoRole(w, r)
	case public(p) && r.Header.Get("Authorization") == "":
		next.ServeHTTP(w, r.WithContext(With(r.Context(), Identity{})))
	default:
		s.answerUnknown(w, r, err)
	}
}

// costly reports whether a request makes us ask the identity provider: the end of a
// sign-in that was begun here, in this browser.
func (s *Service) costly(r *http.Request) bool {
	if route(r) != "/auth/callback" || s.open() {
		return false
	}
	c, err := r.Cookie(s.SignInCookie())
	if err != nil {
		return false
	}
	var a attempt
	text, err := s.sealer.open(purposeSignIn, c.Value)
	return err == nil && json.Unmarshal([]byte(text), &a) == nil && same(a.State, r.URL.Query().Get("state"))
}

// byHand reports whether a person does something, and not a page by itself: an open
// page reloads itself for days, and must not keep a session alive by that.
func byHand(r *http.Request) bool {
	return r.Header.Get("X-Fragment") == "" && !strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
}

// errTooMany says that a client has proved nothing too often.
var errTooMany = errors.New("too many requests that prove nothing")

// identify is who makes a request: by its token, or else by its session, of which use
// says whether it is being used.
func (s *Service) identify(r *http.Request, client string, use bool) (Identity, error) {
	if s.open() {
		return Everybody(), nil
	}
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Identity{}, refusef("Want the header Authorization: Bearer, with a token.")
		}
		return s.byBearerOf(r.Context(), client, strings.TrimSpace(token))
	}
	if c, err := r.Cookie(s.SessionCookie()); err == nil && c.Value != "" {
		return s.bySession(r.Context(), c.Value, use)
	}
	return Identity{}, errUnknown
}

// byBearerOf is who presents a token. A client whose tokens prove nothing gets
// errTooMany after a while, which slows guesses. A good token is accepted all the same:
// behind a proxy that is not listed, everybody has the address of the one who guesses.
func (s *Service) byBearerOf(ctx context.Context, client, token string) (Identity, error) {
	who, err := s.byBearer(ctx, client, token)
	if refused(err) {
		s.noteRefusal(ctx, "token_refused", err)
		if !s.failures.take(client, s.Now()) {
			return Identity{}, errTooMany
		}
	}
	return who, err
}

// refused reports whether what was presented proves nothing, whoever asks about it.
func refused(err error) bool {
	var r *Refusal
	return errors.Is(err, errUnknown) || errors.As(err, &r)
}

// recheckEvery is how often the rights of a long request are checked again.
const recheckEvery = 30 * time.Second

// watch returns the request's context, which ends when who makes it may not go on: a
// stream of events or a followed log is one request for hours. Requests that change
// something are let end.
func (s *Service) watch(r *http.Request, who Identity) (context.Context, func()) {
	if s.open() || public(route(r)) || r.Method != http.MethodGet {
		return r.Context(), func() {}
	}
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		tick := time.NewTicker(s.recheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now, err := s.identify(r.WithContext(ctx), clientAddress(r, s.Proxies), false)
			if refused(err) || err == nil && !reflect.DeepEqual(now, who) {
				cancel()
			}
		}
	}()
	return ctx, cancel
}

// answerUnknown sends people to the sign-in page, and tells programs.
func (s *Service) answerUnknown(w http.ResponseWriter, r *http.Request, err error) {
	var why *Refusal
	switch {
	case errors.Is(err, errTooMany):
		tooMany(w, r)
	case errors.Is(err, ErrProviderAway):
		s.Logger.WarnContext(r.Context(), "a token could not be checked", "err", err)
		w.Header().Set("Retry-After", "5")
		refuse(w, r, http.StatusServiceUnavailable, "Who you are cannot be checked now: try again.")
	case errors.Is(err, store.ErrUnavailable):
		s.Logger.ErrorContext(r.Context(), "find out who makes a request", "err", err)
		w.Header().Set("Retry-After", "2")
		refuse(w, r, http.StatusServiceUnavailable,
			"Who you are cannot be checked now, since the database does not answer: try again.")
	case !refused(err):
		s.Logger.ErrorContext(r.Context(), "find out who makes a request", "err", err)
		refuse(w, r, http.StatusInternalServerError, "Who you are cannot be checked now. The cause is in the server's log.")
	case wantsPage(r):
		http.Redirect(w, r, "/login?return_to="+url.QueryEscape(pageOf(r)), http.StatusSeeOther)
	case errors.As(err, &why):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		refuse(w, r, http.StatusUnauthorized, why.Reason)
	default:
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, r, http.StatusUnauthorized, "Not authenticated")
	}
}

// answerNoRole tells somebody who is known, and whom no rule gives anything.
func (s *Service) answerNoRole(w http.ResponseWriter, r *http.Request) {
	if wantsPage(r) {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	refuse(w, r, http.StatusForbidden, "Nobody has given you a role here")
}

// pageOf is the page to come back to after a sign-in.
func pageOf(r *http.Request) string {
	if r.Method != http.MethodGet {
		return "/"
	}
	return LocalPath(r.URL.RequestURI())
}

// wantsPage reports whether a person's browser asks for a page as a whole.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return !isAPI(r) && r.Header.Get("Authorization") == "" && r.Header.Get("X-Fragment") == "" &&
		!strings.HasPrefix(accept, "text/plain") && !strings.HasPrefix(accept, "text/event-stream") &&
		!strings.HasPrefix(accept, "application/json")
}

func isAPI(r *http.Request) bool {
	return route(r) == "/api" || strings.HasPrefix(route(r), "/api/") || strings.HasPrefix(route(r), "/auth/")
}

func tooMany(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "30")
	refuse(w, r, http.StatusTooManyRequests, "Too many requests from this address: wait a little.")
}

// refuse answers in Airflow's shape to programs, and in plain words to people.
func refuse(w http.ResponseWriter, r *http.Request, status int, words string) {
	if isAPI(r) || machine(r) {
		writeJSON(w, status, map[string]string{"detail": words})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(words + "\n"))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // nobody is there to tell when it fails
}

// short bounds what of a request is written down.
func short(text string) string {
	const most = 200
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
