package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
)

// TestPayloads packs changes into notifications and reads them back. A
// notification must be shorter than 8,000 bytes, and no two may be equal.
func TestPayloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250)
	for _, n := range []int{0, 1, 7, 8, 9, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			var changes, back []Change
			for range n {
				changes = append(changes,
					Change{Kind: ChangeTask, DAG: dag.ID(long), Run: dag.RunID(long), Task: dag.TaskID(long), State: "queued"})
			}
			packed, err := payloads("here", changes)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range packed {
				if len(p) >= 8000 {
					t.Errorf("a notification has %d bytes", len(p))
				}
				origin, got, err := parsePayload(p)
				if err != nil || origin != "here" {
					t.Fatalf("from %q: %v", origin, err)
				}
				back = append(back, got...)
			}
			if diff := cmp.Diff(changes, back); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			slices.Sort(packed)
			if len(slices.Compact(slices.Clone(packed))) != len(packed) {
				t.Error("two notifications are equal")
			}
		})
	}
	if _, _, err := parsePayload("here 0\nnot JSON"); err == nil {
		t.Error("a broken notification was read")
	}
}

// TestSpecCacheIsBounded fills the cache beyond its bound and purges it.
func TestSpecCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newSpecCache()
	definition := `{"dag_id":"d","description":"` + strings.Repeat("x", maxSpecBytes/10) + `"}`
	for i := range 15 {
		if _, err := c.parse(specKey{dag: "d", version: i}, definition); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.find(specKey{dag: "d", version: 0}); !ok {
			t.Fatalf("the definition used most is gone after %d", i)
		}
		if c.size > maxSpecBytes || c.order.Len() != len(c.items) {
			t.Fatalf("the cache holds %d bytes in %d entries, %d listed", c.size, len(c.items), c.order.Len())
		}
	}
	if _, ok := c.find(specKey{dag: "d", version: 1}); ok {
		t.Error("the definition used least is still there")
	}
	c.purge()
	if _, ok := c.find(specKey{dag: "d", version: 0}); ok || c.size != 0 {
		t.Error("the cache is not empty after a purge")
	}
}
