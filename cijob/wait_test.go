package cijob

import (
	"testing"

	"dagwright/store"
)

// TestWhatWakesAJob has changes of an instance at work: only the end of a push of the
// job's own project wakes it.
func TestWhatWakesAJob(t *testing.T) {
	t.Parallel()
	wants := finishedOf("gbc/risk/churn-model")
	for want, changes := range map[bool][]store.Change{
		true: {
			{Kind: store.ChangePush, Project: "gbc/risk/churn-model", State: string(store.PushRendered)},
			{Kind: store.ChangePush, Project: "gbc/risk/churn-model", State: string(store.PushSkipped)},
		},
		false: {
			{Kind: store.ChangeTask, DAG: "churn-model", State: "success"},
			{Kind: store.ChangeRun, DAG: "churn-model", State: "running"},
			{Kind: store.ChangeDAG, DAG: "churn-model"},
			{Kind: store.ChangePush, Project: "gbc/risk/churn-model", State: string(store.PushPending)},
			{Kind: store.ChangePush, Project: "gbc/risk/fraud-model", State: string(store.PushRendered)},
		},
	} {
		for _, c := range changes {
			if got := wants(c); got != want {
				t.Errorf("%+v wakes the job: %v, want %v", c, got, want)
			}
		}
	}
}
