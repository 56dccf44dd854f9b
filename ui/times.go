package ui

import (
	"time"
)

// TimeView shows a moment in the zone that the reader chose, and in others on
// hover.
type TimeView struct {
	ISO   string // "" for no time
	Text  string
	Title string
	Ago   string // "5 min ago", "in 2 h"
}

const timeLayout = "2006-01-02 15:04:05"

// time shows t; zone is that of the DAG, an IANA name, and may be empty.
func (rd *reader) time(t time.Time, zone string) TimeView {
	if t.IsZero() {
		return TimeView{}
	}
	local, name := rd.in(t, zone)
	v := TimeView{ISO: t.UTC().Format(time.RFC3339Nano), Text: local.Format(timeLayout), Ago: rd.ago(t)}
	v.Title = local.Format(timeLayout+" ") + name
	if name != "UTC" {
		v.Title += "\n" + t.UTC().Format(timeLayout+" UTC")
	}
	if zone != "" && zone != name && zone != "UTC" {
		if loc, err := rd.zones.load(zone); err == nil {
			v.Title += "\n" + t.In(loc).Format(timeLayout+" ") + zone
		}
	}
	return v
}

// in is t in the zone that the reader chose, and that zone's name.
func (rd *reader) in(t time.Time, zone string) (time.Time, string) {
	if rd.own != nil {
		return t.In(rd.own), rd.zone
	}
	if rd.zone == zoneDAG && zone != "" && zone != "UTC" {
		if loc, err := rd.zones.load(zone); err == nil {
			return t.In(loc), zone
		}
	}
	return t.UTC(), "UTC"
}

// ago is how far t is from now, roughly, as the script keeps it up to date.
func (rd *reader) ago(t time.Time) string {
	d := rd.now.Sub(t)
	future := d < 0
	if future {
		d = -d
	}
	var text string
	switch {
	case d < time.Minute:
		if future {
			return rd.t("in less than a minute")
		}
		return rd.t("just now")
	case d < time.Hour:
		text = rd.t("%d min", int(d/time.Minute))
	case d < 24*time.Hour:
		if text = rd.t("%d h", int(d/time.Hour)); future {
			text = rd.twoUnits("%d h", "%d h %d min", d, time.Hour, time.Minute)
		}
	default:
		text = rd.t("%d d", int(d/(24*time.Hour)))
	}
	if future {
		return rd.t("in %s", text)
	}
	return rd.t("%s ago", text)
}

// duration says how long something took, with the precision that helps.
func (rd *reader) duration(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 10*time.Second:
		return rd.t("%.2f s", d.Seconds())
	case d < time.Minute:
		return rd.t("%.0f s", d.Seconds())
	case d < time.Hour:
		return rd.twoUnits("%d min", "%d min %d s", d, time.Minute, time.Second)
	}
	return rd.twoUnits("%d h", "%d h %d min", d, time.Hour, time.Minute)
}

// twoUnits says a duration in a large unit and a small one, which is left out at zero.
func (rd *reader) twoUnits(large, both string, d, unit, part time.Duration) string {
	if rest := int(d % unit / part); rest > 0 {
		return rd.t(both, int(d/unit), rest)
	}
	return rd.t(large, int(d/unit))
}

// SpanView is how long something lasted, or has lasted so far: then the script
// keeps it up to date.
type SpanView struct {
	Text  string // "" for what has not begun
	Since string // when it began, in ISO 8601, while it goes on
}

// String gives the text alone.
func (v SpanView) String() string { return v.Text }

// span is the time from start to end. Without an end it goes on.
func (rd *reader) span(start, end time.Time) SpanView {
	switch {
	case start.IsZero():
		return SpanView{}
	case !end.IsZero():
		return SpanView{Text: rd.duration(end.Sub(start))}
	}
	return SpanView{Text: rd.soFar(rd.now.Sub(start)), Since: start.UTC().Format(time.RFC3339Nano)}
}

// soFar says how long something that goes on has lasted, in whole seconds, as
// the script does.
func (rd *reader) soFar(d time.Duration) string {
	if d = max(d, 0).Truncate(time.Second); d < time.Minute {
		return rd.t("%.0f s", d.Seconds())
	}
	return rd.duration(d)
}

// size writes a number of bytes.
func (rd *reader) size(n int64) string {
	switch {
	case n < 1<<10:
		return rd.t("%d B", n)
	case n < 1<<20:
		return rd.t("%.1f KiB", float64(n)/(1<<10))
	}
	return rd.t("%.1f MiB", float64(n)/(1<<20))
}
