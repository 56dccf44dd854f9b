package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// Person is somebody who has signed in, as the identity provider described them.
type Person struct {
	Issuer, Subject string
	Name            string // stands in the audit log and on pages
	Claims          string // JSON: what rules may look at
	ClaimedAt       time.Time
}

// Session is somebody's signed-in browser.
type Session struct {
	// Hash is of what the browser's cookie holds; that itself is kept nowhere.
	Hash string
	// ID names the session on pages and is not a secret.
	ID     string
	Person Person
	SID    string // the provider's session; may be empty
	Agent  string // the browser, by its own words
	// IDToken and RefreshToken are encrypted by the caller; RefreshToken may be
	// empty.
	IDToken, RefreshToken string
	CreatedAt, SeenAt     time.Time
	// IdleUntil is moved on by use; ExpiresAt is not.
	IdleUntil, ExpiresAt time.Time
	// RefreshAt is when the person's claims are to be asked for again; never when
	// it is zero.
	RefreshAt time.Time
}

const sessionColumns = `session.id_hash, session.id, session.issuer, session.subject, session.sid, session.agent, session.id_token,
	session.refresh_token, session.created_at, session.seen_at, session.idle_until, session.expires_at, session.refresh_at,
	person.name, person.claims, person.claimed_at`

const sessionTables = ` FROM session JOIN person ON person.issuer = session.issuer AND person.subject = session.subject`

func scanSession(r scanner) (Session, error) {
	var s Session
	p := &s.Person
	err := r.Scan(&s.Hash, &s.ID, &p.Issuer, &p.Subject, &s.SID, &s.Agent, &s.IDToken, &s.RefreshToken,
		at(&s.CreatedAt), at(&s.SeenAt), at(&s.IdleUntil), at(&s.ExpiresAt), at(&s.RefreshAt), &p.Name, &p.Claims,
		at(&p.ClaimedAt))
	return s, err
}

// StartSession stores a new session and its person as described now, and deletes the
// sessions that are over. replaces is the hash of the session that the browser had
// before, which ends; it may be empty. Starting it once more changes nothing.
func (s *Store) StartSession(ctx context.Context, begun Session, replaces string) error {
	return s.write(ctx, func(t *tx) error {
		if err := savePerson(t, begun.Person); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM session WHERE id_hash = $1 OR expires_at < $2 OR idle_until < $2`, replaces,
			t.now); err != nil {
			return fmt.Errorf("forget old sessions: %w", err)
		}
		n, err := t.exec(`INSERT INTO session (id_hash, id, issuer, subject, sid, agent, id_token, refresh_token,
			created_at, seen_at, idle_until, expires_at, refresh_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id_hash) DO NOTHING`,
			begun.Hash, begun.ID, begun.Person.Issuer, begun.Person.Subject, begun.SID, begun.Agent, begun.IDToken,
			begun.RefreshToken,
			begun.CreatedAt, begun.SeenAt, begun.IdleUntil, begun.ExpiresAt, begun.RefreshAt)
		if err != nil {
			return fmt.Errorf("write session: %w", err)
		}
		if n == 0 {
			return nil
		}
		return record(t, AuditEntry{By: Actor{User: begun.Person.Name, Via: "ui"}, Event: "sign_in"})
	})
}

func savePerson(t *tx, p Person) error {
	_, err := t.exec(`INSERT INTO person (issuer, subject, name, claims, claimed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name, claims = excluded.claims, claimed_at = excluded.claimed_at
		WHERE excluded.claimed_at >= person.claimed_at`,
		p.Issuer, p.Subject, p.Name, p.Claims, p.ClaimedAt)
	if err != nil {
		return fmt.Errorf("write person: %w", err)
	}
	return nil
}

// SavePerson writes what the identity provider said of somebody, unless something
// newer is known.
func (s *Store) SavePerson(ctx context.Context, p Person) error {
	return s.write(ctx, func(t *tx) error { return savePerson(t, p) })
}

// Session returns the session with a hash, also one that is over; dag.ErrNotFound
// when there is none.
func (s *Store) Session(ctx context.Context, hash string) (Session, error) {
	found, err := s.sessions(ctx, `session.id_hash = ?`, hash)
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	if len(found) == 0 {
		return Session{}, fmt.Errorf("session: %w", dag.ErrNotFound)
	}
	return found[0], nil
}

// Sessions lists the sessions of a person that are not over, or with an empty
// subject everybody's, the newest first and no more than 500.
func (s *Store) Sessions(ctx context.Context, issuer, subject string, now time.Time) ([]Session, error) {
	if subject == "" {
		return s.sessions(ctx, `session.expires_at >= ? AND session.idle_until >= ?`, now, now)
	}
	return s.sessions(ctx,
		`session.issuer = ? AND session.subject = ? AND session.expires_at >= ? AND session.idle_until >= ?`, issuer,
		subject, now, now)
}

func (s *Store) sessions(ctx context.Context, cond string, args ...any) (found []Session, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add(cond, args...)
		rows, err := t.query(`SELECT `+sessionColumns+sessionTables+w.String()+
			` ORDER BY session.created_at DESC, session.id LIMIT 500`, w.args...)
		found, err = collect(rows, err, scanSession)
		return err
	})
	return found, err
}

// UseSession notes that a session was used just now.
func (s *Store) UseSession(ctx context.Context, hash string, seen, idleUntil time.Time) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE session SET seen_at = $2, idle_until = $3 WHERE id_hash = $1`, hash, seen,
			idleUntil); err != nil {
			return fmt.Errorf("note use of session: %w", err)
		}
		return nil
	})
}

