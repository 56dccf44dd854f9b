package gitrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"dagwright/dag"
)

// Propose makes a commit on the head of the Repo's branch and puts it on another
// branch of the remote, for a merge request. That branch belongs to the caller: it
// then holds this one commit, whatever it held before. The commit is the branch's
// afterwards; changed is false when the branch held the same already. Without any
// change to the Repo's branch the commit is "" and nothing is pushed. The errors
// are those of Push.
func (r *Repo) Propose(ctx context.Context, branch string, c Commit) (commit string, changed bool, err error) {
	name := branchRef(branch)
	if err := name.Validate(); err != nil || branch == r.Branch {
		return "", false, fmt.Errorf("propose on branch %.200q: no name for it: %w", branch, errors.Join(err, dag.ErrInvalid))
	}
	if c.Changes == nil || c.When.IsZero() {
		return "", false, fmt.Errorf("propose: a commit needs Changes and When: %w", dag.ErrInvalid)
	}
	ctx, done, err := r.lockRemote(ctx)
	if err != nil {
		return "", false, fmt.Errorf("propose on %s: %w", branch, err)
	}
	defer done()
	if err := r.heal(ctx); err != nil {
		return "", false, fmt.Errorf("propose on %s: %w", branch, err)
	}
	for try := range maxPushTries {
		if err = pause(ctx, try); err != nil {
			break
		}
		var h plumbing.Hash
		h, changed, err = r.tryPropose(ctx, name, c)
		var lost *refusedError
		if errors.As(err, &lost) && isRace(lost.reason) {
			continue
		}
		if err == nil {
			return hashString(h), changed, nil
		}
		break
	}
	return "", false, fmt.Errorf("propose on %s: %w", branch, err)
}

func (r *Repo) tryPropose(ctx context.Context, name plumbing.ReferenceName, c Commit) (plumbing.Hash, bool, error) {
	var replies drain
	session, refs, remoteHead, err := r.remote.receivePack(ctx, &replies)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	defer replies.close()
	defer closeQuietly(session)
	base, err := r.bring(ctx, remoteHead)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	w, commit, err := r.build(c, base)
	if err != nil || commit == base {
		return plumbing.ZeroHash, false, err
	}
	before := refs.References[name.String()]
	if r.proposed(before, base, w, commit) {
		return before, false, nil
	}
	if err := r.send(ctx, session, refs, w, move{name, before, commit}); err != nil {
		return plumbing.ZeroHash, false, err
	}
	return commit, true, r.keep(w)
}

// proposed reports whether the branch holds the same files on the same base. A
// commit that the clone does not have was made by somebody else.
func (r *Repo) proposed(before, base plumbing.Hash, w *treeWriter, commit plumbing.Hash) bool {
	if before.IsZero() {
		return false
	}
	old, err := object.GetCommit(r.objects.Load(), before)
	if err != nil || len(old.ParentHashes) != 1 || old.ParentHashes[0] != base {
		return false
	}
	made, err := object.GetCommit(w.new, commit)
	return err == nil && made.TreeHash == old.TreeHash
}
