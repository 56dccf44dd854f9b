package auth

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// User is who makes a request, for the audit log and pages.
func User(c echo.Context) string { return From(c.Request().Context()).Name }

// Allow is the function Allow, and writes refusals to the audit log.
func (s *Service) Allow(c echo.Context, right dag.Right, id dag.ID) error {
	err := Allow(s.Store)(c, right, id)
	ctx := c.Request().Context()
	who := From(ctx)
	// For whom sees every DAG, one that is not found is none.
	hidden := errors.Is(err, dag.ErrNotFound) && !who.Scope(dag.RoleViewer).All
	if hidden || errors.Is(err, dag.ErrForbidden) {
		// Entries of the audit log have named it "act" from the start.
		s.note(ctx, who, "refused", id, map[string]string{"act": string(right), "needs": right.Needs().String()})
	}
	return err
}

// noteRefusal writes down that something that was presented proves nothing.
func (s *Service) noteRefusal(ctx context.Context, event string, err error) {
	var why *Refusal
	switch {
	case errors.As(err, &why):
		s.note(ctx, Identity{}, event, "", map[string]string{"reason": short(why.Reason)})
	case errors.Is(err, errUnknown):
		s.note(ctx, Identity{}, event, "", map[string]string{"reason": errUnknown.Error()})
	}
}

// note writes a refusal into the audit log: for one person and one thing twice at
// once and then once a minute, and ten a second in all, so that nobody fills the log.
func (s *Service) note(ctx context.Context, who Identity, event string, id dag.ID, details map[string]string) {
	extra, _ := json.Marshal(details) // strings always marshal
	now := s.Now()
	if !s.audit.take(who.Name+"\x00"+event+"\x00"+string(id)+"\x00"+string(extra), now) || !s.notes.AllowN(now, 1) {
		s.mu.Lock()
		s.dropped++
		s.mu.Unlock()
		return
	}
	s.mu.Lock()
	dropped := s.dropped
	s.dropped = 0
	s.mu.Unlock()
	if dropped > 0 {
		s.Logger.InfoContext(ctx, "refusals were not written down, like ones were", "count", dropped)
	}
	entry := store.AuditEntry{By: store.Actor{User: who.Name, Via: via(who)}, Event: event, DAG: dag.ID(short(string(id))),
		Extra: string(extra)}
	if err := s.Store.Note(context.WithoutCancel(ctx), entry); err != nil {
		s.Logger.ErrorContext(ctx, "write a refusal into the audit log", "err", err)
	}
}

// via says by what door somebody came.
func via(who Identity) string {
	if who.Via == "session" {
		return "ui"
	}
	return "rest_api"
}
