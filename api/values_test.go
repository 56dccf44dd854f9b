package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDurations writes each part of a duration, alone and beside others.
func TestDurations(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		d    time.Duration
		iso  string
		want timeDelta
	}{
		{time.Microsecond, "PT0.000001S", timeDelta{"TimeDelta", 0, 0, 1}},
		{500 * time.Millisecond, "PT0.5S", timeDelta{"TimeDelta", 0, 0, 500_000}},
		{1500 * time.Millisecond, "PT1.5S", timeDelta{"TimeDelta", 0, 1, 500_000}},
		{59 * time.Second, "PT59S", timeDelta{"TimeDelta", 0, 59, 0}},
		{time.Minute, "PT1M", timeDelta{"TimeDelta", 0, 60, 0}},
		{time.Hour, "PT1H", timeDelta{"TimeDelta", 0, 3600, 0}},
		{day - time.Second, "PT23H59M59S", timeDelta{"TimeDelta", 0, 86399, 0}},
		{day, "P1D", timeDelta{"TimeDelta", 1, 0, 0}},
		{day + 30*time.Minute, "P1DT30M", timeDelta{"TimeDelta", 1, 1800, 0}},
		{2*day + time.Hour + time.Minute + time.Second + 5*time.Microsecond, "P2DT1H1M1.000005S",
			timeDelta{"TimeDelta", 2, 3661, 5}},
	} {
		if got := isoDuration(c.d); got == nil || *got != c.iso {
			t.Errorf("%v: %v, want %s", c.d, got, c.iso)
		}
		if diff := cmp.Diff(c.want, newTimeDelta(c.d)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.d, diff)
		}
	}
	if got := isoDuration(0); got != nil {
		t.Errorf("0 is %s, want nothing", *got)
	}
}

// TestBounds has each bound alone, and two of one side that are equal or a microsecond apart.
func TestBounds(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	type bounds map[string]time.Duration
	for _, c := range []struct {
		have        bounds
		least, most time.Duration
	}{
		{bounds{}, 0, 0},
		{bounds{"_gte": 5 * us, "_lte": 7 * us}, 5 * us, 7 * us},
		{bounds{"_gt": 5 * us}, 6 * us, 0},
		{bounds{"_lt": 7 * us}, 0, 6 * us},
		{bounds{"_gte": 5 * us, "_gt": 5 * us}, 6 * us, 0},
		{bounds{"_gte": 6 * us, "_gt": 5 * us}, 6 * us, 0},
		{bounds{"_gte": 7 * us, "_gt": 5 * us}, 7 * us, 0},
		{bounds{"_gte": 4 * us, "_gt": 5 * us}, 6 * us, 0},
		{bounds{"_lte": 7 * us, "_lt": 7 * us}, 0, 6 * us},
		{bounds{"_lte": 6 * us, "_lt": 7 * us}, 0, 6 * us},
		{bounds{"_lte": 5 * us, "_lt": 7 * us}, 0, 5 * us},
		{bounds{"_lte": 8 * us, "_lt": 7 * us}, 0, 6 * us},
	} {
		least, most := spanBounds(func(name string) time.Duration { return c.have[name] }, "")
		if least != c.least || most != c.most {
			t.Errorf("%v: from %v to %v, want %v and %v", c.have, least, most, c.least, c.most)
		}
		at := func(d time.Duration) time.Time {
			if d == 0 {
				return time.Time{}
			}
			return noon.Add(d)
		}
		from, to := timeBounds(func(name string) time.Time { return at(c.have[name]) }, "")
		if !from.Equal(at(c.least)) || !to.Equal(at(c.most)) {
			t.Errorf("%v: from %v to %v, want %v and %v", c.have, from, to, at(c.least), at(c.most))
		}
	}
}
