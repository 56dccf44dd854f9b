package timetable_test

import (
	"fmt"
	"time"

	"dagwright/dag"
	"dagwright/timetable"
)

// A nightly schedule over the change to summer time, when the clock in Berlin
// goes from 02:00 to 03:00.
func Example() {
	tt, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: "30 2 * * *", Timezone: "Europe/Berlin"})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC)
	runs, err := tt.Upcoming(time.Time{}, timetable.Bounds{Start: start}, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tt.Description())
	for _, r := range runs {
		fmt.Println(r.RunAfter.Format(time.RFC3339))
	}
	fmt.Println(tt.DSTNote(start))
	// Output:
	// At 02:30
	// 2027-03-27T01:30:00Z
	// 2027-03-28T01:30:00Z
	// 2027-03-29T00:30:00Z
	// On 2027-03-28 02:30 does not exist in Europe/Berlin: the run starts at 03:30.
}
