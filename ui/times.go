package ui

import (
	"fmt"
	"time"
)

// TimeView shows a moment in UTC, and in the DAG's own zone on hover.
type TimeView struct {
	ISO   string // "" for no time
	Text  string
	Title string
}

// showTime shows t; zone is an IANA name and may be empty.
func showTime(t time.Time, zone string) TimeView {
	if t.IsZero() {
		return TimeView{}
	}
	t = t.UTC()
	v := TimeView{ISO: t.Format(time.RFC3339Nano), Text: t.Format("2006-01-02 15:04:05"), Title: t.Format("2006-01-02 15:04:05 UTC")}
	if zone == "" || zone == "UTC" {
		return v
	}
	if loc, err := time.LoadLocation(zone); err == nil {
		v.Title = t.In(loc).Format("2006-01-02 15:04:05 ") + zone
	}
	return v
}

// showDuration says how long something took, with the precision that helps.
func showDuration(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// lasted is the time from start to end, or up to now while there is no end.
func lasted(start, end, now time.Time) string {
	if start.IsZero() {
		return ""
	}
	if end.IsZero() {
		end = now
	}
	return showDuration(end.Sub(start))
}

// showSize writes a number of bytes.
func showSize(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
