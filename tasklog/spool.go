package tasklog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dagwright/dag"
)

// Logs may hold data of the models, so other users of the machine do not read
// them.
const (
	openMode   fs.FileMode = 0o600
	sealedMode fs.FileMode = 0o400
	dirMode    fs.FileMode = 0o700
)

const (
	logEnd = ".log"
	// uploadedEnd ends the name of the empty file that stays where a log has
	// gone to the bucket, so that nobody begins the log again.
	uploadedEnd = logEnd + ".uploaded"
	// conflictEnd ends the name of a log whose place in the bucket is taken.
	conflictEnd = logEnd + ".conflict"
	// spoolMark is a file in the folder: the bucket was asked for logs that an
	// earlier folder had.
	spoolMark = ".spool"
)

// spool is the folder in which logs are written. Names are slash-separated
// paths below it.
type spool struct {
	path  string // absolute
	root  *os.Root
	watch hub
	usage usage
}

func openSpool(dir string) (*spool, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find task log folder: %w", err)
	}
	if err := os.MkdirAll(abs, dirMode); err != nil {
		return nil, fmt.Errorf("make task log folder: %w", err)
	}
	r, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open task log folder: %w", err)
	}
	return &spool{path: abs, root: r}, nil
}

func (s *spool) full(name string) string { return filepath.Join(s.path, filepath.FromSlash(name)) }

// create opens the log for appending and makes it, and its folders, if need
// be. It tries the file first, as tries of one run share their folders.
func (s *spool) create(name string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE
	f, err := s.root.OpenFile(name, flags, openMode)
	// Folders that were just made may be swept away again.
	for try := 0; try < 3 && errors.Is(err, fs.ErrNotExist); try++ {
		if err := s.root.MkdirAll(path.Dir(name), dirMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		f, err = s.root.OpenFile(name, flags, openMode)
	}
	return f, err
}

// open opens the log for reading; the error is dag.ErrNotFound when it is not
// here.
func (s *spool) open(name string) (*os.File, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, readError(err)
	}
	return f, nil
}

func readError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("task log: %w", dag.ErrNotFound)
	}
	return fmt.Errorf("read task log: %w", err)
}

func (s *spool) stat(name string) (Info, error) {
	info, err := s.root.Stat(name)
	if err != nil {
		return Info{}, readError(err)
	}
	return Info{Size: info.Size(), Sealed: sealed(info)}, nil
}

func (s *spool) has(name string) bool {
	_, err := s.root.Lstat(name)
	return err == nil
}

func (s *spool) seal(name string) error { return s.root.Chmod(name, sealedMode) }

func sealed(info fs.FileInfo) bool { return info.Mode()&0o200 == 0 }

func (s *spool) isSealed(name string) bool {
	info, err := s.root.Stat(name)
	return err == nil && sealed(info)
}

func removed(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}

// sealedAt is when a sealed file was sealed: sealing changes its status. What
// changes the status later, such as a copy from a backup, makes it younger.
func sealedAt(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(stat.Ctim.Sec, stat.Ctim.Nsec)
}

func (s *spool) isUploaded(name string) bool {
	return s.has(strings.TrimSuffix(name, logEnd) + uploadedEnd)
}

// setUploaded says that the log is in the bucket and removes the file. The
// error is fs.ErrNotExist when the log was removed meanwhile.
func (s *spool) setUploaded(name string) error {
	if !s.has(name) {
		return fs.ErrNotExist
	}
	mark, err := s.root.OpenFile(strings.TrimSuffix(name, logEnd)+uploadedEnd, os.O_WRONLY|os.O_CREATE, sealedMode)
	if err != nil {
		return err
	}
	return errors.Join(mark.Close(), s.remove(name))
}

func (s *spool) setConflict(name string) error {
	return s.root.Rename(name, strings.TrimSuffix(name, logEnd)+conflictEnd)
}

// remove removes a file that may be gone already.
func (s *spool) remove(name string) error {
	info, err := s.root.Lstat(name)
	if err == nil {
		err = s.root.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		s.usage.removed(name, info.Size())
	}
	return err
}

// removeRun removes all logs of a run.
func (s *spool) removeRun(dir string) error {
	err := fs.WalkDir(s.root.FS(), dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // what cannot be counted is removed all the same
		}
		if info, err := e.Info(); err == nil {
			s.usage.removed(name, info.Size())
		}
		return nil
	})
	return errors.Join(err, s.root.RemoveAll(dir))
}

// removeEmpty removes the folders above a name as far as they are empty.
func (s *spool) removeEmpty(name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if s.root.Remove(dir) != nil {
			return
		}
	}
}

// walk calls fn with every file of the spool.
func (s *spool) walk(fn func(name string, info fs.FileInfo) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since its folder was read
		}
		if err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(name, info)
	})
}

// isNew says whether the folder was never used with a bucket.
func (s *spool) isNew() bool { return !s.has(spoolMark) }

func (s *spool) setUsed() error { return s.touch(spoolMark) }

// restore makes a log of what from holds, which it closes. It is false when
// there is a log of that name by now.
func (s *spool) restore(name string, from io.ReadCloser) (bool, error) {
	defer from.Close()
	part := name + ".restored"
	if err := s.root.MkdirAll(path.Dir(name), dirMode); err != nil {
		return false, fmt.Errorf("make folder of task log: %w", err)
	}
	f, err := s.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, openMode)
	if err != nil {
		return false, fmt.Errorf("restore task log: %w", err)
	}
	defer func() { _ = s.remove(part) }() // what is left is overwritten next time
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("restore task log: %w", err)
	}
	// A link, unlike a name, takes nobody's place.
	err = s.root.Link(part, name)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		s.usage.opened(name)
	}
	return err == nil, err
}
