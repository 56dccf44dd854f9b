package store

import (
	"context"
	"fmt"
	"time"

	"dagwright/dag"
)

// PromotionState is the outcome of a promotion.
type PromotionState string

// The states of a promotion. All but PromotionPending are final.
const (
	PromotionPending   PromotionState = "pending"   // asked for
	PromotionCompared  PromotionState = "compared"  // a dry one: Reason says what would change
	PromotionProposed  PromotionState = "proposed"  // its merge request is open
	PromotionUnchanged PromotionState = "unchanged" // the next instance has the same already
	PromotionRefused   PromotionState = "refused"   // cannot be promoted; Reason says why
)

// Promotion is the wish to offer one version of a DAG to the next instance, and
// what happened to it.
type Promotion struct {
	ID        int64
	DAG       dag.ID
	Version   int
	Path      string // of the spec in the DAG repository
	DAGCommit string // at which the scheduler read it
	// Dry only compares: the result is a difference, and no merge request.
	Dry bool
	By  Actor
	At  time.Time

	State PromotionState
	// Reason is the difference of a dry promotion, why one was refused, or the last
	// failed try of a pending one.
	Reason       string
	MergeRequest string // URL
	FinishedAt   time.Time
	Tries        int // failed ones
}

const promotionColumns = `id, dag_id, version, path, dag_commit, is_dry, user_name, via, asked_at, state, reason, merge_request, finished_at, tries`

func scanPromotion(r scanner) (Promotion, error) {
	var p Promotion
	err := r.Scan(&p.ID, &p.DAG, &p.Version, &p.Path, &p.DAGCommit, &p.Dry, &p.By.User, &p.By.Via, at(&p.At),
		&p.State, &p.Reason,
		&p.MergeRequest, at(&p.FinishedAt), &p.Tries)
	return p, err
}

// RequestPromotion asks the generator to offer a DAG's version to the next
// instance, or, dry, to say what that would change. version is the one that the
// asker saw, or 0 for the newest. Asking again for what is pending changes nothing
// and returns the same id. The error is dag.ErrNotFound when there is no such DAG,
// and dag.ErrConflict when it is archived or has a newer version. A ChangePromotion
// follows.
func (s *Store) RequestPromotion(ctx context.Context, by Actor, id dag.ID, version int, dry bool) (int64, error) {
	return act(ctx, s, by, "RequestPromotion", []any{id, version, dry}, func(t *tx) (promotion int64, err error) {
		d, err := lockDAG(t, id)
		switch {
		case err != nil:
			return 0, err
		case d.archived:
			return 0, ErrArchived(id)
		case version != 0 && version != d.version:
			return 0, fmt.Errorf("DAG %q has changed: its newest version is %d, and not %d: compare again: %w", id, d.version,
				version, dag.ErrConflict)
		}
		found, err := t.row(
			`SELECT id FROM promotion WHERE dag_id = $1 AND version = $2 AND is_dry = $3 AND state = 'pending' LIMIT 1`,
			[]any{id, d.version, dry}, &promotion)
		if err != nil || found {
			return promotion, err
		}
		_, err = t.row(`INSERT INTO promotion (dag_id, version, path, dag_commit, is_dry, user_name, via, asked_at, state)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
			[]any{id, d.version, d.file, d.commit, dry, by.name(), by.Via, t.now, PromotionPending}, &promotion)
		if err != nil {
			return 0, fmt.Errorf("ask for promotion of DAG %q: %w", id, err)
		}
		t.announce(Change{Kind: ChangePromotion, DAG: id, State: string(PromotionPending)})
		event := "promote"
		if dry {
			event = "compare_promotion"
		}
		return promotion, record(t, AuditEntry{By: by, Event: event, DAG: id})
	})
}

// Promotions lists up to limit promotions of a DAG, the newest first.
func (s *Store) Promotions(ctx context.Context, id dag.ID, limit int) (promotions []Promotion, err error) {
	err = s.db.read(ctx, func(t *tx) error {
		if _, err := findDAG(t, id); err != nil {
			return err
		}
		rows, err := t.query(`SELECT `+promotionColumns+` FROM promotion WHERE dag_id = $1 ORDER BY id DESC LIMIT $2`, id,
			limit)
		promotions, err = collect(rows, err, scanPromotion)
		return err
	})
	return promotions, err
}

// PendingPromotions lists the promotions that are to be worked on at now, oldest
// first, and when the first of the others is, the zero time when there is none.
func (s *Store) PendingPromotions(ctx context.Context, now time.Time) (promotions []Promotion, next time.Time,
	err error) {
	err = s.db.read(ctx, func(t *tx) error {
		rows, err := t.query(`SELECT `+promotionColumns+
			` FROM promotion WHERE state = 'pending' AND retry_at <= $1 ORDER BY id LIMIT 100`, now)
		if promotions, err = collect(rows, err, scanPromotion); err != nil {
			return err
		}
		var micros int64
		if _, err := t.row(`SELECT COALESCE(MIN(retry_at), 0) FROM promotion WHERE state = 'pending' AND retry_at > $1`,
			[]any{now}, &micros); err != nil {
			return err
		}
		if micros != 0 {
			next = time.UnixMicro(micros).UTC()
		}
		return nil
	})
	return promotions, next, err
}

// PromotionResult is the outcome of a promotion. PromotionPending with a RetryAt
// and Reason records a failed try.
type PromotionResult struct {
	ID           int64
	State        PromotionState
	Reason       string
	MergeRequest string
	RetryAt      time.Time
}

// FinishPromotion records the outcome of a promotion. One that is not pending
// is left alone.
func (s *Store) FinishPromotion(ctx context.Context, r PromotionResult) error {
	return s.write(ctx, func(t *tx) error {
		tries, finished := 1, time.Time{}
		if r.State != PromotionPending {
			tries, finished, r.RetryAt = 0, t.now, time.Time{}
		}
		var id dag.ID
		found, err := t.row(`UPDATE promotion SET state = $2, reason = $3, merge_request = $4, finished_at = $5,
			tries = tries + CASE WHEN retry_at = $7 AND reason = $3 THEN 0 ELSE $6 END, retry_at = $7
			WHERE id = $1 AND state = 'pending' RETURNING dag_id`,
			[]any{r.ID, r.State, r.Reason, r.MergeRequest, finished, tries, r.RetryAt}, &id)
		if err != nil {
			return fmt.Errorf("finish promotion %d: %w", r.ID, err)
		}
		if found {
			t.announce(Change{Kind: ChangePromotion, DAG: id, State: string(r.State)})
		}
		return nil
	})
}
