package gitrepo

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"dagwright/dag"
)

const (
	// maxObject bounds one object, in bytes: go-git holds it in memory to index it.
	// What is larger belongs into Git LFS.
	maxObject = maxExportFile
	// maxChain bounds the sizes of an object and of all that it is a delta of, one
	// upon the other, in bytes: go-git may hold all of them at once. A few bytes of
	// delta can stand for gigabytes.
	maxChain = 1 << 30
)

// storePack writes a pack and its index into the clone. Both appear under their names
// when they are whole and on disk, so that no kill and no power failure leaves half
// of one.
func (r *Repo) storePack(ctx context.Context, pack io.Reader) (err error) {
	dir := filepath.Join(r.Dir, "objects", "pack")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "tmp_pack_*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if removed := os.Remove(file.Name()); removed != nil && !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}()
	if _, err := io.Copy(file, pack); err != nil {
		return err
	}
	index, checksum, err := indexPack(ctx, file)
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	name := filepath.Join(dir, "pack-"+checksum.String())
	if err := writeIndex(dir, name+".idx", index); err != nil {
		return err
	}
	return os.Rename(file.Name(), name+".pack")
}

// indexPack checks a pack and makes its index.
func indexPack(ctx context.Context, file *os.File) (*idxfile.MemoryIndex, plumbing.Hash, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, plumbing.ZeroHash, err
	}
	if err := checkPack(ctx, file); err != nil {
		return nil, plumbing.ZeroHash, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, plumbing.ZeroHash, err
	}
	writer := &idxfile.Writer{}
	p, err := packfile.NewParser(packfile.NewScanner(&until{ctx, file}), writer)
	if err != nil {
		return nil, plumbing.ZeroHash, err
	}
	checksum, err := p.Parse()
	if err != nil {
		return nil, plumbing.ZeroHash, err
	}
	index, err := writer.Index()
	return index, checksum, err
}

// writeIndex writes an index whole, under its name last.
func writeIndex(dir, name string, index *idxfile.MemoryIndex) (err error) {
	file, err := os.CreateTemp(dir, "tmp_idx_*")
	if err != nil {
		return err
	}
	_, err = idxfile.NewEncoder(file).Encode(index)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), name)
}

// checkPack reads the sizes that the objects of a pack say that they have, before any
// memory is spent on them. go-git holds a delta to the size that it says. The error is
// dag.ErrInvalid for objects that are too large.
func checkPack(ctx context.Context, pack io.Reader) error {
	s := packfile.NewScanner(bufio.NewReaderSize(&until{ctx, readOnly{pack}}, 64<<10))
	_, count, err := s.Header()
	if errors.Is(err, packfile.ErrEmptyPackfile) {
		return nil
	}
	if err != nil {
		return err
	}
	chains := map[int64]int64{} // by offset
	for range count {
		h, err := s.NextObjectHeader()
		if err != nil {
			return err
		}
		size, start := h.Length, head{}
		if size <= maxObject {
			if _, _, err := s.NextObject(&start); err != nil {
				return err
			}
		}
		if h.Type.IsDelta() && size <= maxObject {
			size = start.target()
		}
		if size < 0 || size > maxObject {
			return fmt.Errorf("an object is %d bytes large, %d are allowed; keep large files in Git LFS: %w", size,
				int64(maxObject), dag.ErrInvalid)
		}
		chain := size + chains[h.OffsetReference]
		if h.Type != plumbing.OFSDeltaObject {
			chain = size
		}
		if chain > maxChain {
			return fmt.Errorf(
				"the versions of an object that are kept as differences are %d bytes large in all, %d are allowed; keep large files in Git LFS: %w",
				chain, int64(maxChain), dag.ErrInvalid)
		}
		chains[h.Offset] = chain
	}
	return nil
}

// head keeps the first bytes that are written to it: enough for the two sizes at the
// start of a delta.
type head struct {
	buf [20]byte
	n   int
}

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	h.n += copy(h.buf[h.n:], p)
	return len(p), nil
}

// target is the size of what a delta makes, -1 when it does not say, see git's
// gitformat-pack(5).
func (h *head) target() int64 {
	_, n := binary.Uvarint(h.buf[:h.n])
	if n <= 0 {
		return -1
	}
	size, m := binary.Uvarint(h.buf[n:h.n])
	if m <= 0 || size > 1<<62 {
		return -1
	}
	return int64(size)
}

// readOnly hides that a reader can seek.
type readOnly struct{ io.Reader }

// until is a reader that fails when ctx has ended: whatever a pack asks for ends with
// the call of the remote.
type until struct {
	ctx context.Context
	r   io.Reader
}

// Read reads unless ctx has ended.
func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// Seek seeks in a reader that can.
func (u *until) Seek(offset int64, whence int) (int64, error) {
	s, ok := u.r.(io.Seeker)
	if !ok {
		return 0, errors.New("the pack cannot be read twice")
	}
	return s.Seek(offset, whence)
}
