package tasklog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"dagwright/dag"
)

// ErrShort says that a log is shorter than what was read of it: something other
// than dagwright has cut the file.
var ErrShort = errors.New("the log is shorter than what was read of it")

const (
	// pieceSize is how much of a log is read at once, and so the longest line
	// that is delivered whole.
	pieceSize = 256 << 10
	// pollEvery is how often a follower looks even when it heard nothing:
	// the safety net for file systems and limits that leave inotify mute, and
	// the pace at which the bucket is asked.
	pollEvery = time.Second
)

// Follow calls fn with each new piece of the log from offset on: whole lines
// as they are written (the last piece may lack its newline when the log is
// sealed), with the offset of the piece's first byte. A line longer than 256
// KiB comes in several pieces. fn must not keep the bytes. A log that another
// process writes is seen through the bucket, about two seconds later.
//
// It returns nil when the log is sealed and read to its end, ctx's error when
// ctx ends first, fn's error when fn fails, dag.ErrNotFound when the log is
// removed meanwhile, ErrShort when the log is shorter than offset or becomes
// shorter than it was, and ErrUnavailable when the bucket fails. A log that does
// not exist yet is waited for.
func (d *Dir) Follow(ctx context.Context, key dag.AttemptKey, offset int64,
	fn func(offset int64, lines []byte) error) error {
	name, err := logName(key)
	if err != nil {
		return err
	}
	if offset < 0 {
		return fmt.Errorf("follow task log: offset %d: %w", offset, dag.ErrInvalid)
	}
	if !d.mask.none() {
		fn = d.maskPieces(key, offset, fn)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)() //nolint:contextcheck // Close ends followers too
	lines := &lineReader{offset: offset, deliver: fn}
	for {
		err := d.spool.follow(ctx, name, lines)
		if errors.Is(err, errNotHere) && d.bucket != nil {
			err = d.bucket.follow(ctx, name, lines)
		}
		if !errors.Is(err, errNotHere) {
			return err
		}
		if err := d.spool.await(ctx, name); err != nil {
			return err
		}
	}
}

// errNotHere says that a place does not have the log.
var errNotHere = errors.New("the log is not here")

// follow delivers a log of the spool until it is sealed.
func (s *spool) follow(ctx context.Context, name string, lines *lineReader) error {
	f, err := s.open(name)
	if errors.Is(err, dag.ErrNotFound) {
		return errNotHere
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// Watching begins before the first look, so that no change falls between.
	changed := s.watch.add(s.full(name))
	defer changed.close()
	for {
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("follow task log: %w", err)
		}
		if err := lines.measure(info.Size()); err != nil {
			return err
		}
		from := io.NewSectionReader(f, lines.offset, max(0, info.Size()-lines.offset))
		if err := lines.readTo(ctx, from, info.Size(), sealed(info)); err != nil {
			return err
		}
		if sealed(info) {
			return nil
		}
		if removed(info) {
			return fmt.Errorf("task log was removed: %w", dag.ErrNotFound)
		}
		if err := changed.wait(ctx); err != nil {
			return err
		}
	}
}

// follow delivers a log of the bucket until it is sealed.
func (b *bucket) follow(ctx context.Context, name string, lines *lineReader) error {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	for seen := false; ; seen = true {
		log, err := b.findFor(ctx, name)
		if errors.Is(err, dag.ErrNotFound) && !seen {
			return errNotHere
		}
		if err != nil {
			return err
		}
		if log.Sealed { // what grows may come here later than it was read elsewhere
			if err := lines.measure(log.Size); err != nil {
				return err
			}
		}
		from := b.open(ctx, log, lines.offset, log.Size)
		err = lines.readTo(ctx, from, log.Size, log.Sealed)
		_ = from.Close() // what was read is whole or err says so
		if err != nil || log.Sealed {
			return err
		}
		timer.Reset(pollEvery)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func (b *bucket) findFor(ctx context.Context, name string) (remoteLog, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return b.find(ctx, name)
}

// await waits until a folder on the way to the log, or the log itself, may
// have been made: it watches the deepest folder that exists.
func (s *spool) await(ctx context.Context, name string) error {
	missing, dir := name, path.Dir(name)
	for dir != "." {
		if _, err := s.root.Stat(dir); err == nil {
			break
		}
		missing, dir = dir, path.Dir(dir)
	}
	changed := s.watch.add(s.full(dir))
	defer changed.close()
	// What was made before the watch began is not reported by it.
	if _, err := s.root.Stat(missing); err == nil {
		return ctx.Err()
	}
	return changed.wait(ctx)
}

// lineReader delivers a growing log in whole lines.
type lineReader struct {
	offset  int64
	longest int64 // that the log was
	deliver func(offset int64, lines []byte) error
	buf     []byte
}

// measure takes in the present size of the log, which only grows.
func (r *lineReader) measure(size int64) error {
	r.longest = max(r.longest, r.offset)
	if size < r.longest {
		return fmt.Errorf("follow task log: %w: it had %d bytes and has %d", ErrShort, r.longest, size)
	}
	r.longest = size
	return nil
}

// readTo delivers what lies before size; from is the log from r.offset on. An
// unfinished last line is kept back unless all is set.
func (r *lineReader) readTo(ctx context.Context, from io.Reader, size int64, all bool) error {
	kept := 0 // bytes of an unfinished line at the start of buf
	for r.offset+int64(kept) < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(min(size-r.offset, pieceSize))
		r.grow(n, kept)
		if _, err := io.ReadFull(from, r.buf[kept:n]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("follow task log: %w", ErrShort)
		} else if err != nil {
			return fmt.Errorf("follow task log: %w", err)
		}
		piece := r.buf[:n]
		last := r.offset+int64(n) == size
		if end := bytes.LastIndexByte(piece, '\n') + 1; end > 0 && !(last && all) {
			piece = piece[:end]
		} else if end == 0 && n < pieceSize && !(last && all) {
			return nil
		}
		if err := r.deliver(r.offset, piece); err != nil {
			return err
		}
		r.offset += int64(len(piece))
		kept = copy(r.buf, r.buf[len(piece):n])
	}
	return nil
}

// grow makes room for n bytes and keeps the first ones. Most logs are short:
// the buffer grows only as far as it must.
func (r *lineReader) grow(n, kept int) {
	if len(r.buf) >= n {
		return
	}
	buf := make([]byte, max(n, min(2*len(r.buf), pieceSize)))
	copy(buf, r.buf[:kept])
	r.buf = buf
}
