package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dagwright/dag"
)

// APIToken is a token of a script. The text that the script presents is not stored.
type APIToken struct {
	ID   string // names the token on pages, no secret
	Hash string // of what the script presents
	Name string
	// Owner is the person as whom the token acts; without a subject it is a
	// service's, and acts by itself.
	Owner Person
	// Role and Scope bound what the token may do.
	Role      dag.Role
	Scope     Scope
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	LastUsed  time.Time // to the minute; zero when it never was
}

// Service reports whether the token acts by itself, and not as a person.
func (a APIToken) Service() bool { return a.Owner.Subject == "" }

const tokenColumns = `api_token.id, api_token.hash, api_token.name, api_token.issuer, api_token.subject, api_token.role, api_token.scope,
	api_token.created_by, api_token.created_at, api_token.expires_at, api_token.last_used_at,
	COALESCE(person.name, ''), COALESCE(person.claims, ''), COALESCE(person.claimed_at, 0)`

const tokenTables = ` FROM api_token LEFT JOIN person ON person.issuer = api_token.issuer AND person.subject = api_token.subject`

func scanToken(r scanner) (APIToken, error) {
	var a APIToken
	var scope string
	p := &a.Owner
	err := r.Scan(&a.ID, &a.Hash, &a.Name, &p.Issuer, &p.Subject, &a.Role, &scope, &a.CreatedBy,
		at(&a.CreatedAt), at(&a.ExpiresAt), at(&a.LastUsed), &p.Name, &p.Claims, at(&p.ClaimedAt))
	if err == nil {
		err = json.Unmarshal([]byte(scope), &a.Scope)
	}
	return a, err
}

// MaxTokens is how many tokens that are good a person can have.
const MaxTokens = 100

// tokensKept is for how long a token is still listed after its end.
const tokensKept = 30 * 24 * time.Hour

// CreateToken writes a new token, and deletes those that ended long ago. The error
// is dag.ErrConflict when its owner, or for a service's token anybody, has one of that
// name. When it is called again under the key of ctx ([WithKey]), nobody may have got
// the secret of the first call: the token, whose ID is returned, gets this call's Hash.
// The error is dag.ErrConflict once it was used or revoked.
func (s *Store) CreateToken(ctx context.Context, by Actor, a APIToken) (id string, err error) {
	scope, err := json.Marshal(a.Scope)
	if err != nil {
		return "", fmt.Errorf("encode scope of token: %w", err)
	}
	args := []any{a.Name, a.Owner.Issuer, a.Owner.Subject, a.Role, a.Scope}
	id, err = act(ctx, s, by, "CreateToken", args,
		func(t *tx) (string, error) { return a.ID, createToken(t, by, a, string(scope)) })
	if err != nil || id == a.ID {
		return id, err
	}
	return id, s.write(ctx, func(t *tx) error {
		n, err := t.exec(
			`UPDATE api_token SET hash = $2, created_at = $3, expires_at = $4 WHERE id = $1 AND last_used_at = 0`,
			id, a.Hash, a.CreatedAt, a.ExpiresAt)
		if err != nil {
			return fmt.Errorf("write token: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("the token %q was made before, and used or revoked since: %w", a.Name, dag.ErrConflict)
		}
		return nil
	})
}

func createToken(t *tx, by Actor, a APIToken, scope string) error {
	if _, err := t.exec(`DELETE FROM api_token WHERE expires_at < $1`, t.now.Add(-tokensKept)); err != nil {
		return fmt.Errorf("forget old tokens: %w", err)
	}
	// The tokens of one owner are counted, and their names compared, one after another.
	if err := t.lockName(fmt.Sprintf("tokens %q %q", a.Owner.Issuer, a.Owner.Subject)); err != nil {
		return fmt.Errorf("lock tokens: %w", err)
	}
	if !a.Service() {
		var live int
		_, err := t.row(`SELECT count(*) FROM api_token WHERE issuer = $1 AND subject = $2 AND expires_at > $3`,
			[]any{a.Owner.Issuer, a.Owner.Subject, t.now}, &live)
		if err != nil {
			return fmt.Errorf("count tokens: %w", err)
		}
		if live >= MaxTokens {
			return fmt.Errorf("you have %d tokens, the most that a person can have; revoke some first: %w", live,
				dag.ErrConflict)
		}
	}
	n, err := t.exec(
		`INSERT INTO api_token (id, hash, name, issuer, subject, role, scope, created_by, created_at, expires_at)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE NOT EXISTS (SELECT 1 FROM api_token WHERE issuer = $4 AND subject = $5 AND name = $3)`,
		a.ID, a.Hash, a.Name, a.Owner.Issuer, a.Owner.Subject, int64(a.Role), scope, a.CreatedBy, a.CreatedAt, a.ExpiresAt)
	if err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("there is a token named %q already: %w", a.Name, dag.ErrConflict)
	}
	return record(t, AuditEntry{By: by, Event: "create_token", Extra: tokenNote(a.ID, a.Name)})
}

