package timetable

import "time"

// zone turns wall-clock seconds of one IANA zone into moments, by the rules of
// Airflow's make_aware: Python's PEP 495 with fold=1, then pendulum.
type zone struct{ loc *time.Location }

// widestShift is more than any zone's distance from UTC and any jump of a
// zone's clock (Samoa skipped a whole day in 2011), in seconds.
const widestShift = 49 * 3600

// wall returns what the zone's clock shows at t, whole seconds.
func (z zone) wall(t time.Time) int64 { return t.Unix() + int64(z.offset(t)) }

// offset is the zone's distance from UTC at t in seconds.
func (z zone) offset(t time.Time) int {
	_, seconds := t.In(z.loc).Zone()
	return seconds
}

// moment returns when the zone's clock shows wall. A wall time that comes
// twice means its second coming; one that is skipped is moved forward by the
// width of the gap, so 02:30 becomes 03:30.
func (z zone) moment(wall int64) time.Time {
	before, after := z.folds(wall)
	if after <= before {
		return time.Unix(wall-int64(after), 0).UTC()
	}
	wall += int64(after - before)
	// Python forgets the fold when it adds, hence the first coming here.
	before, _ = z.folds(wall)
	return time.Unix(wall-int64(before), 0).UTC()
}

// folds returns the offsets that hold for a wall time by PEP 495 with fold=0
// and with fold=1. They are equal but near a change of the clock: in a gap the
// second is greater, in a fold it is less.
func (z zone) folds(wall int64) (fold0, fold1 int) {
	t := time.Unix(wall+widestShift, 0).In(z.loc)
	found0, found1 := false, false
	for {
		_, after := t.Zone()
		start, _ := t.ZoneBounds()
		if start.IsZero() || start.Unix() < wall-widestShift {
			return pick(found0, fold0, after), pick(found1, fold1, after)
		}
		t = start.Add(-time.Second)
		_, before := t.Zone()
		if !found0 && start.Unix()+int64(max(before, after)) <= wall {
			fold0, found0 = after, true
		}
		if !found1 && start.Unix()+int64(min(before, after)) <= wall {
			fold1, found1 = after, true
		}
		if found0 && found1 {
			return fold0, fold1
		}
	}
}

func pick(found bool, value, otherwise int) int {
	if found {
		return value
	}
	return otherwise
}
