package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dagwright/dag"
	"dagwright/store"
)

// Config is what a Service needs.
type Config struct {
	Store  *store.Store
	Logger *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Provider signs people in. Without one everybody may do everything: see Everybody.
	Provider *Provider
	// Rules say who may do what.
	Rules *RulesFile
	// Key encrypts the provider's tokens in the database, and sign-ins under way.
	Key dag.Secret
	// Label is the text of the button of the sign-in page.
	Label string
	// PublicURL is where people reach the pages; empty for a loopback address alone.
	PublicURL string
	// Hosts are further names by which the instance may be reached.
	Hosts []string
	// Proxies are trusted to tell the address of a client in X-Forwarded-For.
	Proxies []netip.Prefix
	// Idle and Life are after how long a session ends that is not used, and any; 8 and
	// 24 hours when zero. Refresh is how often claims are asked for again; 5 minutes
	// when zero.
	Idle, Life, Refresh time.Duration
	// TokenLife is the longest life of an API token, 90 days when zero. ConfirmAge is
	// for how long a personal token works since its owner was seen by the identity
	// provider, 30 days when zero.
	TokenLife, ConfirmAge time.Duration
	// Reviews checks tokens of Kubernetes' service accounts for ReviewAudiences; nil
	// accepts none.
	Reviews         Reviews
	ReviewAudiences []string
}

// Service tells who makes a request and what they may do. It is safe for concurrent
// use.
type Service struct {
	Config
	sealer   *sealer
	reviewer *reviewer
	secure   bool // cookies travel over https only

	signIns  *budget // sign-ins for whose end the provider is asked, by client
	failures *budget // what proved nothing, by client
	hooks    *budget // hooks and CI jobs that were refused, by client
	audit    *budget // refusals written down, by person and act
	seen     *budget // people written down who use the provider's tokens

	mu      sync.Mutex
	notes   *rate.Limiter // refusals written down, in all
	dropped int           // and not written down

	recheck    time.Duration // see recheckEvery
	bodyWait   time.Duration // see the constant
	refreshing sync.WaitGroup
	proxyNoted sync.Once
}

// New returns a service. The error says what the configuration lacks.
func New(c Config) (*Service, error) {
	defaults(&c)
	s := &Service{
		Config:  c,
		signIns: newBudget(5, 100), failures: newBudget(0.5, 30), hooks: newBudget(5, 100),
		recheck: recheckEvery, bodyWait: bodyWait, audit: newBudget(1.0/60, 2), seen: newBudget(1.0/60, 1),
		notes: rate.NewLimiter(10, 100),
	}
	if s.open() {
		return s, nil
	}
	if c.Rules == nil {
		return nil, errors.New("without rules nobody may do anything")
	}
	if origin(c.PublicURL) == "" {
		return nil, errors.New("the identity provider needs an address to send people back to: public_url")
	}
	var err error
	if s.sealer, err = newSealer(c.Key); err != nil {
		return nil, err
	}
	if c.Reviews != nil {
		if len(c.ReviewAudiences) == 0 {
			return nil, errors.New("tokens of service accounts need an audience")
		}
		s.reviewer = &reviewer{reviews: c.Reviews, audiences: c.ReviewAudiences}
	}
	s.secure = strings.HasPrefix(c.PublicURL, "https://")
	return s, nil
}

func defaults(c *Config) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Label == "" {
		c.Label = "Sign in"
	}
	const day = 24 * time.Hour
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&c.Idle, 8 * time.Hour}, {&c.Life, day}, {&c.Refresh, 5 * time.Minute}, {&c.TokenLife, 90 * day},
		{&c.ConfirmAge, 30 * day}} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
}

// Close waits for the refreshes that are under way.
func (s *Service) Close() error {
	s.refreshing.Wait()
	return nil
}

// open reports whether nobody is asked who they are.
func (s *Service) open() bool { return s.Provider == nil }

// SignsIn reports whether the instance asks people who they are.
func (s *Service) SignsIn() bool { return !s.open() }

