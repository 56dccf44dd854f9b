package timetable

import "time"

// searchYears is how far croniter looks for a date before it gives up.
const searchYears = 50

// The wall clock is counted in seconds since 1970-01-01 00:00 as read off the
// clock, without a zone: 02:30 is the same number before and after a change of
// daylight saving time.

// next returns the first wall-clock second after wall at which the expression
// fires, and false when there is none within searchYears.
func (e *expression) next(wall int64) (int64, bool) {
	from := wall + 1
	if !e.hasSeconds {
		from = wall - floorMod(wall, 60) + 60
	}
	return e.search(from, e.forward)
}

// prev returns the last wall-clock second at or before wall at which the
// expression fires, and false when there is none within searchYears.
func (e *expression) prev(wall int64) (int64, bool) {
	return e.search(wall, e.backward)
}

// search runs find, with croniter's rule for day fields that are split: each
// side must have a date, or the whole search fails.
func (e *expression) search(from int64, find func(int64, side) (int64, bool)) (int64, bool) {
	if e.splitSides() {
		for _, s := range []side{domSide, dowSide} {
			if _, ok := find(from, s); !ok {
				return 0, false
			}
		}
	}
	return find(from, bothSides)
}

// clock is a time of day.
type clock struct{ hour, minute, second int }

func (e *expression) forward(from int64, s side) (int64, bool) {
	t := time.Unix(from, 0).UTC()
	year, month, day := t.Date()
	limit := year + searchYears
	if e.inYear(year) && e.month&(1<<month) != 0 {
		mask := e.days(year, month, s) >> day << day
		if mask&(1<<day) != 0 {
			at := clock{t.Hour(), t.Minute(), t.Second()}
			if c, ok := e.clockFrom(at); ok {
				return wallOf(year, month, day, c), true
			}
			mask &^= 1 << day
		}
		if d := lowest(mask, 0); d > 0 {
			return wallOf(year, month, d, e.firstClock()), true
		}
	}
	for {
		if month++; month > time.December {
			year, month = year+1, time.January
		}
		if year > limit {
			return 0, false
		}
		if !e.inYear(year) {
			month = time.December
			continue
		}
		if e.month&(1<<month) == 0 {
			continue
		}
		if d := lowest(e.days(year, month, s), 0); d > 0 {
			return wallOf(year, month, d, e.firstClock()), true
		}
	}
}

func (e *expression) backward(from int64, s side) (int64, bool) {
	t := time.Unix(from, 0).UTC()
	year, month, day := t.Date()
	limit := year - searchYears
	if e.inYear(year) && e.month&(1<<month) != 0 {
		mask := e.days(year, month, s) & (1<<(day+1) - 1)
		if mask&(1<<day) != 0 {
			at := clock{t.Hour(), t.Minute(), t.Second()}
			if c, ok := e.clockUpTo(at); ok {
				return wallOf(year, month, day, c), true
			}
			mask &^= 1 << day
		}
		if d := highest(mask, 31); d > 0 {
			return wallOf(year, month, d, e.lastClock()), true
		}
	}
	for {
		if month--; month < time.January {
			year, month = year-1, time.December
		}
		if year < limit {
			return 0, false
		}
		if !e.inYear(year) {
			month = time.January
			continue
		}
		if e.month&(1<<month) == 0 {
			continue
		}
		if d := highest(e.days(year, month, s), 31); d > 0 {
			return wallOf(year, month, d, e.lastClock()), true
		}
	}
}

func (e *expression) firstClock() clock {
	return clock{lowest(e.hour, 0), lowest(e.minute, 0), lowest(e.second, 0)}
}

func (e *expression) lastClock() clock {
	return clock{highest(e.hour, 23), highest(e.minute, 59), highest(e.second, 59)}
}

// clockFrom returns the first time of day at or after c.
func (e *expression) clockFrom(c clock) (clock, bool) {
	if e.hour&(1<<c.hour) != 0 {
		if e.minute&(1<<c.minute) != 0 {
			if s := lowest(e.second, c.second); s >= 0 {
				return clock{c.hour, c.minute, s}, true
			}
		}
		if m := lowest(e.minute, c.minute+1); m >= 0 {
			return clock{c.hour, m, lowest(e.second, 0)}, true
		}
	}
	if h := lowest(e.hour, c.hour+1); h >= 0 {
		return clock{h, lowest(e.minute, 0), lowest(e.second, 0)}, true
	}
	return clock{}, false
}

// clockUpTo returns the last time of day at or before c.
func (e *expression) clockUpTo(c clock) (clock, bool) {
	if e.hour&(1<<c.hour) != 0 {
		if e.minute&(1<<c.minute) != 0 {
			if s := highest(e.second, c.second); s >= 0 {
				return clock{c.hour, c.minute, s}, true
			}
		}
		if m := highest(e.minute, c.minute-1); m >= 0 {
			return clock{c.hour, m, highest(e.second, 59)}, true
		}
	}
	if h := highest(e.hour, c.hour-1); h >= 0 {
		return clock{h, highest(e.minute, 59), highest(e.second, 59)}, true
	}
	return clock{}, false
}

func wallOf(year int, month time.Month, day int, c clock) int64 {
	return time.Date(year, month, day, c.hour, c.minute, c.second, 0, time.UTC).Unix()
}

func floorMod(a, b int64) int64 { return ((a % b) + b) % b }
