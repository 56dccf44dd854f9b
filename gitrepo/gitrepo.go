// Package gitrepo keeps a bare clone of one git repository and works on its
// objects directly: no working tree, no checkout, no symlink followed, no
// submodule entered. It is built on go-git.
//
// Reading never calls the remote and may go on beside everything else. [Repo.Fetch]
// and [Repo.Push] call the remote, one at a time for each Repo. A clone is a
// cache: its folder may be deleted while no Repo has it open.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"dagwright/dag"
)

// Config says which repository to keep a clone of, and where.
type Config struct {
	// URL of the remote: https://, ssh:// or a path of this machine.
	URL string
	// Dir holds the bare clone. It is made when missing and reused when there.
	Dir string
	// Branch that is read and pushed to, "main" when empty.
	Branch string
	// Username and Password authenticate over HTTP; both may be empty.
	Username, Password string
	// Timeout bounds each call of the remote; a minute when zero.
	Timeout time.Duration
	Logger  *slog.Logger
	// Observe is called after each call of the remote ("fetch", "push") with how long it took;
	// it may be nil.
	Observe func(call string, took time.Duration, err error)
}

const (
	// objectCacheSize bounds the inflated objects that a Repo keeps in memory.
	objectCacheSize = 8 * cache.MiByte
	// largeObject is the size from which an object is streamed from disk and
	// never held in memory whole.
	largeObject = 1 << 20
)

// Repo is a bare clone. Its methods are safe for concurrent use.
type Repo struct {
	Config
	remote remote
	// remoteCall holds one token: who takes it may call the remote, write
	// objects and move the branch.
	remoteCall chan struct{}
	// objects is replaced, never changed, when a pack arrives: go-git's index
	// of packs must not be written while others read it.
	objects atomic.Pointer[storage]
	listing struct {
		sync.Mutex
		trees map[plumbing.Hash][]treeEntry
	}
	renewal
}

// Open opens the clone, making it (git init --bare) when it is missing. It
// does not call the remote. The error is dag.ErrInvalid for a Config that
// cannot work.
func Open(c Config) (*Repo, error) {
	if c.Branch == "" {
		c.Branch = "main"
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(string, time.Duration, error) {}
	}
	if c.Dir == "" {
		return nil, fmt.Errorf("open clone: no folder given: %w", dag.ErrInvalid)
	}
	if err := CheckBranch(c.Branch); err != nil {
		return nil, fmt.Errorf("open clone: %w", err)
	}
	remote, err := newRemote(c)
	if err != nil {
		return nil, fmt.Errorf("open clone: %w", err)
	}
	c.Password = "" // the remote has it; nothing else needs it
	r := &Repo{Config: c, remote: remote, remoteCall: make(chan struct{}, 1)}
	if err := r.openClone(); err != nil {
		return nil, fmt.Errorf("open clone %s: %w", c.Dir, err)
	}
	return r, nil
}

// openClone opens the clone. One that is damaged is thrown away: the next fetch
// brings it again.
func (r *Repo) openClone() error {
	err := errors.Join(r.init(), r.check())
	if err == nil || !r.isCache() {
		return err
	}
	r.Logger.Warn("the clone is damaged: it is discarded, and the next fetch restores it", "dir", r.Dir, "err", err)
	if err := os.RemoveAll(r.Dir); err != nil {
		return err
	}
	return errors.Join(r.init(), r.check())
}

// check opens the indexes of the clone's packs and reads the commit that it is at.
func (r *Repo) check() error {
	if err := r.reload(); err != nil {
		return err
	}
	head, err := r.head()
	if err != nil || head.IsZero() {
		return err
	}
	if _, err := rootTree(r.objects.Load(), head.String()); err != nil {
		return fmt.Errorf("read the commit that the clone is at: %w", err)
	}
	return nil
}