// FormOrigins are the origins to which a form of our pages may lead in the end.
func (s *Service) FormOrigins() []string {
	if s.open() {
		return nil
	}
	return s.Provider.origins()
}

// person is somebody as they are known, with what the rules give them.
func (s *Service) person(p store.Person) (Identity, error) {
	claims, err := decodeClaims(p.Claims, s.Provider.config.GroupsClaim, s.Provider.config.NameClaim)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Name: claims.Name, Issuer: p.Issuer, Subject: p.Subject, Grants: s.Rules.Rules().Person(claims)}, nil
}

// newPerson is the person whom the provider described.
func (s *Service) newPerson(g grant) (store.Person, error) {
	p := store.Person{Issuer: s.Provider.config.Issuer, Subject: g.Subject, Claims: g.Claims, ClaimedAt: s.Now()}
	if !g.IssuedAt.IsZero() && g.IssuedAt.Before(p.ClaimedAt) {
		p.ClaimedAt = g.IssuedAt
	}
	who, err := s.person(p)
	p.Name = who.Name
	return p, err
}

const (
	purposeSignIn  = "sign-in"
	purposeID      = "id_token"
	purposeRefresh = "refresh_token"
)

// BeginSignIn starts a sign-in. to is where the browser is to go, and cookie what it
// is to keep under SignInCookie until it comes back. The error is ErrProviderAway when
// the provider does not answer.
func (s *Service) BeginSignIn(ctx context.Context, returnTo string) (to, cookie string, err error) {
	if s.open() {
		return "", "", fmt.Errorf("this instance has no sign-in: %w", dag.ErrNotFound)
	}
	a, to, err := s.Provider.begin(ctx, LocalPath(returnTo))
	if err != nil {
		return "", "", err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return "", "", fmt.Errorf("encode sign-in: %w", err)
	}
	return to, s.sealer.seal(purposeSignIn, string(text)), nil
}

// Arrival is a browser that comes back from the provider.
type Arrival struct {
	Cookie  string     // of SignInCookie
	Answer  url.Values // the callback's parameters
	Session string     // what the browser has under SessionCookie, if anything
	Agent   string     // the browser, by its own words
}

// FinishSignIn ends a sign-in with a new session: cookie is what the browser is to
// keep under SessionCookie, and to a path of this instance to go to. An error whose
// text is for the person is a Refusal.
func (s *Service) FinishSignIn(ctx context.Context, b Arrival) (to, cookie string, err error) {
	if s.open() {
		return "", "", fmt.Errorf("this instance has no sign-in: %w", dag.ErrNotFound)
	}
	a, g, err := s.arrive(ctx, b)
	if err != nil {
		s.noteRefusal(ctx, "sign_in_refused", err)
		return "", "", err
	}
	p, err := s.newPerson(g)
	if err != nil {
		return "", "", err
	}
	cookie = random()
	n := store.Session{
		Hash: digest(cookie), ID: random()[:16], Person: p, Agent: cleanName(b.Agent), CreatedAt: p.ClaimedAt,
		SeenAt:    p.ClaimedAt,
		ExpiresAt: p.ClaimedAt.Add(s.Life), IdleUntil: p.ClaimedAt.Add(min(s.Idle, s.Life)),
	}
	s.takeGrant(&n, g)
	replaces := ""
	if b.Session != "" {
		replaces = digest(b.Session)
	}
	if err := s.Store.StartSession(ctx, n, replaces); err != nil {
		return "", "", err
	}
	return LocalPath(a.ReturnTo), cookie, nil
}

// arrive opens the sign-in that the browser began, and asks the provider what its
// answer is worth.
func (s *Service) arrive(ctx context.Context, b Arrival) (a attempt, g grant, err error) {
	text, err := s.sealer.open(purposeSignIn, b.Cookie)
	if err != nil || text == "" || json.Unmarshal([]byte(text), &a) != nil {
		return a, g, refusef("This sign-in was not begun in this browser, or it took too long.")
	}
	g, err = s.Provider.finish(ctx, a, b.Answer)
	return a, g, err
}

