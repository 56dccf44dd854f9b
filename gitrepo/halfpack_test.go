package gitrepo

import (
	"os"
	"path/filepath"
	"testing"
)

// TestHalfPackIsRemoved leaves the index of a pack that was never written, as a
// kill in the middle of a fetch does.
func TestHalfPackIsRemoved(t *testing.T) {
	t.Parallel()
	r, err := Open(Config{URL: t.TempDir(), Dir: filepath.Join(t.TempDir(), "clone.git")})
	if err != nil {
		t.Fatal(err)
	}
	packs := filepath.Join(r.Dir, "objects", "pack")
	if err := os.MkdirAll(packs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pack-half.idx", "pack-whole.idx", "pack-whole.pack"} {
		if err := os.WriteFile(filepath.Join(packs, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.removeHalfPacks(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(packs, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("left are %v (%v), want the whole pack and its index", left, err)
	}
}
