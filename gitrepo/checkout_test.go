package gitrepo_test

import (
	"os"
	"path/filepath"
	"testing"

	"dagwright/gitrepo"
)

// TestCheckoutDiffers compares files of a checkout with those of a commit, from the outside and by a link.
func TestCheckoutDiffers(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	commitFiles(t, remote, "main",
		map[string]string{"same": "a\nb\n", "sub/edited": "x", "gone": "x", "windows": "a\nb\n"})
	work := filepath.Join(t.TempDir(), "work")
	git(t, "", "clone", "--quiet", remote, work)
	for name, text := range map[string]string{"sub/edited": "y", "new": "x", ".gitignore": "new",
		"windows": "a\r\nb\r\n"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(work, "gone")); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", "sub/edited") // in the index is not in the commit
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(work, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{work, link} {
		c, err := gitrepo.OpenCheckout(filepath.Join(dir, "sub"))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"same": false, "windows": false, "sub/edited": true, "gone": true,
			"new": true, "absent": false} {
			if got, err := c.Differs("HEAD", filepath.Join(dir, name)); got != want || err != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if _, err := c.Differs(noCommit, filepath.Join(dir, "same")); err == nil {
			t.Error("a commit that is not there was read")
		}
	}
	if _, err := gitrepo.OpenCheckout(t.TempDir()); err == nil {
		t.Error("a folder that is not a checkout was opened")
	}
}
