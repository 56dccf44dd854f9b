package pod

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

func TestLanes(t *testing.T) {
	t.Parallel()
	l := newLanes()
	key := func(task dag.TaskID) dag.AttemptKey { return dag.AttemptKey{Task: task} }
	for _, task := range []dag.TaskID{"start 1", "start 2"} {
		l.begin(key(task))
		l.Push(key(task))
	}
	l.Push(key("ended"))
	var got []dag.TaskID
	got = append(got, l.Pop().Task, l.Pop().Task)
	l.Push(key("start 1")) // has begun: there is news of it
	for l.Len() > 0 {
		got = append(got, l.Pop().Task)
	}
	if diff := cmp.Diff([]dag.TaskID{"ended", "start 1", "start 1", "start 2"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
