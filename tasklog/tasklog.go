// Package tasklog keeps the log of each try of each task: what the container
// wrote, line by line, readable while it grows, from any offset, and still
// there when the process or pod is gone.
//
// A log is a file named as Airflow names it:
// dag_id=D/run_id=R/task_id=T/attempt=N.log under one folder. It is complete
// ("sealed") when its owner's right to write is taken away: the mode of the
// file is the mark. So the mark costs one system call and no second file, it
// is read together with the size, it survives a restart and a copy, and it
// wakes followers as a write does.
package tasklog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"dagwright/dag"
)

// Logs may hold data of the models, so other users of the machine do not read
// them.
const (
	openMode   fs.FileMode = 0o640
	sealedMode fs.FileMode = 0o440
	dirMode    fs.FileMode = 0o750
)

// Dir is a folder of task logs. Its methods are safe for concurrent use. Ids
// of a key that could lead out of the folder give dag.ErrInvalid.
type Dir struct {
	path  string // absolute
	root  *os.Root
	watch hub
}

// Open makes the folder if need be and returns it.
func Open(root string) (*Dir, error) {
	abs, err := filepath.Abs(root)
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
	return &Dir{path: abs, root: r}, nil
}

// File opens the log of an attempt for appending, making it if need be. The
// caller closes it. What is written by one Write call is never interleaved
// with another's (O_APPEND). The error is dag.ErrConflict when the log is
// sealed.
func (d *Dir) File(key dag.AttemptKey) (*os.File, error) {
	name, err := logName(key)
	if err != nil {
		return nil, err
	}
	f, err := d.create(name, openMode)
	if errors.Is(err, fs.ErrPermission) && d.isSealed(name) {
		return nil, fmt.Errorf("task log is sealed: %w", dag.ErrConflict)
	}
	if err != nil {
		return nil, fmt.Errorf("open task log: %w", err)
	}
	// A privileged user may open a sealed file, so the mode is asked for.
	info, err := f.Stat()
	if err == nil && sealed(info) {
		err = fmt.Errorf("task log is sealed: %w", dag.ErrConflict)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// create opens the file for appending and makes it, and its folders, if need
// be. It tries the file first, as tries of one run share their folders.
func (d *Dir) create(name string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE
	f, err := d.root.OpenFile(name, flags, mode)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := d.root.MkdirAll(path.Dir(name), dirMode); err != nil {
		return nil, err
	}
	return d.root.OpenFile(name, flags, mode)
}

// Seal marks the log as complete: followers end when they have read it all.
// Sealing again is no error, and a log that was never written becomes an empty
// sealed one.
func (d *Dir) Seal(key dag.AttemptKey) error {
	name, err := logName(key)
	if err != nil {
		return err
	}
	err = d.root.Chmod(name, sealedMode)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.sealMissing(name)
	}
	if err != nil {
		return fmt.Errorf("seal task log: %w", err)
	}
	return nil
}

func (d *Dir) sealMissing(name string) error {
	f, err := d.create(name, openMode)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(sealedMode), f.Close())
}

func sealed(info fs.FileInfo) bool { return info.Mode()&0o200 == 0 }

func (d *Dir) isSealed(name string) bool {
	info, err := d.root.Stat(name)
	return err == nil && sealed(info)
}

// Info is the present size of a log in bytes and whether it is complete.
type Info struct {
	Size   int64
	Sealed bool
}

// Stat tells how long the log is and whether it is sealed. The error is
// dag.ErrNotFound when there is none.
func (d *Dir) Stat(key dag.AttemptKey) (Info, error) {
	name, err := logName(key)
	if err != nil {
		return Info{}, err
	}
	info, err := d.root.Stat(name)
	if err != nil {
		return Info{}, readError(err)
	}
	return Info{Size: info.Size(), Sealed: sealed(info)}, nil
}

// ReadAt returns a reader of at most n bytes of the log from offset on, which
// the caller closes. It reads nothing ahead. The error is dag.ErrNotFound when
// there is no log, and dag.ErrInvalid when offset or n is negative.
func (d *Dir) ReadAt(key dag.AttemptKey, offset, n int64) (io.ReadCloser, error) {
	name, err := logName(key)
	if err != nil {
		return nil, err
	}
	if offset < 0 || n < 0 {
		return nil, fmt.Errorf("read task log: offset %d, length %d: %w", offset, n, dag.ErrInvalid)
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, readError(err)
	}
	return section{io.NewSectionReader(f, offset, n), f}, nil
}

// section is a part of a file that closes the file.
type section struct {
	*io.SectionReader
	io.Closer
}

func readError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("task log: %w", dag.ErrNotFound)
	}
	return fmt.Errorf("read task log: %w", err)
}

// Remove deletes every log of a run, sealed or not. A run without logs is no
// error; who follows one of them gets dag.ErrNotFound.
func (d *Dir) Remove(id dag.ID, run dag.RunID) error {
	name, err := runDir(id, run)
	if err != nil {
		return err
	}
	if err := d.root.RemoveAll(name); err != nil {
		return fmt.Errorf("remove task logs: %w", err)
	}
	return nil
}