// takeGrant puts what the provider gave into a session.
func (s *Service) takeGrant(n *store.Session, g grant) {
	if g.SID != "" {
		n.SID = g.SID
	}
	if g.IDToken != "" {
		n.IDToken = s.sealer.seal(purposeID, g.IDToken)
	}
	n.RefreshToken, n.RefreshAt = s.sealer.seal(purposeRefresh, g.RefreshToken), time.Time{}
	if g.RefreshToken != "" {
		n.RefreshAt = s.Now().Add(s.Refresh)
	}
}

// SignOut ends the session that a browser has, and returns where it is to go: to the
// provider, which ends its own session too, or else to the sign-in page.
func (s *Service) SignOut(ctx context.Context, cookie string) (to string, err error) {
	const here = "/login"
	if s.open() || cookie == "" {
		return here, nil
	}
	n, err := s.Store.Session(ctx, digest(cookie))
	if errors.Is(err, dag.ErrNotFound) {
		return here, nil
	}
	if err != nil {
		return "", err
	}
	by := store.Actor{User: n.Person.Name, Via: "ui"}
	if err := s.Store.EndSession(ctx, by, "sign_out", n.ID, "", ""); err != nil && !errors.Is(err, dag.ErrNotFound) {
		return "", err
	}
	idToken, err := s.sealer.open(purposeID, n.IDToken)
	if err != nil {
		s.Logger.WarnContext(ctx, "the key has changed: the provider is asked to sign out without an ID token", "err", err)
	}
	if to := s.Provider.logoutURL(ctx, idToken); to != "" {
		return to, nil
	}
	return here, nil
}

// Sessions lists the sessions of the person who makes the request, or everybody's for an
// administrator who asks for all.
func (s *Service) Sessions(ctx context.Context, all bool) ([]store.Session, error) {
	issuer, subject, err := s.whose(ctx, all)
	if err != nil {
		return nil, err
	}
	return s.Store.Sessions(ctx, issuer, subject, s.Now())
}

// EndSession ends a session of the person who makes the request, or any for an
// administrator.
func (s *Service) EndSession(ctx context.Context, id string) error {
	who := From(ctx)
	issuer, subject, err := s.whose(ctx, who.InstanceRole() >= dag.RoleAdmin)
	if err != nil {
		return err
	}
	return s.Store.EndSession(ctx, who.actor(), "end_session", id, issuer, subject)
}

// bySession is whose browser it is; use says that it counts as use of the session.
func (s *Service) bySession(ctx context.Context, cookie string, use bool) (Identity, error) {
	n, err := s.Store.Session(ctx, digest(cookie))
	if errors.Is(err, dag.ErrNotFound) {
		return Identity{}, errUnknown
	}
	if err != nil {
		return Identity{}, err
	}
	now := s.Now()
	if !now.Before(n.ExpiresAt) || !now.Before(n.IdleUntil) {
		return Identity{}, errUnknown
	}
	if !n.RefreshAt.IsZero() && !now.Before(n.RefreshAt) {
		if n, err = s.refreshed(ctx, n); err != nil {
			return Identity{}, err
		}
	}
	if use && now.Sub(n.SeenAt) > tokenUse {
		idle := now.Add(s.Idle)
		if idle.After(n.ExpiresAt) {
			idle = n.ExpiresAt
		}
		if err := s.Store.UseSession(ctx, n.Hash, now, idle); err != nil {
			return Identity{}, err
		}
	}
	who, err := s.person(n.Person)
	who.Via, who.Session = "session", n.ID
	return who, err
}

const (
	// refreshWait is how long a request waits for a refresh.
	refreshWait = 3 * time.Second
	// refreshPause is how long a refresh that failed is not tried again.
	refreshPause = 30 * time.Second
)

