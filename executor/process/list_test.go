package process

import (
	"os"
	"path/filepath"
	"testing"
)

// TestListOfAnUnreadableFolder has something else where the working folders are: what is
// there is not known, which is an error and no empty list.
func TestListOfAnUnreadableFolder(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	x := h.opened(t)
	if events, err := x.List(t.Context()); err != nil || len(events) != 0 {
		t.Fatalf("%v, %v; want nothing", events, err)
	}
	work := filepath.Join(h.dir, "state", "work")
	if err := os.RemoveAll(work); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(work, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := x.List(t.Context()); err == nil {
		t.Error("no error")
	}
}
