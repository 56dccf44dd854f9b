package pod

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/podspec"
	"dagwright/tasklog"
)

// quotaServer counts what it is asked, has room for so many pods, and never for
// those of the task "huge".
type quotaServer struct {
	mu    sync.Mutex
	room  int
	asked int
	made  []string // the tasks of the pods, in the order of their creation
}

func (q *quotaServer) create(pod *corev1.Pod) *apierrors.StatusError {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	task := pod.Labels["task_id"]
	if q.room == 0 || task == "huge" {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, pod.Name, errors.New("exceeded quota: tasks"))
	}
	q.room--
	q.made = append(q.made, task)
	return nil
}

// count returns what was asked and made since the last call.
func (q *quotaServer) count() (asked int, made []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked, made = q.asked, q.made
	q.asked, q.made = 0, nil
	return asked, made
}

func (q *quotaServer) setRoom(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.room = n
}

// TestQuotaLine wants a full quota to cost no more requests with a thousand
// attempts that wait than with two, and room that comes to be used at once, also
// behind a pod that no quota will ever take.
func TestQuotaLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &quotaServer{}
		server := &apiServer{create: q.create}
		logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		x, err := Open(Config{
			Client: server.client(t), Logs: logs, Pods: podspec.Config{Namespace: "tasks", Instance: "test"},
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		go func() {
			for range x.Events() { //nolint:revive // nobody wants them
			}
		}()
		x.startWorkers()
		const waiting = 1000
		key := func(task string) dag.AttemptKey {
			return dag.AttemptKey{DAG: "d", Run: "r", Task: dag.TaskID(task), Try: 1}
		}
		begin := func(task string) {
			a := executor.Attempt{Key: key(task), Task: dag.Task{ID: dag.TaskID(task), Image: "busybox"}}
			if err := x.Start(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		begin("huge")
		synctest.Wait()
		for i := range waiting {
			begin(fmt.Sprintf("t%d", i))
		}
		synctest.Wait()
		if asked, _ := q.count(); asked > 20 {
			t.Errorf("%d requests for %d starts", asked, waiting)
		}
		time.Sleep(time.Minute)
		if asked, _ := q.count(); asked < 30 || asked > 61 {
			t.Errorf("%d requests in a minute", asked)
		}

		// Room for 100: they come at once, and one after the other.
		q.setRoom(100)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if asked, made := q.count(); len(made) != 100 || asked > 110 {
			t.Errorf("room for 100 pods: %d were made by %d requests", len(made), asked)
		}

		// A pod ends: the one that has waited longest asks, and another.
		if err := x.Stop(t.Context(), key("t999"), 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if asked, _ := q.count(); asked > 3 {
			t.Errorf("an end made %d requests", asked)
		}

		// Room for all of them, and the huge one holds up nobody.
		q.setRoom(waiting)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if _, made := q.count(); len(made) != waiting-100-1 {
			t.Errorf("room for all: %d pods were made, want %d", len(made), waiting-100-1)
		}
		begin("late")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if _, made := q.count(); len(made) != 1 || made[0] != "late" {
			t.Errorf("behind the huge one came %v", made)
		}
		x.mu.Lock()
		l := x.lines["tasks"]
		x.mu.Unlock()
		if l == nil || len(l.waiting) != 1 {
			t.Errorf("the line is %+v, want the huge one alone", l)
		}
	})
}
