package api

import "time"

// maxSeconds bounds the durations that a filter may name: about 31 years.
const maxSeconds = 1e9

// timeBounds reads the four bounds that Airflow offers for a time: _gte, _gt,
// _lte and _lt. Both results are inclusive; times are whole microseconds.
func timeBounds(read func(name string) time.Time, name string) (from, to time.Time) {
	from, to = read(name+"_gte"), read(name+"_lte")
	if t := read(name + "_gt"); !t.IsZero() && !from.After(t) {
		from = t.Add(time.Microsecond)
	}
	if t := read(name + "_lt"); !t.IsZero() && (to.IsZero() || !to.Before(t)) {
		to = t.Add(-time.Microsecond)
	}
	return from, to
}

// spanBounds is timeBounds for a duration.
func spanBounds(read func(name string) time.Duration, name string) (least, most time.Duration) {
	least, most = read(name+"_gte"), read(name+"_lte")
	if d := read(name + "_gt"); d > 0 && least <= d {
		least = d + time.Microsecond
	}
	if d := read(name + "_lt"); d > 0 && (most == 0 || most >= d) {
		most = d - time.Microsecond
	}
	return least, most
}
