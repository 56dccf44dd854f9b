package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"dagwright/dag"
)

// folder keeps objects as files: on a network file system, or in a test. The files
// are named as the logs are.
type folder string

// unfinished begins the names of files that are being written.
const unfinished = ".upload-"

// openFolder opens a folder as a bucket.
func openFolder(dir string) (objects, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("folder %s does not exist; make it or mount it first: %w", dir, dag.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: %w", dir, dag.ErrInvalid)
	}
	return folder(dir), nil
}

// file is the place of an object.
func (f folder) file(key string) (string, error) {
	name := filepath.FromSlash(key)
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("object %q: want a name within the folder: %w", key, dag.ErrInvalid)
	}
	return filepath.Join(string(f), name), nil
}

// noObject turns the error of a file that is not there into errNoObject.
func noObject(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errNoObject
	}
	return err
}

func (f folder) head(_ context.Context, key string) (object, error) {
	name, err := f.file(key)
	if err != nil {
		return object{}, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return object{}, noObject(err)
	}
	return object{key: key, size: info.Size(), modTime: info.ModTime()}, nil
}

func (f folder) list(ctx context.Context, prefix string, fn func(object) error) error {
	top, err := f.file(path.Dir(prefix + "x"))
	if err != nil {
		return err
	}
	return filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
				return nil
			}
			return err
		}
		relative, err := filepath.Rel(string(f), name)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(relative)
		if entry.IsDir() {
			if !strings.HasPrefix(key, prefix) && !strings.HasPrefix(prefix, key) && name != top {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(key, prefix) || strings.HasPrefix(entry.Name(), unfinished) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(object{key: key, size: info.Size(), modTime: info.ModTime()})
	})
}

// remove removes the folders above the file, too, as far as they are empty.
func (f folder) remove(_ context.Context, key string) error {
	name, err := f.file(key)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if os.Remove(filepath.Join(string(f), filepath.FromSlash(dir))) != nil {
			return nil //nolint:nilerr // it is not empty
		}
	}
	return nil
}

func (f folder) upload(_ context.Context, key string, from *io.SectionReader) error {
	name, err := f.file(key)
	if err != nil {
		return err
	}
	for {
		err := f.write(name, from)
		// Another goroutine may have removed the empty folder.
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := os.Stat(string(f)); err != nil {
			return err
		}
	}
}

func (f folder) write(name string, from *io.SectionReader) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	made, err := os.CreateTemp(filepath.Dir(name), unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(made.Name()) // abortUploads finds what is left
		}
	}()
	_, err = io.Copy(made, io.NewSectionReader(from, 0, from.Size()))
	if err := errors.Join(err, made.Sync(), made.Close()); err != nil {
		return err
	}
	return os.Rename(made.Name(), name)
}

func (f folder) open(_ context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	name, err := f.file(key)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, noObject(err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, offset, n), file}, nil
}

func (f folder) abortUploads(ctx context.Context, before time.Time) error {
	return filepath.WalkDir(string(f), func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || !strings.HasPrefix(entry.Name(), unfinished) {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		info, err := entry.Info()
		if err != nil || !info.ModTime().Before(before) {
			return nil //nolint:nilerr // it has ended meanwhile
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func (f folder) close() {}
