package generator

import (
	"context"
	"testing"
	"time"

	"dagwright/store"
)

// TestSlowBranchesGiveTheirPlaces hangs with more branches than there are places: the next
// one is prepared all the same, and in the end nobody holds a place.
func TestSlowBranchesGiveTheirPlaces(t *testing.T) {
	t.Parallel()
	p := (&Generator{}).newPreparer()
	p.slowAfter = time.Millisecond
	release := make(chan struct{})
	p.prepare = func(_ context.Context, group []store.Push) (*change, []store.PushResult) {
		if group[0].ProjectID <= prepareLimit+1 {
			<-release
		}
		return nil, []store.PushResult{{ID: group[0].ID}}
	}
	var pushes []store.Push
	for i := range int64(prepareLimit + 2) {
		pushes = append(pushes, store.Push{ID: i + 1, ProjectID: i + 1, Branch: "main"})
	}
	p.begin(t.Context(), pushes)
	p.begin(t.Context(), pushes) // they are on their way
	if len(p.busy) != len(pushes) || p.pushes() != len(pushes) {
		t.Errorf("%d branches with %d pushes are prepared, want %d", len(p.busy), p.pushes(), len(pushes))
	}
	next := func() prepared {
		select {
		case d := <-p.done:
			return p.take(d)
		case <-time.After(time.Minute):
			t.Fatal("nothing is prepared")
		}
		return prepared{}
	}
	if d := next(); d.branch.project != prepareLimit+2 {
		t.Errorf("project %d is prepared first", d.branch.project)
	}
	close(release)
	for range prepareLimit + 1 {
		next()
	}
	p.running.Wait()
	if len(p.busy)+len(p.places)+len(p.slow)+len(p.done) != 0 {
		t.Errorf("left: %d branches, %d places, %d slow ones, %d results", len(p.busy), len(p.places), len(p.slow),
			len(p.done))
	}
}
