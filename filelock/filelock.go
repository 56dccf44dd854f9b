// Package filelock keeps two processes from one file or folder. A lock is a record
// lock of fcntl(2) on a file, which tells who holds it: it ends with its process,
// also when that is killed, and nobody has to clear it away.
package filelock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Lock is a lock file that this process holds. Close gives it up.
type Lock struct {
	file *os.File
	path string
}

// holder is what a lock file says about the process that holds it.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("in use by another dagwright")

// heldHere are the lock files of this process, whose own locks do not keep it out.
var heldHere sync.Map

// Take takes the lock of a file, which is made. The error is ErrLocked, with who
// holds it. It is a record lock of fcntl(2), since one of flock(2) would be shared with
// a process that is just being forked and so could outlive a dagwright that was killed.
func Take(path string) (*Lock, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, held := heldHere.LoadOrStore(path, true); held {
		return nil, fmt.Errorf("%w: this process, %d", ErrLocked, os.Getpid())
	}
	l := &Lock{path: path}
	if err := l.take(); err != nil {
		heldHere.Delete(path)
		return nil, err
	}
	return l, nil
}

func (l *Lock) take() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open lock: %w", err)
	}
	err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EAGAIN):
		err = fmt.Errorf("%w%s", ErrLocked, readHolder(f))
	case err != nil:
		err = fmt.Errorf("lock %s: %w", l.path, err)
	default:
		err = writeHolder(f)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file = f
	return nil
}

// readHolder says who holds a lock, ": process 7 on host since …"; the kernel knows the
// process, and the file the rest, unless it is just being written.
func readHolder(f *os.File) string {
	var h holder
	_ = json.NewDecoder(f).Decode(&h) // half a file tells nothing
	test := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &test); err == nil && test.Type != syscall.F_UNLCK &&
		int(test.Pid) > 0 {
		if int(test.Pid) != h.PID {
			return fmt.Sprintf(": process %d", test.Pid)
		}
	}
	if h.PID == 0 {
		return ""
	}
	return fmt.Sprintf(": process %d on %s since %s", h.PID, h.Host, h.Since.Format(time.RFC3339))
}

func writeHolder(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	text, err := json.Marshal(holder{os.Getpid(), host, time.Now()})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := f.WriteAt(append(text, '\n'), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// Close gives the lock up.
func (l *Lock) Close() error {
	heldHere.Delete(l.path)
	return l.file.Close()
}

// TakeSQLite keeps a second process from a SQLite database, whose changes it would not
// hear of. A file that cannot be locked is left to the store, which says why.
func TakeSQLite(path string) (*Lock, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	l, err := Take(path + ".lock")
	switch {
	case errors.Is(err, ErrLocked):
		return nil, fmt.Errorf("the database %s is %w; stop it, or use PostgreSQL for several processes", path, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, nil
	}
	return l, err
}

// TakeRole keeps a second process from the part of the data folder that one role works
// in.
func TakeRole(folder, role string) (*Lock, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	l, err := Take(filepath.Join(folder, role+".lock"))
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("the %s's folder %s is %w; stop it, or give this one another data folder", role, folder, err)
	}
	return l, err
}