// ClaimRefresh makes one caller, of those that found a session due for a refresh,
// the one to do it: it reports whether this is the one. If it fails, the session is due
// again at the time again.
func (s *Store) ClaimRefresh(ctx context.Context, hash string, was, again time.Time) (mine bool, err error) {
	return act(withoutKey(ctx), s, Actor{}, "ClaimRefresh", nil, func(t *tx) (bool, error) {
		n, err := t.exec(`UPDATE session SET refresh_at = $3 WHERE id_hash = $1 AND refresh_at = $2`, hash, was, again)
		if err != nil {
			return false, fmt.Errorf("claim refresh of session: %w", err)
		}
		return n > 0, nil
	})
}

// RefreshSession writes what a refresh brought: the person's claims, and the
// session's tokens and RefreshAt. The error is dag.ErrNotFound when the session has
// ended meanwhile.
func (s *Store) RefreshSession(ctx context.Context, n Session) error {
	return s.write(ctx, func(t *tx) error {
		count, err := t.exec(
			`UPDATE session SET id_token = $2, refresh_token = $3, refresh_at = $4, sid = $5 WHERE id_hash = $1`,
			n.Hash, n.IDToken, n.RefreshToken, n.RefreshAt, n.SID)
		if err != nil {
			return fmt.Errorf("write refreshed session: %w", err)
		}
		if count == 0 {
			return fmt.Errorf("session: %w", dag.ErrNotFound)
		}
		return savePerson(t, n.Person)
	})
}

// EndSession ends the session with an ID, and audits it as event when it was there.
// With a subject it must be that person's. The error is dag.ErrNotFound otherwise.
func (s *Store) EndSession(ctx context.Context, by Actor, event, id, issuer, subject string) error {
	return s.plainAct(ctx, by, "EndSession", []any{event, id, issuer, subject}, func(t *tx) error {
		w := &where{}
		w.add("id = ?", id)
		if subject != "" {
			w.add("issuer = ?", issuer)
			w.add("subject = ?", subject)
		}
		n, err := t.exec(`DELETE FROM session`+w.String(), w.args...)
		if err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("session %.20q does not exist: %w", id, dag.ErrNotFound)
		}
		return record(t, AuditEntry{By: by, Event: event})
	})
}

// Logout is what an identity provider's logout token asks for.
type Logout struct {
	Issuer  string
	Subject string // may be empty when SID is not
	SID     string // the provider's session; every session of Subject when empty
	// TokenID makes the token count once; Expires is until when it is remembered.
	TokenID string
	Expires time.Time
}

// EndSessionsOf ends the sessions that a logout token names, and returns how many
// there were. A token that was here before ends nothing.
func (s *Store) EndSessionsOf(ctx context.Context, l Logout) (ended int, err error) {
	err = s.write(ctx, func(t *tx) error {
		ended = 0
		if _, err := t.exec(`DELETE FROM logout_token WHERE expires_at < $1`, t.now); err != nil {
			return fmt.Errorf("forget old logout tokens: %w", err)
		}
		n, err := t.exec(`INSERT INTO logout_token (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`,
			l.Issuer+"#"+l.TokenID, l.Expires)
		if err != nil {
			return fmt.Errorf("write logout token: %w", err)
		}
		if n == 0 {
			return nil
		}
		w := &where{}
		w.add("session.issuer = ?", l.Issuer)
		if l.Subject != "" {
			w.add("session.subject = ?", l.Subject)
		}
		if l.SID != "" {
			w.add("session.sid = ?", l.SID)
		}
		rows, err := t.query(`SELECT `+sessionColumns+sessionTables+w.String(), w.args...)
		gone, err := collect(rows, err, scanSession)
		if err != nil {
			return fmt.Errorf("read sessions to end: %w", err)
		}
		for _, g := range gone {
			if _, err := t.exec(`DELETE FROM session WHERE id_hash = $1`, g.Hash); err != nil {
				return fmt.Errorf("end session: %w", err)
			}
			if err := record(t,
				AuditEntry{By: Actor{User: g.Person.Name, Via: "identity_provider"}, Event: "sign_out"}); err != nil {
				return err
			}
		}
		ended = len(gone)
		return nil
	})
	return ended, err
}
