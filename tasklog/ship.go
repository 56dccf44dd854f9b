package tasklog

import (
	"context"
	"crypto/md5" // compared with the MD5 that S3 gives of an object
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"dagwright/dag"
)

const (
	// A chunk is written again with what came since until it has minChunk, so
	// that a log that grows by a line a second does not become an object a
	// second. None is larger than maxChunk.
	minChunk = 256 << 10
	maxChunk = 4 << 20
	// slowest is the pace in bytes a second below which an upload is given up.
	slowest = 128 << 10
)

// step uploads what is new of one log: chunks of one that grows, all of one
// that is sealed.
func (s *shipper) step(ctx context.Context, l *shipment) error {
	f, err := s.spool.open(l.name)
	if errors.Is(err, dag.ErrNotFound) {
		s.forget(l.name)
		return s.note(s.removeChunks(ctx, l.name))
	}
	if err != nil {
		s.logger.Error("read task log", "log", l.name, "err", err)
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		s.logger.Error("read task log", "log", l.name, "err", err)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(info.Size()/slowest)*time.Second)
	defer cancel()
	if sealed(info) {
		return s.note(s.shipSealed(ctx, l.name, f, info))
	}
	return s.note(s.shipGrowing(ctx, l, f, info.Size()))
}

// shipGrowing uploads what a growing log has beyond its chunks.
func (s *shipper) shipGrowing(ctx context.Context, l *shipment, f *os.File, size int64) error {
	// A writer takes back what it wrote in part, as when the disk is full.
	if !l.listed || size < l.shipped() {
		if err := s.listChunks(ctx, l, size); err != nil {
			return err
		}
	}
	for l.shipped() < size {
		offset := l.shipped()
		known := l.chunks
		if n := len(known); n > 0 && known[n-1].size < minChunk {
			offset, known = known[n-1].offset, known[:n-1]
		}
		c := chunk{offset, min(size-offset, maxChunk)}
		if err := s.bucket.upload(ctx, chunkKey(l.name, offset), io.NewSectionReader(f, offset, c.size)); err != nil {
			return err
		}
		s.setChunks(l, append(known, c))
	}
	if s.spool.has(l.name) {
		return nil
	}
	// The log was removed while it was uploaded.
	s.forget(l.name)
	return s.removeChunks(ctx, l.name)
}

// listChunks finds the chunks that an earlier process uploaded and removes
// those that are not of this log. The last one is to be uploaded again: the
// writer may have written the end again, such as a line that a crash cut short.
func (s *shipper) listChunks(ctx context.Context, l *shipment, size int64) error {
	found, err := s.bucket.chunks(ctx, l.name)
	if err != nil {
		return err
	}
	keep := unbroken(found)
	for len(keep) > 0 && (l.made && !l.listed || keep[len(keep)-1].end() > size) {
		keep = keep[:len(keep)-1]
	}
	for _, c := range found[len(keep):] {
		if err := s.bucket.remove(ctx, chunkKey(l.name, c.offset)); err != nil {
			return err
		}
	}
	l.listed = true
	s.setChunks(l, keep[:max(0, len(keep)-1)])
	return nil
}

// setChunks holds the lock, as due reads how much was shipped.
func (s *shipper) setChunks(l *shipment, chunks []chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.chunks = chunks
}

// shipSealed uploads a complete log, makes sure that it is there, and then
// lets the file and the chunks go.
func (s *shipper) shipSealed(ctx context.Context, name string, f *os.File, info fs.FileInfo) error {
	if s.expired(name, sealedAt(info)) {
		return s.drop(ctx, name)
	}
	there, err := s.uploadSealed(ctx, name, f, info.Size())
	if err != nil {
		return err
	}
	if !there {
		return s.conflict(ctx, name, info.Size())
	}
	err = s.spool.setUploaded(name)
	if errors.Is(err, fs.ErrNotExist) { // removed while it was uploaded
		err = s.bucket.remove(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("let go of uploaded task log: %w", err)
	}
	s.forget(name)
	return s.removeChunks(ctx, name)
}

// drop removes a log that is older than its retention instead of uploading it.
func (s *shipper) drop(ctx context.Context, name string) error {
	if err := s.spool.remove(name); err != nil {
		return fmt.Errorf("remove task log: %w", err)
	}
	s.forget(name)
	return s.removeChunks(ctx, name)
}

// uploadSealed makes the object unless it is there. It is false when the place
// is taken by another log, which is never overwritten.
func (s *shipper) uploadSealed(ctx context.Context, name string, f *os.File, size int64) (bool, error) {
	if size > partSize {
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	sum := md5.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, size)); err != nil {
		return false, fmt.Errorf("read task log: %w", err)
	}
	found, err := s.bucket.head(ctx, name)
	if err == nil { // uploaded before a crash
		return s.bucket.holds(ctx, found, size, sum.Sum(nil))
	}
	if !errors.Is(err, dag.ErrNotFound) {
		return false, err
	}
	if err := s.bucket.upload(ctx, name, io.NewSectionReader(f, 0, size)); err != nil {
		return false, err
	}
	return true, s.verify(ctx, name, size, sum.Sum(nil))
}

// verify makes sure that an object that was just uploaded is as it should be.
// One that is not is removed, to be uploaded again.
func (s *shipper) verify(ctx context.Context, name string, size int64, sum []byte) error {
	made, err := s.bucket.head(ctx, name)
	if err != nil {
		return err
	}
	same, err := s.bucket.holds(ctx, made, size, sum)
	if err != nil || same {
		return err
	}
	return errors.Join(
		fmt.Errorf("uploaded task log %s differs (%d bytes, want %d): %w", name, made.size, size, ErrUnavailable),
		s.bucket.remove(ctx, name))
}

// conflict keeps a log whose place in the bucket is taken, which only a spool
// that was lost or two instances with one prefix can bring about. An empty log
// adds nothing.
func (s *shipper) conflict(ctx context.Context, name string, size int64) error {
	s.forget(name)
	if size == 0 {
		if err := s.spool.setUploaded(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("let go of empty task log: %w", err)
		}
		return s.removeChunks(ctx, name)
	}
	if err := s.spool.setConflict(name); err != nil {
		return fmt.Errorf("keep task log: %w", err)
	}
	s.logger.Error("the bucket has another log of this name; this one stays in the folder", "log", name, "bytes", size)
	return s.removeChunks(ctx, name)
}
