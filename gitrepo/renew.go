package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"dagwright/dag"
)

const (
	// maxPacks and maxLoose bound the packs and loose objects that may gather in a
	// clone: each pack makes every look-up slower, and each loose object is a file.
	maxPacks = 50
	maxLoose = 20_000
	// renewAgain is how long a clone is kept after it was made again, whatever is
	// wrong: a remote that is itself damaged must not be cloned at each fetch.
	renewAgain = time.Hour
)

// renewal is what a Repo knows of the state of its clone.
type renewal struct {
	// using is held while objects are read. Who writes to it swaps the folder.
	using sync.RWMutex
	// damage is why the clone cannot be read, nil while it can.
	damage atomic.Pointer[error]
	// renewed is when the clone was made again last. It belongs to whoever holds the
	// token of remoteCall.
	renewed time.Time
	absence atomic.Pointer[Absence]
}

// view returns the objects to read from. The caller calls done with its error
// afterwards, which is looked at for signs of damage.
func (r *Repo) view() (s storer.EncodedObjectStorer, done func(*error)) {
	r.using.RLock()
	return r.objects.Load(), func(err *error) {
		r.using.RUnlock()
		r.suspect(*err)
	}
}

// suspect notes an error that only a damaged clone gives: what it was asked for is
// neither absent nor too large.
func (r *Repo) suspect(err error) {
	if err == nil || errors.Is(err, dag.ErrNotFound) || errors.Is(err, dag.ErrInvalid) || errors.Is(err, os.ErrExist) {
		return
	}
	r.damage.Store(&err)
}

// isCache reports whether the clone may be thrown away: not when it is the very
// repository that it would be made of.
func (r *Repo) isCache() bool {
	if r.remote.endpoint.Protocol != "file" {
		return true
	}
	ours, err := os.Stat(r.Dir)
	if err != nil {
		return true
	}
	theirs, err := os.Stat(r.remote.endpoint.Path)
	return err != nil || !os.SameFile(ours, theirs)
}

// heal makes the clone again when it is damaged, or when too much has gathered in it.
// The caller has the right to call the remote. A clone that is merely full goes on
// when it cannot be made again.
func (r *Repo) heal(ctx context.Context) error {
	damage := r.damage.Load()
	if damage == nil && !r.full() || !r.isCache() || !r.renewed.IsZero() && time.Since(r.renewed) < renewAgain {
		return nil
	}
	if damage != nil {
		r.Logger.Warn("the clone is damaged and is made again", "dir", r.Dir, "err", *damage)
	}
	err := r.renew(ctx)
	if err != nil && damage == nil {
		r.renewed = time.Now() // not again at once
		r.Logger.Warn("the clone has many packs and could not be made again", "dir", r.Dir, "err", err)
		return nil
	}
	return err
}

// full reports whether too many packs or loose objects have gathered.
func (r *Repo) full() bool {
	packs, err := filepath.Glob(filepath.Join(r.Dir, "objects", "pack", "*.pack"))
	if err == nil && len(packs) > maxPacks {
		return true
	}
	// One of 256 folders stands for all, as for git gc --auto.
	loose, err := os.ReadDir(filepath.Join(r.Dir, "objects", "17"))
	return err == nil && len(loose)*256 > maxLoose
}

// renew clones the remote into a folder beside, and puts that in the clone's place.
// Objects that the branch does not reach are gone afterwards.
func (r *Repo) renew(ctx context.Context) error {
	fresh, old := r.Dir+".fresh", r.Dir+".old"
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(old)); err != nil {
		return fmt.Errorf("make the clone again: %w", err)
	}
	c := r.Config
	c.Dir = fresh
	n := &Repo{Config: c, remote: r.remote}
	err := errors.Join(n.init(), n.reload())
	if err == nil {
		_, err = n.fetch(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make the clone again: %w", err), os.RemoveAll(fresh))
	}
	r.using.Lock()
	defer r.using.Unlock()
	if err := errors.Join(os.Rename(r.Dir, old), os.Rename(fresh, r.Dir), r.reload()); err != nil {
		return fmt.Errorf("put the new clone in place: %w", err)
	}
	r.listing.Lock()
	r.listing.trees = nil
	r.listing.Unlock()
	r.renewed = time.Now()
	r.damage.Store(nil)
	r.Logger.Info("the clone was made again", "dir", r.Dir)
	return os.RemoveAll(old)
}

// Absence says why a remote has no commit to read.
type Absence struct {
	// Branch is the one that is missing.
	Branch string
	// Others are branches that the remote has, at most ten; none when it is empty.
	Others []string
}

// Absence returns why the last call of the remote found no commit, nil when it
// found one or there was no call yet.
func (r *Repo) Absence() *Absence { return r.absence.Load() }

// absent notes that the remote lacks the branch.
func (r *Repo) absent(refs map[string]plumbing.Hash) *Absence {
	a := &Absence{Branch: r.Branch}
	for name := range refs {
		if n := plumbing.ReferenceName(name); n.IsBranch() {
			a.Others = append(a.Others, n.Short())
		}
	}
	const most = 10
	slices.Sort(a.Others)
	a.Others = a.Others[:min(len(a.Others), most)]
	return a
}
