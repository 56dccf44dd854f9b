package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// tokenPrefix begins every API token, so that people and scanners for secrets know
// one when they see it.
const tokenPrefix = "dwt_"

// newTokenText makes what a script presents: the prefix, 260 random bits, and a
// checksum by which a mistyped one is recognised without the store.
func newTokenText() string {
	body := tokenPrefix + rand.Text() + rand.Text()
	return body + checksum(body)
}

func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// isToken reports whether a text has the form of an API token.
func isToken(text string) bool {
	const length = len(tokenPrefix) + 2*26 + 8
	if len(text) != length || !strings.HasPrefix(text, tokenPrefix) {
		return false
	}
	return checksum(text[:length-8]) == text[length-8:]
}

// NewToken is what somebody wants of a new API token.
type NewToken struct {
	Name string
	// Role bounds what it may do; a personal token also never does more than its owner
	// may at that time.
	Role dag.Role
	// DAGs are ids, or beginnings of ids with "*" at their end; every DAG when empty.
	DAGs []string
	// Life is for how long it is good; the longest that the instance allows when zero.
	Life time.Duration
	// Service makes a token that acts by itself, for which Projects are GitLab paths of
	// models or groups. Only an administrator may.
	Service  bool
	Projects []string
}

const (
	maxTokenName = 100
	maxTokenDAGs = 100
)

// check returns the scope of the token.
func (n NewToken) check() (store.Scope, error) {
	switch {
	case n.Name == "" || n.Name != cleanName(n.Name) || len(n.Name) > maxTokenName:
		return store.Scope{}, fmt.Errorf("name: want 1 to %d characters on one line: %w", maxTokenName, dag.ErrInvalid)
	case n.Role <= dag.RoleNone || n.Role > dag.RoleAdmin:
		return store.Scope{}, fmt.Errorf("role: want viewer, operator or admin: %w", dag.ErrInvalid)
	case len(n.DAGs) > maxTokenDAGs || len(n.Projects) > maxTokenDAGs:
		return store.Scope{}, fmt.Errorf("dags: want %d at most: %w", maxTokenDAGs, dag.ErrInvalid)
	case len(n.Projects) > 0 && !n.Service:
		return store.Scope{}, fmt.Errorf("projects: only a service's token can have them: %w", dag.ErrInvalid)
	case n.Life < 0:
		return store.Scope{}, fmt.Errorf("life: want a time that is to come: %w", dag.ErrInvalid)
	}
	for _, id := range n.DAGs {
		if err := dag.CheckID(strings.TrimSuffix(id, "*")); err != nil {
			return store.Scope{}, fmt.Errorf("dags: %.60q is neither a DAG id nor the beginning of one with * at its end: %w",
				id, dag.ErrInvalid)
		}
	}
	for _, project := range n.Projects {
		for part := range strings.SplitSeq(project, "/") {
			if err := dag.CheckID(part); err != nil {
				return store.Scope{}, fmt.Errorf("projects: %.60q is not a GitLab path: %w", project, dag.ErrInvalid)
			}
		}
	}
	if len(n.DAGs) == 0 && len(n.Projects) == 0 {
		return store.Scope{All: true}, nil
	}
	return store.Scope{Any: []store.Selection{{DAGs: n.DAGs, Projects: n.Projects}}}, nil
}

// ErrSignInOff says that the instance asks nobody who they are, so that nobody has sessions
// or tokens, whatever their role. It is a dag.ErrForbidden.
var ErrSignInOff = fmt.Errorf("sign-in is off (auth: none), so there are neither sessions nor tokens: %w",
	dag.ErrForbidden)

// CreateToken makes an API token for whoever makes the request, and returns what a script
// is to present, which is shown this once. The error is dag.ErrInvalid,
// dag.ErrConflict for a name that is taken, dag.ErrForbidden, or ErrSignInOff.
func (s *Service) CreateToken(ctx context.Context, n NewToken) (text string, made store.APIToken, err error) {
	who := From(ctx)
	scope, err := n.check()
	switch {
	case s.open():
		return "", made, ErrSignInOff
	case !who.Person():
		return "", made, fmt.Errorf("only a person who has signed in makes tokens, not another token: %w", dag.ErrForbidden)
	case err != nil:
		return "", made, err
	case n.Service && who.InstanceRole() < dag.RoleAdmin:
		return "", made, fmt.Errorf("only an administrator of the instance makes tokens of services: %w", dag.ErrForbidden)
	case !n.Service && n.Role > who.Role():
		return "", made, fmt.Errorf("role: you are %s yourself, and a token can be no more: %w", who.Role(), dag.ErrInvalid)
	case n.Life > s.TokenLife:
		return "", made, fmt.Errorf("life: this instance allows %d days at most: %w", int(s.TokenLife/(24*time.Hour)),
			dag.ErrInvalid)
	}
	if n.Life == 0 {
		n.Life = s.TokenLife
	}
	text = newTokenText()
	now := s.Now()
	made = store.APIToken{
		ID: rand.Text()[:12], Hash: digest(text), Name: n.Name, Role: n.Role, Scope: scope,
		CreatedBy: who.Name, CreatedAt: now, ExpiresAt: now.Add(n.Life),
	}
	if !n.Service {
		made.Owner = store.Person{Issuer: who.Issuer, Subject: who.Subject}
	}
	if made.ID, err = s.Store.CreateToken(ctx, who.actor(), made); err != nil {
		return "", store.APIToken{}, err
	}
	return text, made, nil
}

