package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOutboxKeepsOrder ends transactions in another order than that of their commits.
func TestOutboxKeepsOrder(t *testing.T) {
	t.Parallel()
	var got []string
	o := outbox{publish: func(changes []Change) {
		for _, c := range changes {
			got = append(got, string(c.DAG)+" "+c.State)
		}
	}}
	a1 := o.take([]Change{{DAG: "a", State: "1"}})
	ab := o.take([]Change{{DAG: "a", State: "2"}, {DAG: "b", State: "1"}})
	b2 := o.take([]Change{{DAG: "b", State: "2"}})
	lost := o.take([]Change{{DAG: "c", State: "1"}})
	c2 := o.take([]Change{{DAG: "c", State: "2"}})
	o.end(o.take(nil), true)
	for _, step := range []struct {
		end     *ticket
		written bool
		want    []string
	}{
		{b2, true, nil},
		{ab, true, nil},
		{c2, true, nil},
		{lost, false, []string{"c 2"}},
		{a1, true, []string{"a 1", "a 2", "b 1", "b 2"}},
	} {
		got = nil
		o.end(step.end, step.written)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("published (-want +got):\n%s", diff)
		}
	}
	if len(o.tickets) != 0 {
		t.Errorf("%d transactions are left", len(o.tickets))
	}
}
