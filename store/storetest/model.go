package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"dagwright/dag"
	"dagwright/store"
)

func modelTests() []test {
	return []test{{"random acts keep the figures right", testModel}}
}

// testModel does random things in random order, right and wrong ones, and
// compares all counters and newest runs with the runs themselves as it goes.
func testModel(f fixture) {
	m := &model{fixture: f, rng: rand.New(rand.NewPCG(1, 2))}
	for i := range 3 {
		id := numbered("model", i)
		m.dags = append(m.dags, id)
		f.define(id, "a", "b")
	}
	for i := range 600 {
		if err := m.step(); err != nil && !errors.Is(err, dag.ErrConflict) && !errors.Is(err, dag.ErrInvalid) {
			f.Fatalf("step %d: %v", i, err)
		}
		if i%50 == 49 {
			f.checkCounts(m.dags...)
			m.checkActive()
		}
	}
}

type model struct {
	fixture
	rng  *rand.Rand
	dags []dag.ID
}

func (m *model) step() error {
	id := m.dags[m.rng.IntN(len(m.dags))]
	switch m.rng.IntN(10) {
	case 0, 1:
		_, err := m.TriggerRun(m.ctx(), store.Trigger{DAG: id, Unpause: m.rng.IntN(2) == 0, By: alice})
		return err
	case 2:
		return m.SetPaused(m.ctx(), alice, id, m.rng.IntN(2) == 0)
	case 3:
		return m.mark(id)
	case 4:
		return m.archiveOrBack(id)
	}
	_, err := m.Advance(m.ctx(), m.dags, m.plan)
	return err
}

func (m *model) mark(id dag.ID) error {
	runs, _, err := m.Runs(m.ctx(), store.RunFilter{DAG: id, Limit: 3})
	if err != nil || len(runs) == 0 {
		return err
	}
	state := []dag.RunState{dag.RunSuccess, dag.RunFailed, dag.RunQueued}[m.rng.IntN(3)]
	return m.SetRunState(m.ctx(), alice, id, runs[m.rng.IntN(len(runs))].ID, state)
}

// archiveOrBack removes the DAG's file, brings it back, or deletes the DAG.
func (m *model) archiveOrBack(id dag.ID) error {
	switch m.rng.IntN(4) {
	case 0:
		_, err := m.SaveDAGs(m.ctx(), store.Sync{Commit: "x", Removed: []string{string(id) + ".yaml"}})
		return err
	case 1:
		if err := m.DeleteDAG(m.ctx(), alice, id); err != nil {
			return err
		}
	}
	source := fmt.Sprintf("source %d", m.rng.IntN(3))
	_, err := m.SaveDAGs(m.ctx(),
		store.Sync{Commit: "x", Changed: []store.SpecFile{file(string(id)+".yaml", source, newDAG(id, "a", "b"))}})
	return err
}

// plan does something to every run that it is shown, now and then twice or on
// a wrong premise.
func (m *model) plan(s store.Snapshot) []store.Action {
	var actions []store.Action
	for _, d := range s.DAGs {
		if m.rng.IntN(4) == 0 {
			date := someTime.AddDate(0, 0, m.rng.IntN(50))
			actions = append(actions, store.CreateRun{Run: dag.Run{
				DAG: d.DAG.ID, ID: dag.ScheduledRunID(date), Type: dag.RunScheduled, Version: d.Version,
				LogicalDate: date, RunAfter: date, QueuedAt: date,
			}, Next: store.NextRun{RunAfter: date}})
		}
		for _, r := range d.Runs {
			actions = append(actions, m.planRun(r)...)
		}
	}
	return actions
}

func (m *model) planRun(r store.RunDetail) []store.Action {
	if r.State == dag.RunQueued {
		start := store.StartRun{DAG: r.DAG, Run: r.ID, At: someTime}
		for _, task := range r.Spec.Tasks {
			start.Tasks = append(start.Tasks, dag.TaskInstance{DAG: r.DAG, Run: r.ID, Task: task.ID, MaxTries: 3})
		}
		start.Tasks[0].State, start.Tasks[0].Try = dag.TaskQueued, 1
		return []store.Action{start, start}
	}
	if m.rng.IntN(5) == 0 {
		state := []dag.RunState{dag.RunSuccess, dag.RunFailed}[m.rng.IntN(2)]
		return []store.Action{store.EndRun{DAG: r.DAG, Run: r.ID, From: dag.RunRunning, State: state, At: someTime}}
	}
	var actions []store.Action
	for _, ti := range r.Tasks {
		u := move(ti, []dag.TaskState{dag.TaskRunning, dag.TaskSuccess, dag.TaskFailed, dag.TaskUpForRetry}[m.rng.IntN(4)])
		if !ti.State.Active() && !r.State.Ended() {
			u.Task.State, u.Task.Try = dag.TaskQueued, ti.Try+1
		}
		actions = append(actions, u)
	}
	return actions
}

// checkActive compares the attempts that hold a slot with what the snapshot
// counts and shows.
func (m *model) checkActive() {
	m.Helper()
	attempts, err := m.ActiveAttempts(m.ctx())
	m.ok(err)
	shown := map[dag.AttemptKey]bool{}
	total := 0
	_, err = m.Advance(m.ctx(), m.dags, func(s store.Snapshot) []store.Action {
		total = s.ActiveTasks
		clear(shown)
		for _, d := range s.DAGs {
			for _, r := range d.Runs {
				for _, ti := range r.Tasks {
					if ti.State.Active() {
						shown[dag.AttemptKey{DAG: ti.DAG, Run: ti.Run, Task: ti.Task, Try: ti.Try}] = true
					}
				}
			}
		}
		return nil
	})
	m.ok(err)
	m.equal(total, len(attempts))
	m.equal(len(shown), len(attempts))
	for _, ti := range attempts {
		if !shown[dag.AttemptKey{DAG: ti.DAG, Run: ti.Run, Task: ti.Task, Try: ti.Try}] {
			m.Errorf("attempt %+v is not in the snapshot", ti)
		}
	}
}