// Tokens lists the tokens of the person who makes the request, or everybody's for an
// administrator who asks for all.
func (s *Service) Tokens(ctx context.Context, all bool) ([]store.APIToken, error) {
	issuer, subject, err := s.whose(ctx, all)
	if err != nil {
		return nil, err
	}
	return s.Store.Tokens(ctx, issuer, subject)
}

// RevokeToken ends a token of the person who makes the request, or any for an
// administrator.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	who := From(ctx)
	issuer, subject, err := s.whose(ctx, who.InstanceRole() >= dag.RoleAdmin)
	if err != nil {
		return err
	}
	return s.Store.RevokeToken(ctx, who.actor(), id, issuer, subject)
}

// whose says of whom sessions and tokens may be seen: of one person, or with an empty
// subject of all.
func (s *Service) whose(ctx context.Context, all bool) (issuer, subject string, err error) {
	who := From(ctx)
	switch {
	case s.open():
		return "", "", ErrSignInOff
	case all && who.InstanceRole() >= dag.RoleAdmin && who.Person():
		return "", "", nil
	case all:
		return "", "", fmt.Errorf("only an administrator of the instance sees what others have: %w", dag.ErrForbidden)
	case who.Subject == "" || !who.Person():
		return "", "", fmt.Errorf(
			"a person's own sign-in manages sessions and tokens, not a token: run \"dagwright login\", or open the page \"API tokens\": %w",
			dag.ErrForbidden)
	}
	return who.Issuer, who.Subject, nil
}

// errUnknown says that what was presented proves nothing.
var errUnknown = errors.New("unknown, expired or revoked")

// tokenUse is how exact the time is at which a token or session was used last.
const tokenUse = time.Minute

// byToken is who presents an API token.
func (s *Service) byToken(ctx context.Context, text string) (Identity, error) {
	if !isToken(text) {
		return Identity{}, errUnknown
	}
	t, err := s.Store.Token(ctx, digest(text))
	if errors.Is(err, dag.ErrNotFound) {
		return Identity{}, errUnknown
	}
	if err != nil {
		return Identity{}, err
	}
	now := s.Now()
	if !now.Before(t.ExpiresAt) {
		return Identity{}, errUnknown
	}
	own := []Grant{{Role: t.Role, Scope: t.Scope}}
	i := Identity{Name: "token " + t.Name, Via: "token", Grants: own}
	if !t.Service() {
		// Whom the provider has not confirmed for long may not be there any more.
		if now.Sub(t.Owner.ClaimedAt) > s.ConfirmAge {
			return Identity{}, refusef("Sign in once in a browser: the owner of this token has not signed in for %d days.",
				int(s.ConfirmAge/(24*time.Hour)))
		}
		owner, err := s.person(t.Owner)
		if err != nil {
			return Identity{}, err
		}
		i = Identity{Name: owner.Name, Via: "token", Issuer: t.Owner.Issuer, Subject: t.Owner.Subject,
			Grants: limit(owner.Grants, own[0])}
	}
	if now.Sub(t.LastUsed) > tokenUse {
		if err := s.Store.UseToken(ctx, t.ID, now); err != nil {
			return Identity{}, err
		}
	}
	return i, nil
}

// limit is what grants have in common with a bound. What two patterns have in common
// but no single one says is left out: a token then does less, never more.
func limit(grants []Grant, bound Grant) (limited []Grant) {
	for _, g := range grants {
		if role := min(g.Role, bound.Role); role > dag.RoleNone {
			if scope := common(g.Scope, bound.Scope); scope.All || len(scope.Any) > 0 {
				limited = append(limited, Grant{Role: role, Scope: scope})
			}
		}
	}
	return limited
}

// common is the scope of what is in both. b's selections may name ids of DAGs only.
func common(a, b store.Scope) store.Scope {
	if a.All {
		return b
	}
	if b.All {
		return a
	}
	var both store.Scope
	for _, left := range a.Any {
		for _, right := range b.Any {
			if len(right.Owners)+len(right.Tags)+len(right.Labels)+len(right.Projects) > 0 {
				continue
			}
			s := left
			if s.DAGs = commonPatterns(left.DAGs, right.DAGs); len(s.DAGs) > 0 {
				both.Any = append(both.Any, s)
			}
		}
	}
	return both
}

// commonPatterns are the patterns of ids that some pattern of each list has.
func commonPatterns(a, b []string) (both []string) {
	if len(a) == 0 {
		return b
	}
	for _, left := range a {
		for _, right := range b {
			p := left
			switch {
			case covers(right, left):
			case covers(left, right):
				p = right
			default:
				continue
			}
			if !slices.Contains(both, p) {
				both = append(both, p)
			}
		}
	}
	return both
}

// covers reports whether a pattern has at least every id that another has; of two
// patterns it may say no where it does.
func covers(pattern, other string) bool {
	if pattern == other {
		return true
	}
	if !strings.Contains(other, "*") {
		return matches(pattern, other)
	}
	start, open := strings.CutSuffix(pattern, "*")
	fixed, _, _ := strings.Cut(other, "*")
	return open && !strings.Contains(start, "*") && strings.HasPrefix(fixed, start)
}

// matches reports whether an id has a pattern, in which "*" stands for any text.
func matches(pattern, id string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(id, parts[0])
	if len(parts) == 1 || !ok {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
