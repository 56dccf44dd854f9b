package tasklog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"dagwright/dag"
)

const (
	// pieceSize is how much of a log is read at once, and so the longest line
	// that is delivered whole.
	pieceSize = 256 << 10
	// pollEvery is how often a follower looks even when it was told nothing:
	// the safety net for file systems and limits that leave inotify mute.
	pollEvery = time.Second
)

// Follow calls fn with each new piece of the log from offset on: whole lines
// as they are written (the last piece may lack its newline when the log is
// sealed), with the offset of the piece's first byte. A line longer than 256
// KiB comes in several pieces. fn must not keep the bytes.
//
// It returns nil when the log is sealed and read to its end, ctx's error when
// ctx ends first, fn's error when fn fails, and dag.ErrNotFound when the log is
// removed meanwhile. A log that does not exist yet is waited for.
func (d *Dir) Follow(ctx context.Context, key dag.AttemptKey, offset int64, fn func(offset int64, lines []byte) error) error {
	name, err := logName(key)
	if err != nil {
		return err
	}
	if offset < 0 {
		return fmt.Errorf("follow task log: offset %d: %w", offset, dag.ErrInvalid)
	}
	f, err := d.awaitFile(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	// Watching begins before the first look, so that no change falls between.
	changed := d.watch.add(d.full(name))
	defer changed.close()
	lines := lineReader{file: f, offset: offset, deliver: fn}
	for {
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("follow task log: %w", err)
		}
		if err := lines.readTo(ctx, info.Size(), sealed(info)); err != nil {
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

// awaitFile opens the log as soon as it exists.
func (d *Dir) awaitFile(ctx context.Context, name string) (*os.File, error) {
	for {
		f, err := d.root.Open(name)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, readError(err)
		}
		if err := d.awaitStep(ctx, name); err != nil {
			return nil, err
		}
	}
}

// awaitStep waits until a folder on the way to the log, or the log itself, may
// have been made: it watches the deepest folder that exists.
func (d *Dir) awaitStep(ctx context.Context, name string) error {
	missing, dir := name, path.Dir(name)
	for dir != "." {
		if _, err := d.root.Stat(dir); err == nil {
			break
		}
		missing, dir = dir, path.Dir(dir)
	}
	changed := d.watch.add(d.full(dir))
	defer changed.close()
	// What was made before the watch began is not reported by it.
	if _, err := d.root.Stat(missing); err == nil {
		return ctx.Err()
	}
	return changed.wait(ctx)
}

func (d *Dir) full(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

func removed(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// lineReader delivers a growing file in whole lines.
type lineReader struct {
	file    *os.File
	offset  int64
	deliver func(offset int64, lines []byte) error
	buf     []byte
}

// readTo delivers what lies before size. An unfinished last line is kept back
// unless all is set.
func (r *lineReader) readTo(ctx context.Context, size int64, all bool) error {
	for r.offset < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece, err := r.read(size - r.offset)
		if err != nil {
			return err
		}
		last := all && r.offset+int64(len(piece)) == size
		if end := bytes.LastIndexByte(piece, '\n') + 1; end > 0 && !last {
			piece = piece[:end]
		} else if end == 0 && len(piece) < pieceSize && !last {
			return nil
		}
		if err := r.deliver(r.offset, piece); err != nil {
			return err
		}
		r.offset += int64(len(piece))
	}
	return nil
}

func (r *lineReader) read(n int64) ([]byte, error) {
	n = min(n, pieceSize)
	if int64(len(r.buf)) < n {
		// Most logs are short: the buffer grows only as far as it must.
		r.buf = make([]byte, max(n, min(2*int64(len(r.buf)), pieceSize)))
	}
	got, err := r.file.ReadAt(r.buf[:n], r.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("follow task log: %w", err)
	}
	if got == 0 {
		return nil, fmt.Errorf("follow task log: it was cut short: %w", dag.ErrConflict)
	}
	return r.buf[:got], nil
}
