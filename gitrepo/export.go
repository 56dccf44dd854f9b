package gitrepo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"dagwright/dag"
)

const (
	// maxExportFile and maxExport bound one file and all files of an export,
	// in bytes. A delta is put together in memory, whatever its size.
	maxExportFile = 256 << 20
	maxExport     = 2 << 30
	// maxExportFiles bounds their number.
	maxExportFiles = 100_000
)

// Export writes the files of a commit below a folder of this machine, without
// symlinks and submodules. It is how a model's commit becomes a working
// folder. The folder is made when missing; nothing that is in it is overwritten
// or followed. The error is dag.ErrNotFound for an unknown commit and
// dag.ErrInvalid when the files are too many or too large; what was written
// until then stays.
func (r *Repo) Export(commit, dir string) (err error) {
	files, err := r.exportable(commit)
	if err != nil {
		return fmt.Errorf("export %s: %w", commit, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("export %s: %w", commit, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("export %s: %w", commit, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	s := r.objects.Load()
	made := map[string]bool{".": true}
	for _, f := range files {
		if parent := path.Dir(f.Path); !made[parent] {
			if err := root.MkdirAll(parent, 0o755); err != nil {
				return fmt.Errorf("export %s: %w", f.Path, err)
			}
			made[parent] = true
		}
		if err := writeFile(s, root, f); err != nil {
			return fmt.Errorf("export %s: %w", f.Path, err)
		}
	}
	return nil
}

// exportable lists the regular files of a commit and checks their sizes before
// any is written.
func (r *Repo) exportable(commit string) ([]File, error) {
	all, err := r.Files(commit, "")
	if err != nil {
		return nil, err
	}
	var total int64
	files := all[:0]
	for _, f := range all {
		if !f.Mode.IsRegular() {
			r.Logger.Debug("not exported: neither links nor submodules are followed", "path", f.Path, "commit", commit)
			continue
		}
		if f.Size > maxExportFile {
			return nil, fmt.Errorf("%s is %d bytes large, %d are allowed: %w", f.Path, f.Size, maxExportFile, dag.ErrInvalid)
		}
		total += f.Size
		files = append(files, f)
	}
	if len(files) > maxExportFiles {
		return nil, fmt.Errorf("%d files, %d are allowed: %w", len(files), maxExportFiles, dag.ErrInvalid)
	}
	if total > maxExport {
		return nil, fmt.Errorf("%d bytes in all, %d are allowed: %w", total, maxExport, dag.ErrInvalid)
	}
	return files, nil
}

func writeFile(s storer.EncodedObjectStorer, root *os.Root, f File) (err error) {
	blob, err := s.EncodedObject(plumbing.BlobObject, plumbing.NewHash(f.Blob))
	if err != nil {
		return err
	}
	in, err := blob.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode.Perm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
