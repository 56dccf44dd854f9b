package timetable

import (
	"errors"
	"testing"

	"dagwright/dag"
)

// TestFaultIsNamedAtOnce: a wrong schedule is an error that begins with what is wrong, as
// it stands behind a file and a field for the author of a model.
func TestFaultIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expr, zone, want string
	}{
		{"*/x * * * *", "",
			`minute field "*/x": "*/x" is not understood; want 0-59, *, a range a-b, a step */n, or a list of them`},
		{"0 24 * * *", "", `hour field "24": 24 is out of range 0-23`},
		{"@dayly", "",
			`preset "@dayly" is unknown: want @hourly, @daily, @midnight, @weekly, @monthly, @quarterly, @yearly or @annually`},
		{"0 6 * *", "",
			`expression "0 6 * *" has 4 fields: want 5 (minute hour day-of-month month day-of-week), 6 (seconds last) or 7 (years last)`},
		{"0 6 * * *", "Europe/Moskow", `time zone "Europe/Moskow" is unknown: want an IANA name such as Europe/Berlin`},
	} {
		_, err := Parse(dag.Schedule{Kind: dag.ScheduleCronInterval, Expr: c.expr, Timezone: c.zone})
		if !errors.Is(err, dag.ErrInvalid) || err.Error() != c.want {
			t.Errorf("%q in %q: %v\nwant %s", c.expr, c.zone, err, c.want)
		}
	}
}