// tokenNote is what the audit log says of a token.
func tokenNote(id, name string) string {
	note, _ := json.Marshal(map[string]string{"id": id, "name": name}) // strings always marshal
	return string(note)
}

// Token returns the token with a hash, also one that has expired, with its owner;
// dag.ErrNotFound when there is none.
func (s *Store) Token(ctx context.Context, hash string) (APIToken, error) {
	found, err := s.tokens(ctx, `api_token.hash = ?`, hash)
	if err != nil {
		return APIToken{}, fmt.Errorf("read token: %w", err)
	}
	if len(found) == 0 {
		return APIToken{}, fmt.Errorf("token: %w", dag.ErrNotFound)
	}
	return found[0], nil
}

// Tokens lists a person's tokens, or with an empty subject everybody's and those of
// services, the newest first and no more than 500.
func (s *Store) Tokens(ctx context.Context, issuer, subject string) ([]APIToken, error) {
	if subject == "" {
		return s.tokens(ctx, `1 = ?`, 1)
	}
	return s.tokens(ctx, `api_token.issuer = ? AND api_token.subject = ?`, issuer, subject)
}

func (s *Store) tokens(ctx context.Context, cond string, args ...any) (found []APIToken, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		w := &where{}
		w.add(cond, args...)
		rows, err := t.query(`SELECT `+tokenColumns+tokenTables+w.String()+
			` ORDER BY api_token.created_at DESC, api_token.id LIMIT 500`, w.args...)
		found, err = collect(rows, err, scanToken)
		return err
	})
	return found, err
}

// UseToken notes when a token was used last.
func (s *Store) UseToken(ctx context.Context, id string, at time.Time) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE api_token SET last_used_at = $2 WHERE id = $1`, id, at); err != nil {
			return fmt.Errorf("note use of token: %w", err)
		}
		return nil
	})
}

// RevokeToken ends the token with an ID. With a subject it must be that person's.
// The error is dag.ErrNotFound otherwise.
func (s *Store) RevokeToken(ctx context.Context, by Actor, id, issuer, subject string) error {
	return s.plainAct(ctx, by, "RevokeToken", []any{id, issuer, subject}, func(t *tx) error {
		w := &where{}
		w.add("id = ?", id)
		if subject != "" {
			w.add("issuer = ?", issuer)
			w.add("subject = ?", subject)
		}
		var name string
		found, err := t.row(`SELECT name FROM api_token`+w.String(), w.args, &name)
		if err != nil {
			return fmt.Errorf("read token: %w", err)
		}
		if !found {
			return fmt.Errorf("token %.20q does not exist: %w", id, dag.ErrNotFound)
		}
		if _, err := t.exec(`DELETE FROM api_token WHERE id = $1`, id); err != nil {
			return fmt.Errorf("revoke token: %w", err)
		}
		return record(t, AuditEntry{By: by, Event: "revoke_token", Extra: tokenNote(id, name)})
	})
}
