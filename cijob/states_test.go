package cijob_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"dagwright/cijob"
	"dagwright/dag"
	"dagwright/store"
)

// TestAnswerNamesDAGs has a push in each state: the branch's DAGs are named where the
// push left them as they should be.
func TestAnswerNamesDAGs(t *testing.T) {
	t.Parallel()
	for state, want := range map[store.PushState]int{
		store.PushRendered: 1, store.PushUnchanged: 1, store.PushProposed: 1, store.PushRefused: 0,
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, time.Minute)
			record := func(commit string) int64 {
				id, _, err := l.store.RecordPush(t.Context(),
					store.Push{ProjectID: 2, Project: project, Branch: "main", Commit: commit, Via: store.ViaCI})
				if err != nil {
					t.Fatal(err)
				}
				return id
			}
			finish := func(r store.PushResult) {
				if err := l.store.FinishPushes(t.Context(), []store.PushResult{r}); err != nil {
					t.Fatal(err)
				}
			}
			finish(store.PushResult{ID: record("0000000000000000000000000000000000000001"), State: store.PushRendered,
				DAG: "churn-model", Specs: []store.Spec{{
					DAG: "churn-model", ProjectID: 2, Path: "dags/x.yaml", Content: "new", DAGCommit: "d1",
					Source: dag.Source{Project: project, Branch: "main"},
				}}})
			finish(store.PushResult{ID: record(l.commit), State: state})
			status, body := l.ask(l.token(nil))
			var got cijob.Answer
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.State != string(state) ||
				len(got.DAGs) != want {
				t.Errorf("%d %s, want %d DAGs", status, body, want)
			}
		})
	}
}
