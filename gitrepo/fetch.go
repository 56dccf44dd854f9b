package gitrepo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"dagwright/dag"
)

const (
	// maxPack bounds what one fetch may bring, in bytes.
	maxPack = 4 << 30
	// A pack of up to looseObjects objects and looseBytes bytes is taken apart
	// into loose objects, as git does (fetch.unpackLimit): one pack for each
	// small fetch would make every later look-up slower.
	looseObjects = 100
	looseBytes   = 4 << 20
	// maxHaves is how many of our commits a fetch names to the remote, so that it
	// sends little even after a rewritten history.
	maxHaves = 32
)

// Fetch brings the branch up to date, also after a rewritten history, and
// returns the commit at its head, "" when the remote has no such branch.
func (r *Repo) Fetch(ctx context.Context) (head string, err error) {
	ctx, done, err := r.lockRemote(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch %s of %s: %w", r.Branch, r.Where(), err)
	}
	defer done()
	defer func(began time.Time) { r.Observe("fetch", time.Since(began), err) }(time.Now())
	if err := r.heal(ctx); err != nil {
		return "", fmt.Errorf("fetch %s of %s: %w", r.Branch, r.Where(), err)
	}
	h, err := r.fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch %s of %s: %w", r.Branch, r.Where(), err)
	}
	return hashString(h), nil
}

// fetch is Fetch for a caller that holds the lock.
func (r *Repo) fetch(ctx context.Context) (plumbing.Hash, error) {
	session, refs, want, err := r.remote.uploadPack(ctx)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if session != nil {
		defer closeQuietly(session)
	}
	have, err := r.head()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	r.absence.Store(nil)
	if want.IsZero() {
		known := map[string]plumbing.Hash{}
		if refs != nil {
			known = refs.References
		}
		r.absence.Store(r.absent(known))
	}
	if want == have {
		return have, nil
	}
	if !want.IsZero() {
		if err := r.fetchPack(ctx, session, refs, want, have); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	return want, r.setHead(want)
}

// fetchPack brings what the wanted commit reaches and ours does not.
func (r *Repo) fetchPack(ctx context.Context, session transport.UploadPackSession, refs *packp.AdvRefs, want,
	have plumbing.Hash) error {
	request := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	if refs.Capabilities.Supports(capability.NoProgress) {
		if err := request.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	// A pack that leans upon objects of ours could not be indexed by itself.
	request.Capabilities.Delete(capability.ThinPack)
	request.Wants = []plumbing.Hash{want}
	request.Haves = r.haves(have, want)
	reply, err := session.UploadPack(ctx, request)
	if err != nil {
		return remoteError("ask for objects", err)
	}
	defer closeQuietly(reply)
	return r.savePack(ctx, demultiplex(request.Capabilities, reply))
}

// haves lists our head and its ancestors along first parents.
func (r *Repo) haves(head, want plumbing.Hash) []plumbing.Hash {
	var out []plumbing.Hash
	for range maxHaves {
		c, err := commitOf(r.objects.Load(), head.String())
		if err != nil {
			break // an incomplete clone is made whole by asking for more
		}
		// go-git takes a have that is wanted for "nothing to do".
		if head != want {
			out = append(out, head)
		}
		if len(c.ParentHashes) == 0 {
			break
		}
		head = c.ParentHashes[0]
	}
	return out
}

func demultiplex(c *capability.List, reply io.Reader) io.Reader {
	switch {
	case c.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, reply)
	case c.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, reply)
	default:
		return reply
	}
}

// savePack stores the objects of a pack.
func (r *Repo) savePack(ctx context.Context, pack io.Reader) error {
	start, whole, err := readStart(&limited{r: pack, left: maxPack})
	if err != nil {
		return fmt.Errorf("receive objects: %w", err)
	}
	if whole && packCount(start) <= looseObjects {
		return r.saveLoose(ctx, start)
	}
	if err := r.removeHalfPacks(); err != nil {
		return fmt.Errorf("receive objects: %w", err)
	}
	left := int64(maxPack - len(start))
	if err := r.storePack(ctx, io.MultiReader(bytes.NewReader(start), &limited{r: pack, left: left})); err != nil {
		return fmt.Errorf("receive objects: %w", err)
	}
	return r.reload()
}

// removeHalfPacks removes the indexes without a pack. go-git writes the index of
// a pack first, in place, and leaves one that is there alone: one that was cut
// short by a kill would spoil the clone for good.
func (r *Repo) removeHalfPacks() error {
	indexes, err := filepath.Glob(filepath.Join(r.Dir, "objects", "pack", "*.idx"))
	if err != nil {
		return err
	}
	for _, index := range indexes {
		_, err := os.Stat(strings.TrimSuffix(index, ".idx") + ".pack")
		if !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Remove(index); err != nil {
			return err
		}
	}
	return nil
}

// readStart reads as much of a pack as may be taken apart in memory, and says
// whether that is all of it.
func readStart(pack io.Reader) (start []byte, whole bool, err error) {
	start, err = io.ReadAll(io.LimitReader(pack, looseBytes+1))
	return start, len(start) <= looseBytes, err
}

// packCount reads the number of objects from a pack's header, see git's
// gitformat-pack(5).
func packCount(pack []byte) uint32 {
	if len(pack) < 12 {
		return 0
	}
	return binary.BigEndian.Uint32(pack[8:])
}

func (r *Repo) saveLoose(ctx context.Context, pack []byte) error {
	if err := checkPack(ctx, bytes.NewReader(pack)); err != nil {
		return fmt.Errorf("receive objects: %w", err)
	}
	// The interface hides that the storage takes whole packs.
	scanner := packfile.NewScanner(&until{ctx, bytes.NewReader(pack)})
	p, err := packfile.NewParserWithStorage(scanner, struct{ storer.EncodedObjectStorer }{r.objects.Load()})
	if err == nil {
		_, err = p.Parse()
	}
	if err != nil && !errors.Is(err, packfile.ErrEmptyPackfile) {
		return fmt.Errorf("receive objects: %w", err)
	}
	return nil
}

// limited fails when more than left bytes are read.
type limited struct {
	r    io.Reader
	left int64
}

// Read reads from the limited reader.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("more than %d bytes: %w", int64(maxPack), dag.ErrInvalid)
	}
	return n, err
}