// init makes the bare repository unless it is there.
func (r *Repo) init() error {
	if _, err := os.Stat(filepath.Join(r.Dir, "HEAD")); err == nil {
		return nil
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	_, err := git.InitWithOptions(r.newStorage(), nil, git.InitOptions{DefaultBranch: branchRef(r.Branch)})
	if errors.Is(err, git.ErrRepositoryAlreadyExists) {
		return nil
	}
	return err
}

func (r *Repo) newStorage() *storage {
	return &storage{filesystem.NewStorageWithOptions(files{osfs.New(r.Dir)}, cache.NewObjectLRU(objectCacheSize),
		filesystem.Options{LargeObjectThreshold: largeObject})}
}

// files is the folder of a clone.
type files struct{ billy.Filesystem }

// Chmod takes what go-git gives to everybody from all but the owner: it makes
// objects readable whatever the umask says.
func (f files) Chmod(name string, mode fs.FileMode) error {
	return os.Chmod(f.Join(f.Root(), name), mode&0o700)
}

// storage is go-git's, without its leak of a file at each look for the size of a loose
// object.
type storage struct{ *filesystem.Storage }

// EncodedObjectSize returns the size of an object's content, in bytes, or
// plumbing.ErrObjectNotFound.
func (s *storage) EncodedObjectSize(h plumbing.Hash) (size int64, err error) {
	name := h.String()
	file, err := s.Filesystem().Open(s.Filesystem().Join("objects", name[:2], name[2:]))
	if errors.Is(err, fs.ErrNotExist) {
		return s.Storage.EncodedObjectSize(h)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r, err := objfile.NewReader(file)
	if err != nil {
		return 0, err
	}
	_, size, err = r.Header()
	return size, errors.Join(err, r.Close())
}

// reload replaces the storage by one that knows all packs on disk.
func (r *Repo) reload() error {
	s := r.newStorage()
	// Looking for what cannot exist makes go-git fill all that it fills at
	// first use, so that the storage can then be read by many at once.
	if err := s.HasEncodedObject(plumbing.ZeroHash); !errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("read index of packs: %w", err)
	}
	r.objects.Store(s)
	return nil
}

// lockRemote takes the right to call the remote and bounds the call's time.
// The caller calls done afterwards.
func (r *Repo) lockRemote(ctx context.Context) (_ context.Context, done func(), err error) {
	select {
	case r.remoteCall <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	return ctx, func() { cancel(); <-r.remoteCall }, nil
}

// head returns the commit that the branch had at the last fetch or push, the
// zero hash when it had none. What it reaches is complete in the clone: it is
// written after all objects.
func (r *Repo) head() (plumbing.Hash, error) {
	ref, err := r.objects.Load().Reference(branchRef(r.Branch))
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return plumbing.ZeroHash, nil
	}
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("read branch %s of the clone: %w", r.Branch, err)
	}
	return ref.Hash(), nil
}

// Head returns the commit that the branch had at the last fetch or push, "" when
// it had none.
func (r *Repo) Head() (string, error) {
	r.using.RLock()
	defer r.using.RUnlock()
	h, err := r.head()
	if err != nil {
		return "", err
	}
	return hashString(h), nil
}

// setHead writes down what the remote's branch points to now.
func (r *Repo) setHead(head plumbing.Hash) error {
	s, name := r.objects.Load(), branchRef(r.Branch)
	if head.IsZero() {
		return s.RemoveReference(name)
	}
	return s.SetReference(plumbing.NewHashReference(name, head))
}

// CheckBranch says whether a branch can have a name. The error is dag.ErrInvalid.
func CheckBranch(name string) error {
	if err := branchRef(name).Validate(); err != nil {
		return fmt.Errorf("branch %.200q: %w", name, errors.Join(err, dag.ErrInvalid))
	}
	return nil
}

func branchRef(branch string) plumbing.ReferenceName { return plumbing.NewBranchReferenceName(branch) }

// parseHash reads a full hash in lower-case hex.
func parseHash(s string) (plumbing.Hash, error) {
	if len(s) != 40 || strings.Trim(s, "0123456789abcdef") != "" {
		return plumbing.ZeroHash, fmt.Errorf("hash %.80q: want 40 hexadecimal digits: %w", s, dag.ErrInvalid)
	}
	return plumbing.NewHash(s), nil
}

// hashString is "" for the zero hash, which stands for nothing at all.
func hashString(h plumbing.Hash) string {
	if h.IsZero() {
		return ""
	}
	return h.String()
}
