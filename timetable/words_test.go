package timetable_test

import (
	"testing"
	"time"

	"dagwright/dag"
)

func TestDescription(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, want string }{
		{"15 4 * * *", "At 04:15"},
		{"* * * * *", "Every minute"},
		{"*/5 * * * *", "Every 5 minutes"},
		{"5/10 * * * *", "Every 10 minutes, starting at 5 minutes past the hour"},
		{"0-20/5 9 * * *", "Every 5 minutes, minutes 0 through 20 past the hour, between 09:00 and 09:59"},
		{"0 * * * *", "Every hour"},
		{"45 * * * *", "At 45 minutes past the hour"},
		{"0 */3 * * *", "Every 3 hours"},
		{"10 */3 * * *", "At 10 minutes past the hour, every 3 hours"},
		{"*/5 3 * * *", "Every 5 minutes, between 03:00 and 03:59"},
		{"0-10 11 * * *", "Every minute between 11:00 and 11:10"},
		{"30 6,14,22 * * *", "At 06:30, 14:30 and 22:30"},
		{"0 8-18 * * 1-5", "At 0 minutes past the hour, between 08:00 and 18:59, Monday through Friday"},
		{"0 6 * * mon-fri", "At 06:00, Monday through Friday"},
		{"0 6 * * 0,6", "At 06:00, only on Sunday and Saturday"},
		{"0 6 * * 7", "At 06:00, only on Sunday"},
		{"0 6 1,15 * *", "At 06:00, on day 1 and 15 of the month"},
		{"0 6 1-5 * *", "At 06:00, between day 1 and 5 of the month"},
		{"0 6 */2 * *", "At 06:00, every 2 days"},
		{"0 6 L * *", "At 06:00, on the last day of the month"},
		{"0 6 1W * *", "At 06:00, on the first weekday of the month"},
		{"0 6 15W * *", "At 06:00, on the weekday nearest day 15 of the month"},
		{"0 6 * * 1#1", "At 06:00, on the first Monday of the month"},
		{"0 6 * * L2", "At 06:00, on the last Tuesday of the month"},
		{"0 6 1 jan,jul *", "At 06:00, on day 1 of the month, only in January and July"},
		{"0 6 1 */3 *", "At 06:00, on day 1 of the month, every 3 months"},
		{"0 6 1 3-5 *", "At 06:00, on day 1 of the month, March through May"},
		{"0 6 1 * mon", "At 06:00, on day 1 of the month (or) At 06:00, only on Monday"},
		{"@weekly", "At 00:00, only on Sunday"},
		{"@midnight", "At 00:00"},
		{"0 6 * * * 30", "0 6 * * * 30"},
	}
	for _, tc := range tests {
		if got := parse(t, dag.ScheduleCronTrigger, tc.expr, "").Description(); got != tc.want {
			t.Errorf("Description of %q = %q, want %q", tc.expr, got, tc.want)
		}
	}
	for kind, want := range map[dag.ScheduleKind]string{
		dag.ScheduleNone:       "Never, external triggers only",
		dag.ScheduleOnce:       "Once, as soon as possible",
		dag.ScheduleContinuous: "As frequently as possible, but only one run at a time.",
	} {
		if got := parse(t, kind, "", "").Description(); got != want {
			t.Errorf("Description of %s = %q, want %q", kind, got, want)
		}
	}
}

func TestDSTNote(t *testing.T) {
	t.Parallel()
	summer, winter := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		why, expr, zone string
		now             time.Time
		want            string
	}{
		{"gap", "30 2 * * *", "Europe/Berlin", winter,
			"On 2027-03-28 02:30 does not exist in Europe/Berlin: the run starts at 03:30."},
		{"fold", "30 2 * * *", "Europe/Berlin", summer,
			"On 2026-10-25 02:30 comes twice in Europe/Berlin: the run starts the second time."},
		{"merged", "30 2,3 * * *", "Europe/Berlin", winter,
			"On 2027-03-28 02:30 does not exist in Europe/Berlin: the run starts at 03:30, as one with the run of that time."},
		{"skipped", "*/20 2 * * *", "Europe/Berlin", winter,
			"On 2027-03-28 02:00 does not exist in Europe/Berlin: the run starts at 03:00, and those of 02:20 and 02:40 are skipped."},
		{"many skipped", "*/10 2 * * *", "Europe/Berlin", winter,
			"On 2027-03-28 02:00 does not exist in Europe/Berlin: the run starts at 03:00, and those of 02:10, 02:20, 02:30 and more are skipped."},
		{"many in a fold", "0,30 2 * * *", "Europe/Berlin", summer,
			"On 2026-10-25 the time from 02:00 to 03:00 comes twice in Europe/Berlin: the runs in it start when it comes the second time."},
		{"a day's gap", "0 12 * * *", "Pacific/Apia", time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC),
			"On 2011-12-30 12:00 does not exist in Pacific/Apia: the run starts at 12:00 on 2011-12-31, as one with the run of that time."},
		{"not that day", "30 2 * * mon", "Europe/Berlin", winter, ""},
		{"another time", "30 6 * * *", "Europe/Berlin", summer, ""},
		{"hourly", "30 * * * *", "Europe/Berlin", winter, ""},
		{"no change", "30 2 * * *", "Asia/Tokyo", winter, ""},
	}
	for _, tc := range tests {
		if got := parse(t, dag.ScheduleCronTrigger, tc.expr, tc.zone).DSTNote(tc.now); got != tc.want {
			t.Errorf("%s: DSTNote = %q, want %q", tc.why, got, tc.want)
		}
	}
	if got := parse(t, dag.ScheduleOnce, "", "").DSTNote(summer); got != "" {
		t.Errorf("once: DSTNote = %q, want none", got)
	}
}
