package dag

// Outcome says whether a run is over and how it ended, by Airflow's rules: it
// is over when no task instance is unfinished, and it failed when a leaf (a task
// without downstream tasks) is failed or upstream_failed. A run in which no task
// is under way and none can ever start is over too, and failed: Airflow calls
// that a deadlock. The caller first settles what [Decide] has settled.
func Outcome(d *DAG, states map[TaskID]TaskState) (RunState, bool) {
	unstarted := 0
	for i := range d.Tasks {
		state := states[d.Tasks[i].ID]
		switch {
		case state.Ended():
		case state == TaskNone:
			unstarted++
		default:
			return "", false
		}
	}
	if unstarted > 0 {
		if deadlocked(d, states) {
			return RunFailed, true
		}
		return "", false
	}
	leaf := leaves(d)
	for i := range d.Tasks {
		state := states[d.Tasks[i].ID]
		if leaf[d.Tasks[i].ID] && (state == TaskFailed || state == TaskUpstreamFailed) {
			return RunFailed, true
		}
	}
	return RunSuccess, true
}

// deadlocked reports whether no unstarted task can ever start when nothing else
// is under way. A task that waits for an earlier run may still start.
func deadlocked(d *DAG, states map[TaskID]TaskState) bool {
	for i := range d.Tasks {
		t := &d.Tasks[i]
		if states[t.ID] != TaskNone {
			continue
		}
		if verdict, _ := Decide(d, t.ID, states); verdict != Wait {
			return false
		}
	}
	return true
}

func leaves(d *DAG) map[TaskID]bool {
	leaf := make(map[TaskID]bool, len(d.Tasks))
	for i := range d.Tasks {
		leaf[d.Tasks[i].ID] = true
	}
	for i := range d.Tasks {
		for _, up := range d.Tasks[i].Upstream {
			leaf[up] = false
		}
	}
	return leaf
}

// Order lists the tasks so that each comes after its upstream tasks; tasks that
// do not depend on each other stay in file order.
func Order(d *DAG) []TaskID {
	index := make(map[TaskID]int, len(d.Tasks))
	for i := range d.Tasks {
		index[d.Tasks[i].ID] = i
	}
	order := make([]TaskID, 0, len(d.Tasks))
	seen := make([]bool, len(d.Tasks))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, up := range d.Tasks[i].Upstream {
			if j, ok := index[up]; ok {
				visit(j)
			}
		}
		order = append(order, d.Tasks[i].ID)
	}
	for i := range d.Tasks {
		visit(i)
	}
	return order
}
