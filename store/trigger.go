package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
)

// Trigger asks for a manual run.
type Trigger struct {
	DAG dag.ID
	// Run is the wanted run id; made from RunAfter when empty.
	Run dag.RunID
	// LogicalDate is now when zero.
	LogicalDate time.Time
	// Interval is given by the caller's timetable; both ends are LogicalDate
	// when zero.
	Interval dag.DataInterval
	Conf     map[string]any
	Note     string
	// Unpause also un-pauses the DAG, in the same transaction.
	Unpause bool
	// Key names the request, so that it can be repeated: a second one of the same user
	// with the same Key gets the run of the first, as long as there is that run. Up to
	// MaxKey bytes; when empty it is the context's (WithKey), or else made.
	Key string
	By  Actor
}

// TriggerRun creates a queued run of the DAG's newest version. The error is
// dag.ErrNotFound for an unknown DAG, dag.ErrInvalid for a wrong run id
// (dag.CheckRunID), conf (dag.CheckConf) or an archived DAG, and dag.ErrConflict when the run id or
// the given logical date exists already, or a different run was triggered with the Key.
// After ErrUnknown the same Trigger with a Key of the caller's tells what happened to it.
func (s *Store) TriggerRun(ctx context.Context, tr Trigger) (dag.Run, error) {
	if err := tr.check(); err != nil {
		return dag.Run{}, err
	}
	tr.Key = cmp.Or(tr.Key, KeyOf(ctx), rand.Text())
	conf, err := encodeConf(tr.Conf)
	if err != nil {
		return dag.Run{}, err
	}
	var out dag.Run
	var d *dagRecord
	err = s.write(ctx, func(t *tx) error {
		if d, err = lockDAG(t, tr.DAG); err != nil {
			return err
		}
		if d.archived {
			return archivedError(tr.DAG, dag.ErrInvalid)
		}
		if first, err := tr.earlier(t); err != nil || first != nil {
			if err == nil {
				out = first.Run
			}
			return err
		}
		r, err := tr.insert(t, d)
		if err != nil {
			return err
		}
		l := newLedger(t)
		l.created(d, r)
		if tr.Unpause && d.paused {
			if err := d.setPaused(t, tr.By, false); err != nil {
				return err
			}
			l.touched(d)
		}
		if err := l.flush(); err != nil {
			return err
		}
		out = r.Run
		// The caller's conf may be changed by the caller; the run keeps its own.
		if out.Conf, err = decodeConf(conf); err != nil {
			return err
		}
		return record(t, AuditEntry{By: tr.By, Event: "trigger", DAG: d.id, Run: r.ID, Extra: tr.extra()})
	})
	if err == nil {
		acted(ctx)
		s.memory.pass(tr.DAG, d.oldRev, d.rev)
	}
	return out, err
}

// CheckTrigger returns the error with which TriggerRun would refuse the trigger now, nil
// when it would not. It does not look at the Key, and writes nothing.
func (s *Store) CheckTrigger(ctx context.Context, tr Trigger) error {
	if err := tr.check(); err != nil {
		return err
	}
	return s.db.read(ctx, func(t *tx) error {
		d, err := findDAG(t, tr.DAG)
		if err != nil {
			return err
		}
		if d.archived {
			return archivedError(tr.DAG, dag.ErrInvalid)
		}
		return tr.taken(t)
	})
}

