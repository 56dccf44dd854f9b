package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"dagwright/dag"
)

// MaxKey is how many bytes a key may have, see [WithKey].
const MaxKey = 255

type keyOfContext struct{}

// keyed is the key of a context, what is asked for under it, and whether an act was done.
type keyed struct {
	key, asked string
	acted      atomic.Bool
}

// WithKey gives the acts of a context a key, by which each of them is done once: who
// asks again for the same, under the same key and name and within a day, gets the
// answer of the first. The key has up to [MaxKey] bytes; an empty one changes nothing.
// asked names the request, such as its method and path: [Store.Acted] knows it by that.
func WithKey(ctx context.Context, key, asked string) context.Context {
	if key == "" {
		return ctx
	}
	return context.WithValue(ctx, keyOfContext{}, &keyed{key: key, asked: asked})
}

// KeyOf returns the key of a context, "" when it has none.
func KeyOf(ctx context.Context) string {
	if k, ok := ctx.Value(keyOfContext{}).(*keyed); ok {
		return k.key
	}
	return ""
}

// Acted reports whether somebody has done an act under the key of ctx with the same
// request ([WithKey]) before. Such a request is a repeat: what it names may be gone, or
// be as it is because of the act, so nothing but the act itself can answer it.
func (s *Store) Acted(ctx context.Context, by Actor) (acted bool, err error) {
	digest, err := digestRequest(ctx, by)
	if err != nil || digest == "" {
		return false, err
	}
	err = s.db.read(ctx, func(t *tx) error {
		var done time.Time
		acted, err = t.row(`SELECT done_at FROM act WHERE digest = $1`, []any{digest}, at(&done))
		// The act's own row, which is as old, may be forgotten from a day on.
		acted = acted && t.now.Sub(done) < actsKept-time.Minute
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for an earlier act: %w", err)
	}
	return acted, nil
}

// digestRequest is what is kept of a request that acts, "" for one without a key.
func digestRequest(ctx context.Context, by Actor) (string, error) {
	k, ok := ctx.Value(keyOfContext{}).(*keyed)
	if !ok {
		return "", nil
	}
	return digestAct(k.key, by, "request", []any{k.asked})
}

// Unconfirmed turns an [ErrUnavailable] into an ErrUnknown when an act was done before
// under the key of ctx: the call that failed wrote nothing, but an earlier one did.
func Unconfirmed(ctx context.Context, err error) error {
	k, ok := ctx.Value(keyOfContext{}).(*keyed)
	if !ok || !k.acted.Load() || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknown) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, ErrUnknown)
}

// acted notes that an act was done under the key of ctx.
func acted(ctx context.Context) {
	if k, ok := ctx.Value(keyOfContext{}).(*keyed); ok {
		k.acted.Store(true)
	}
}

// withoutKey is for acts that are done as often as they are asked for.
func withoutKey(ctx context.Context) context.Context {
	return context.WithValue(ctx, keyOfContext{}, nil)
}

// write is a write that comes to the same however often it is done. One whose COMMIT
// got no answer is done once more, so that only a database that stays away leaves
// [ErrUnknown].
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	err := s.db.write(ctx, fn)
	if !errors.Is(err, ErrUnknown) {
		return err
	}
	again := s.db.write(ctx, fn)
	if errors.Is(again, ErrUnavailable) || again != nil && ctx.Err() != nil {
		return err // it is still not known
	}
	return again
}

// act does what somebody asked for once under the key of ctx, or, without one, once in
// this call. do is called in the transaction that also keeps its answer; args are what
// else tells this act from another one of the same name.
func act[T any](ctx context.Context, s *Store, by Actor, name string, args []any, do func(*tx) (T, error)) (T, error) {
	var none, answer T
	digest, err := digestAct(cmp.Or(KeyOf(ctx), rand.Text()), by, name, args)
	if err != nil {
		return none, err
	}
	request, err := digestRequest(ctx, by)
	if err != nil {
		return none, err
	}
	did := false
	err = s.write(ctx, func(t *tx) error {
		begun, err := beginAct(t, digest, cmp.Or(request, digest))
		if err != nil {
			return err
		}
		if !begun {
			kept, err := keptAnswer(t, digest)
			switch {
			case err != nil:
				return err
			case kept != "":
				answer = none
				return decodeJSON(kept, &answer)
			case !did: // else it is known from the try whose COMMIT got no answer
				return fmt.Errorf("this was done already, and its answer was too long to be kept: %w", dag.ErrConflict)
			}
			return nil
		}
		if answer, err = do(t); err != nil {
			return err
		}
		did = true
		return keepAnswer(t, digest, answer)
	})
	if err != nil {
		return none, err
	}
	acted(ctx)
	return answer, nil
}

// plainAct is act for what has no answer.
func (s *Store) plainAct(ctx context.Context, by Actor, name string, args []any, do func(*tx) error) error {
	_, err := act(ctx, s, by, name, args, func(t *tx) (struct{}, error) { return struct{}{}, do(t) })
	return err
}

// digestAct is what is kept of an act's key. It is a user's own: another one's is another.
func digestAct(key string, by Actor, name string, args []any) (string, error) {
	text, err := json.Marshal([]any{key, by.name(), name, args})
	if err != nil {
		return "", fmt.Errorf("encode act %s: %w", name, err)
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// How long acts are kept, and how many are forgotten at once at most.
const (
	actsKept     = 24 * time.Hour
	maxForgotten = 100
)

// noAnswer is the answer of an act that has none.
const noAnswer = "{}"

// beginAct writes the act down, which is false when it was done before. It is the first
// statement of its transaction, and waits for one that is about to do the same act. The
// request is written down with its first act, which may be one of several.
func beginAct(t *tx, digest, request string) (bool, error) {
	n, err := t.exec(
		`INSERT INTO act (digest, done_at, answer) VALUES ($1, $3, $4), ($2, $3, $4) ON CONFLICT (digest) DO NOTHING`,
		digest, request, t.now, noAnswer)
	if err != nil {
		return false, fmt.Errorf("write act: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	skip := ""
	if t.locks {
		skip = ` FOR UPDATE SKIP LOCKED`
	}
	_, err = t.exec(`DELETE FROM act WHERE digest IN (SELECT digest FROM act WHERE done_at < $1 ORDER BY done_at LIMIT $2`+
		skip+`)`,
		t.now.Add(-actsKept), maxForgotten)
	if err != nil {
		return false, fmt.Errorf("forget old acts: %w", err)
	}
	return true, nil
}

// maxAnswer bounds the answer of an act that is kept, in bytes.
const maxAnswer = 64 << 10

func keepAnswer(t *tx, digest string, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode answer of act: %w", err)
	}
	if string(text) == noAnswer {
		return nil
	}
	if len(text) > maxAnswer {
		text = nil
	}
	if _, err := t.exec(`UPDATE act SET answer = $2 WHERE digest = $1`, digest, string(text)); err != nil {
		return fmt.Errorf("write answer of act: %w", err)
	}
	return nil
}

// keptAnswer is the answer of an act that was done before, "" when it was too long.
func keptAnswer(t *tx, digest string) (string, error) {
	var text string
	found, err := t.row(`SELECT answer FROM act WHERE digest = $1`, []any{digest}, &text)
	if err == nil && !found { // it was forgotten just now
		err = fmt.Errorf("this was done more than %s ago: %w", actsKept, dag.ErrConflict)
	}
	if err != nil {
		return "", fmt.Errorf("read act: %w", err)
	}
	return text, nil
}
