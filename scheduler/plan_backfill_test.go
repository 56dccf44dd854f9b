package scheduler

import (
	"testing"

	"dagwright/dag"
	"dagwright/store"
)

func TestPlanBackfill(t *testing.T) {
	t.Parallel()
	d := chain(dag.Task{ID: "a"})
	d.MaxActiveRuns = 1
	own := running(d, dag.TaskRunning) // takes the DAG's one slot
	inBackfill := func(id dag.RunID) store.RunDetail {
		r := queued(d, id)
		r.Type, r.InBackfill = dag.RunBackfill, true
		return r
	}
	one, two, three := inBackfill("one"), inBackfill("two"), inBackfill("three")
	busy := inBackfill("busy")
	busy.State = dag.RunRunning
	busy.Tasks = []dag.TaskInstance{{DAG: "d", Run: "busy", Task: "a", State: dag.TaskRunning, Try: 1, MaxTries: 1,
		StartedAt: noon}}
	tests := []struct {
		name     string
		backfill store.BackfillState
		runs     []store.RunDetail
		want     []string
		again    bool
	}{
		{"it has slots beside the DAG's", store.BackfillState{MaxActiveRuns: 2, Queued: 2}, []store.RunDetail{own, one, two},
			[]string{"start one: a=queued/1", "start two: a=queued/1"}, false},
		{"its own limit counts", store.BackfillState{MaxActiveRuns: 2, Queued: 2}, []store.RunDetail{busy, one, two},
			[]string{"start one: a=queued/1"}, false},
		{"more are looked at when the snapshot showed too few", store.BackfillState{MaxActiveRuns: 9, Queued: 7},
			[]store.RunDetail{one, two, three},
			[]string{"start one: a=queued/1", "start two: a=queued/1", "start three: a=queued/1"}, true},
		{"a paused one starts nothing", store.BackfillState{Paused: true, MaxActiveRuns: 2, Queued: 1},
			[]store.RunDetail{busy, one}, nil, false},
		{"the DAG's own runs do not wait for it", store.BackfillState{Paused: true, MaxActiveRuns: 1, Queued: 1},
			[]store.RunDetail{busy, queued(d, "own"), one},
			[]string{"start own: a=queued/1"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			runs := make([]store.RunDetail, len(test.runs))
			copy(runs, test.runs)
			p, got := planned(store.DAGState{DAG: d, Runs: runs, Backfill: &test.backfill})
			want(t, got, test.want...)
			if again := len(p.again) > 0; again != test.again {
				t.Errorf("planned for another look: %v", p.again)
			}
		})
	}
}