// refreshed brings a session up to date. While the provider is unavailable, slow, or
// asked by another request, the session stays as it was: it does not end by that.
func (s *Service) refreshed(ctx context.Context, n store.Session) (store.Session, error) {
	mine, err := s.Store.ClaimRefresh(ctx, n.Hash, n.RefreshAt, s.Now().Add(refreshPause))
	if err != nil || !mine {
		return n, err
	}
	type outcome struct {
		n   store.Session
		err error
	}
	done := make(chan outcome, 1)
	// What the provider answers is kept even if the request is gone: a refresh token
	// that was used up is good for nothing.
	s.refreshing.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*providerTimeout)
		defer cancel()
		fresh, err := s.refresh(ctx, n)
		done <- outcome{fresh, err}
	})
	late := time.NewTimer(refreshWait)
	defer late.Stop()
	select {
	case o := <-done:
		return o.n, o.err
	case <-late.C:
		return n, nil
	}
}

func (s *Service) refresh(ctx context.Context, n store.Session) (store.Session, error) {
	token, err := s.sealer.open(purposeRefresh, n.RefreshToken)
	if err != nil {
		return n, s.drop(ctx, n, "the key has changed", err)
	}
	g, err := s.Provider.refresh(ctx, n.Person.Subject, token)
	switch {
	case errors.Is(err, ErrProviderAway):
		s.Logger.WarnContext(ctx, "refresh of a session put off", "err", err)
		return n, nil
	case err != nil:
		return n, s.drop(ctx, n, "the identity provider ended it", err)
	}
	if n.Person, err = s.newPerson(g); err != nil {
		return n, err
	}
	s.takeGrant(&n, g)
	if err := s.Store.RefreshSession(ctx, n); errors.Is(err, dag.ErrNotFound) {
		return n, errUnknown
	} else if err != nil {
		return n, err
	}
	return n, nil
}

// drop ends a session that cannot go on.
func (s *Service) drop(ctx context.Context, n store.Session, why string, cause error) error {
	s.Logger.InfoContext(ctx, "a session has ended", "reason", why, "err", cause)
	err := s.Store.EndSession(ctx, store.Actor{User: n.Person.Name, Via: "identity_provider"}, "sign_out", n.ID, "", "")
	if err != nil && !errors.Is(err, dag.ErrNotFound) {
		return err
	}
	return errUnknown
}

// byBearer is who presents a token. A client that has used up its failures makes us ask
// no Kubernetes about a token that was not good before.
func (s *Service) byBearer(ctx context.Context, client, token string) (Identity, error) {
	if strings.HasPrefix(token, tokenPrefix) {
		return s.byToken(ctx, token)
	}
	issuer := issuerOf(token)
	switch {
	case issuer == "":
		return Identity{}, errUnknown
	case issuer == s.Provider.config.Issuer:
		return s.byProviderToken(ctx, token)
	case s.reviewer != nil:
		mayAsk := func() bool { return s.failures.left(client, s.Now()) }
		namespace, name, err := s.reviewer.account(ctx, token, s.Now(), mayAsk)
		if err != nil {
			return Identity{}, err
		}
		return Identity{Name: "system:serviceaccount:" + namespace + ":" + name, Via: "kubernetes",
			Grants: s.Rules.Rules().ServiceAccount(namespace, name)}, nil
	}
	return Identity{}, errUnknown
}

// byProviderToken is who presents a token of the identity provider, as the command
// line does.
func (s *Service) byProviderToken(ctx context.Context, token string) (Identity, error) {
	g, err := s.Provider.bearer(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	p, err := s.newPerson(g)
	if err != nil {
		return Identity{}, err
	}
	if s.seen.take(p.Issuer+"#"+p.Subject, s.Now()) {
		if err := s.Store.SavePerson(ctx, p); err != nil {
			return Identity{}, err
		}
	}
	who, err := s.person(p)
	who.Via = "oidc"
	return who, err
}

// LocalPath returns the path if it leads to a page of this server, and "/" otherwise:
// no link made elsewhere sends a browser away from it.
func LocalPath(path string) string {
	const most = 2000
	bad := func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }
	if len(path) > most || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsFunc(path, bad) {
		return "/"
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") ||
		strings.Contains(u.Path, "\\") {
		return "/"
	}
	for _, own := range []string{"/login", "/logout", "/auth/"} {
		if strings.HasPrefix(u.Path, own) {
			return "/"
		}
	}
	return path
}
