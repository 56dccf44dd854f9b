// Package auth tells who makes a request and what that person may do: sign-in
// through OpenID Connect, sessions, API tokens, and the rules that turn groups
// into roles over DAGs.
//
// Everything is denied that no rule grants. A request that has passed the
// middleware carries an Identity; what it may see stands in its context as a
// store.Scope, so that a handler that forgets to ask shows nothing either.
package auth

import (
	"context"

	"dagwright/dag"
	"dagwright/store"
)

// Identity is who makes a request.
type Identity struct {
	// Name stands in the audit log and on pages, such as an e-mail address.
	Name string
	// Via says how the person proved it: "session", "token", "oidc" (a token of the
	// identity provider), "kubernetes", or "none" where the instance asks for no
	// sign-in.
	Via string
	// Issuer and Subject name the person for good; empty for services.
	Issuer, Subject string
	// Session is the ID of the session; empty without one.
	Session string
	// Grants are what the person may do.
	Grants []Grant
}

// Grant is a role over the DAGs of a scope.
type Grant struct {
	Role  dag.Role
	Scope store.Scope
}

// Everybody is who makes requests to an instance that asks for no sign-in.
func Everybody() Identity {
	return Identity{Name: "anonymous", Via: "none", Grants: []Grant{{Role: dag.RoleAdmin, Scope: store.Scope{All: true}}}}
}

// Person reports whether somebody has proved to the identity provider who they are,
// for this very request; a token of a script does not.
func (i Identity) Person() bool { return i.Subject != "" && (i.Via == "session" || i.Via == "oidc") }

// actor is who acts, for the audit log.
func (i Identity) actor() store.Actor { return store.Actor{User: i.Name, Via: "ui"} }

// Scope has the DAGs over which the identity has at least the role.
func (i Identity) Scope(least dag.Role) store.Scope {
	var s store.Scope
	for _, g := range i.Grants {
		if g.Role >= least && g.Role > dag.RoleNone {
			s.All = s.All || g.Scope.All
			s.Any = append(s.Any, g.Scope.Any...)
		}
	}
	return s
}

// Role is the highest role that the identity has over any DAG.
func (i Identity) Role() dag.Role {
	highest := dag.RoleNone
	for _, g := range i.Grants {
		highest = max(highest, g.Role)
	}
	return highest
}

// InstanceRole is the role over every DAG, which acts on the whole instance require.
func (i Identity) InstanceRole() dag.Role {
	highest := dag.RoleNone
	for _, g := range i.Grants {
		if g.Scope.All {
			highest = max(highest, g.Role)
		}
	}
	return highest
}

type identityKey struct{}

// With returns a context that carries the identity, and whose reads of the store
// see what the identity may see.
func With(ctx context.Context, i Identity) context.Context {
	return store.WithScope(context.WithValue(ctx, identityKey{}, i), i.Scope(dag.RoleViewer))
}

// From is the context's identity; the zero Identity, which may do nothing, when
// there is none.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(identityKey{}).(Identity)
	return i
}
