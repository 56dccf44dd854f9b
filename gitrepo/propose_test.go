package gitrepo_test

import (
	"errors"
	"testing"

	"dagwright/dag"
	"dagwright/gitrepo"
)

const proposal = "dagwright/gbc/churn/main"

// A proposal's branch holds one commit on the branch's head, follows both, and is
// left alone when neither has moved.
func TestPropose(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	r := open(t, remote)
	base := mustPush(t, r, change(set("a.yaml", "1")))
	propose := func(c gitrepo.Commit) (string, bool) {
		t.Helper()
		commit, changed, err := r.Propose(t.Context(), proposal, c)
		if err != nil {
			t.Fatal(err)
		}
		return commit, changed
	}
	first, changed := propose(change(set("a.yaml", "2")))
	if !changed || git(t, remote, "rev-parse", proposal+"^") != base || git(t, remote, "rev-parse", "main") != base {
		t.Errorf("first: %s, changed %v", first, changed)
	}
	if again, changed := propose(change(set("a.yaml", "2"))); again != first || changed {
		t.Errorf("the same again: %s, changed %v", again, changed)
	}
	if second, changed := propose(change(set("a.yaml", "3"))); !changed || second == first ||
		git(t, remote, "rev-parse", proposal+"^") != base {
		t.Errorf("other bytes: %s, changed %v; want one commit on the head", second, changed)
	}
	moved := mustPush(t, open(t, remote), change(set("b.yaml", "1")))
	if third, changed := propose(change(set("a.yaml", "3"))); !changed || git(t, remote, "rev-parse", third+"^") != moved {
		t.Errorf("another head: %s, changed %v", third, changed)
	}
	if none, changed := propose(change(set("a.yaml", "1"))); none != "" || changed {
		t.Errorf("nothing to propose: %q, changed %v", none, changed)
	}
	git(t, remote, "fsck", "--strict", "--full")
	for _, branch := range []string{"main", "a..b", ""} {
		if _, _, err := r.Propose(t.Context(), branch, change(set("a.yaml", "2"))); !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("branch %q: %v, want ErrInvalid", branch, err)
		}
	}
}

// Describe gives the message when it is known what changes.
func TestDescribe(t *testing.T) {
	t.Parallel()
	remote := newBare(t)
	c := change(set("a.yaml", "1"))
	called := false
	changes := c.Changes
	c.Changes = func(head string) ([]gitrepo.Change, error) { called = true; return changes(head) }
	c.Describe = func() string {
		if !called {
			t.Error("Describe was called before Changes")
		}
		return "Say what changed"
	}
	mustPush(t, open(t, remote), c)
	if got := git(t, remote, "log", "-1", "--format=%s", "main"); got != "Say what changed" {
		t.Errorf("message %q", got)
	}
}