// digest is what is kept of the Key. It is a user's own: another one's is another.
func (tr Trigger) digest() string {
	sum := sha256.Sum256([]byte(tr.By.name() + "\x00" + tr.Key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// earlier returns the run that was triggered with the same Key, nil when there is none.
// The caller holds the DAG's lock.
func (tr Trigger) earlier(t *tx) (*runRecord, error) {
	var id dag.RunID
	found, err := t.row(`SELECT run_id FROM dag_run WHERE dag_id = $1 AND trigger_key = $2`,
		[]any{tr.DAG, tr.digest()}, &id)
	if err != nil || !found {
		return nil, err
	}
	r, err := findRun(t, tr.DAG, id)
	if err != nil {
		return nil, err
	}
	same, err := tr.asked(r)
	if err == nil && !same {
		err = fmt.Errorf("run %q of DAG %q was triggered with the same key and other values: %w", id, tr.DAG, dag.ErrConflict)
	}
	return r, err
}

// asked reports whether the trigger asks for a run as r was made.
func (tr Trigger) asked(r *runRecord) (bool, error) {
	asked, err := encodeConf(tr.Conf)
	if err != nil {
		return false, err
	}
	conf, err := decodeConf(asked) // as it is read back
	if err != nil {
		return false, err
	}
	again, err := encodeConf(conf)
	if err != nil {
		return false, err
	}
	stored, err := encodeConf(r.Conf)
	return again == stored && (tr.Run == "" || tr.Run == r.ID) &&
		(tr.LogicalDate.IsZero() || storedTime(tr.LogicalDate).Equal(r.LogicalDate)), err
}

func (tr Trigger) check() error {
	if len(tr.Key) > MaxKey {
		return fmt.Errorf("the key of a trigger has %d bytes; %d are allowed: %w", len(tr.Key), MaxKey, dag.ErrInvalid)
	}
	if !tr.LogicalDate.IsZero() {
		if err := dag.CheckLogicalDate(tr.LogicalDate); err != nil {
			return err
		}
	}
	if err := dag.CheckNote(tr.Note); err != nil {
		return err
	}
	if err := dag.CheckConf(tr.Conf); err != nil {
		return err
	}
	if tr.Run == "" {
		return nil
	}
	if err := dag.CheckRunID(string(tr.Run)); err != nil {
		return err
	}
	for _, prefix := range []dag.RunType{dag.RunScheduled, dag.RunBackfill} {
		if strings.HasPrefix(string(tr.Run), string(prefix)+"__") {
			return fmt.Errorf("run id %.250q must not begin with %s__, which marks a %s run: %w", tr.Run, prefix, prefix,
				dag.ErrInvalid)
		}
	}
	return nil
}

// maxMoves bounds how far a run's time is moved to a free microsecond.
const maxMoves = 10_000

// insert writes the run. Where the caller left the run id or the logical date
// open and now is taken, it is moved on by a microsecond until it is free.
func (tr Trigger) insert(t *tx, d *dagRecord) (*runRecord, error) {
	now := t.now.UTC().Truncate(time.Microsecond)
	for range maxMoves {
		r := tr.run(d, now)
		pk, err := insertRun(t, r, tr.digest())
		if err != nil {
			return nil, err
		}
		if pk != 0 {
			return &runRecord{pk: pk, Run: r}, nil
		}
		if err := tr.taken(t); err != nil {
			return nil, err
		}
		now = now.Add(time.Microsecond)
	}
	return nil, fmt.Errorf("DAG %q has too many runs at %s: %w", d.id, now.Format(time.RFC3339), dag.ErrConflict)
}

func (tr Trigger) run(d *dagRecord, now time.Time) dag.Run {
	r := dag.Run{
		DAG: d.id, ID: tr.Run, Epoch: d.epoch, Type: dag.RunManual, State: dag.RunQueued, Version: d.version,
		LogicalDate: storedTime(tr.LogicalDate), RunAfter: now, QueuedAt: now,
		Interval: dag.DataInterval{Start: storedTime(tr.Interval.Start), End: storedTime(tr.Interval.End)},
		Conf:     tr.Conf, Note: cleanText(tr.Note), TriggeredBy: tr.By.Via, User: cleanText(tr.By.name()),
	}
	if r.ID == "" {
		r.ID = dag.ManualRunID(now)
	}
	if r.LogicalDate.IsZero() {
		r.LogicalDate = now
	}
	if r.Interval == (dag.DataInterval{}) {
		r.Interval = dag.DataInterval{Start: r.LogicalDate, End: r.LogicalDate}
	}
	return r
}

// storedTime is what a time looks like when it is read back.
func storedTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// taken returns the conflict with an existing run, nil when moving on in time
// can avoid it.
func (tr Trigger) taken(t *tx) error {
	var found dag.RunID
	if tr.Run != "" {
		exists, err := t.row(`SELECT run_id FROM dag_run WHERE dag_id = $1 AND run_id = $2`, []any{tr.DAG, tr.Run}, &found)
		if err != nil {
			return err
		}
		if exists {
			return fmt.Errorf("run %q of DAG %q exists already: %w", tr.Run, tr.DAG, dag.ErrConflict)
		}
	}
	if tr.LogicalDate.IsZero() {
		return nil
	}
	exists, err := t.row(`SELECT run_id FROM dag_run WHERE dag_id = $1 AND logical_date = $2`,
		[]any{tr.DAG, tr.LogicalDate}, &found)
	if err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("DAG %q has a run with the logical date %s already, %q: %w",
			tr.DAG, tr.LogicalDate.UTC().Format(time.RFC3339Nano), found, dag.ErrConflict)
	}
	return nil
}

// extra names the conf's keys for the audit log, never the values.
func (tr Trigger) extra() string {
	if len(tr.Conf) == 0 {
		return ""
	}
	b, err := json.Marshal(map[string][]string{"conf_keys": slices.Sorted(maps.Keys(tr.Conf))})
	if err != nil {
		return "" // strings can always be written
	}
	return string(b)
}
