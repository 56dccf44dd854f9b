package scheduler

import (
	"fmt"
	"testing"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestOwnChangesDoNotFillTheFeed plans more than the queue of a subscription holds: the
// loop hears of what others do, and of nothing else.
func TestOwnChangesDoNotFillTheFeed(t *testing.T) {
	t.Parallel()
	s := storetest.OpenTest(t)
	d := &dag.DAG{ID: "d", MaxActiveRuns: 1, Tasks: []dag.Task{{ID: "t"}}}
	_, err := s.SaveDAGs(t.Context(), store.Sync{Changed: []store.SpecFile{{Path: "d.yaml", DAGs: []*dag.DAG{d}}}})
	if err != nil {
		t.Fatal(err)
	}
	changes := s.SubscribeTo(callsForPlan)
	defer changes.Close()
	const runs = 2000
	applied, err := s.Advance(t.Context(), []dag.ID{"d"}, func(store.Snapshot) (actions []store.Action) {
		for i := range runs {
			actions = append(actions, store.CreateRun{Run: dag.Run{DAG: "d", ID: dag.RunID(fmt.Sprint("own-", i)),
				Type: dag.RunScheduled, State: dag.RunQueued, Version: 1, LogicalDate: noon.AddDate(0, 0, i)}})
		}
		return actions
	})
	if err != nil || len(applied) != runs {
		t.Fatalf("%d runs were made: %v", len(applied), err)
	}
	if _, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d", Run: "theirs"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changes.Lagged:
		t.Error("the loop's own changes have it look at every DAG")
	case c := <-changes.C:
		if c.Run != "theirs" {
			t.Errorf("heard of %+v", c)
		}
	case <-t.Context().Done():
	}
}
