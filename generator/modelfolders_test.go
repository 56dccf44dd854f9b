package generator_test

import (
	"testing"

	"dagwright/store"
)

// TestPastSchedule renders a schedule whose years are past, and says so on the push: the
// same commit was right before.
func TestPastSchedule(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.Commit(churn, "main", map[string]string{".dagwright.yml": `scoring: {schedule: "0 6 * * * 0 2020"}`})
	const reason = `the schedule "0 6 * * * 0 2020" of churn-model never matches again: its years are past`
	if p := l.settled(store.PushRendered); p.Reason != reason {
		t.Errorf("%q", p.Reason)
	}
	l.Commit(churn, "main", map[string]string{".dagwright.yml": `scoring: {schedule: "0 6 * * * 0 2020,2030"}`})
	if p := l.settled(store.PushRendered); p.Reason != "" {
		t.Errorf("%q", p.Reason)
	}
}
