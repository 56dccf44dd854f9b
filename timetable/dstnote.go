package timetable

import (
	"fmt"
	"strings"
	"time"
)

// DSTNote says in one sentence what the next change of the clock within a year
// of now does to this schedule's runs: "On 2027-03-28 02:30 does not exist in
// Europe/Berlin: the run starts at 03:30." It is empty when no change touches
// a run, and for schedules of every hour, which keep their pace through a
// change.
func (t *Timetable) DSTNote(now time.Time) string {
	for _, k := range t.crons {
		if note := k.note(now); note != "" {
			return note
		}
	}
	return ""
}

func (k *ticks) note(now time.Time) string {
	if k.expr.everyHour {
		return ""
	}
	limit := now.AddDate(1, 0, 0)
	for at := now.In(k.zone.loc); ; {
		_, change := at.ZoneBounds()
		if change.IsZero() || change.After(limit) {
			return ""
		}
		if note := k.changeNote(change); note != "" {
			return note
		}
		at = change
	}
}

// changeNote describes the first run that one change of the clock touches.
func (k *ticks) changeNote(change time.Time) string {
	before := int64(k.zone.offset(change.Add(-time.Second)))
	after := int64(k.zone.offset(change))
	from, to := change.Unix()+before, change.Unix()+after
	if after > before {
		return k.gapNote(from, to)
	}
	return k.foldNote(to, from)
}

// gapNote is about wall times from up to to, which the clock skips.
func (k *ticks) gapNote(from, to int64) string {
	wall, ok := k.expr.next(from - 1)
	if !ok || wall >= to {
		return ""
	}
	shown := k.zone.wall(k.zone.moment(wall))
	note := fmt.Sprintf("On %s %s does not exist in %s: the run starts at %s", dateText(wall), clockText(wall), k.zone.loc,
		clockText(shown))
	if dateText(shown) != dateText(wall) {
		note += " on " + dateText(shown)
	}
	skipped, merged := k.swallowed(wall, shown)
	if merged {
		note += ", as one with the run of that time"
	}
	return note + skippedText(skipped) + "."
}

// maxSkipped is how many skipped runs a note names.
const maxSkipped = 3

// swallowed returns the wall times after wall that no longer come because the
// run of wall was moved to shown, at most maxSkipped and one more, and whether
// shown is itself such a time.
func (k *ticks) swallowed(wall, shown int64) (skipped []int64, merged bool) {
	before, ok := k.expr.prev(shown)
	merged = ok && before == shown
	for next, ok := k.expr.next(wall); ok && next < shown && len(skipped) <= maxSkipped; next, ok = k.expr.next(next) {
		skipped = append(skipped, next)
	}
	return skipped, merged
}

func skippedText(skipped []int64) string {
	var times []string
	for _, s := range skipped {
		times = append(times, clockText(s))
	}
	switch n := len(times); {
	case n == 0:
		return ""
	case n == 1:
		return ", and the run of " + times[0] + " is skipped"
	case n > maxSkipped:
		return ", and those of " + strings.Join(times[:maxSkipped], ", ") + " and more are skipped"
	default:
		return ", and those of " + strings.Join(times[:n-1], ", ") + " and " + times[n-1] + " are skipped"
	}
}

// foldNote is about wall times from up to to, which come twice.
func (k *ticks) foldNote(from, to int64) string {
	wall, ok := k.expr.next(from - 1)
	if !ok || wall >= to {
		return ""
	}
	if next, ok := k.expr.next(wall); ok && next < to {
		return fmt.Sprintf(
			"On %s the time from %s to %s comes twice in %s: the runs in it start when it comes the second time.",
			dateText(wall), clockText(from), clockText(to), k.zone.loc)
	}
	return fmt.Sprintf("On %s %s comes twice in %s: the run starts the second time.", dateText(wall), clockText(wall),
		k.zone.loc)
}

func dateText(wall int64) string { return time.Unix(wall, 0).UTC().Format(time.DateOnly) }

func clockText(wall int64) string {
	return strings.TrimSuffix(time.Unix(wall, 0).UTC().Format(time.TimeOnly), ":00")
}
