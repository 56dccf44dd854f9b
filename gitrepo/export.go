package gitrepo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

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
	// maxLinkTarget bounds the target of a symlink, in bytes: Linux takes no
	// longer path.
	maxLinkTarget = 4095
)

// LeftOut is an entry of a commit that Export did not write, and why.
type LeftOut struct {
	Path, Reason string
}

// Export writes the files of a commit below a folder of this machine, with the
// symlinks that lead to another place in it (see unsafeTarget). It is how a
// model's commit becomes a working folder. Other symlinks and submodules are
// left out and returned. The folder is made when missing; nothing that is in it
// is overwritten or followed. The error is dag.ErrNotFound for an unknown commit
// and dag.ErrInvalid when the files are too many or too large; what was written
// until then stays.
func (r *Repo) Export(commit, dir string) (left []LeftOut, err error) {
	var unread error // not what the folder's disk has to say
	s, done := r.view()
	defer done(&unread)
	var files, others []File
	files, others, unread = r.exportable(s, commit)
	if unread != nil {
		return nil, fmt.Errorf("export %s: %w", commit, unread)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("export %s: %w", commit, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", commit, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := exportFiles(s, root, files); err != nil {
		return nil, err
	}
	// Links come last, so that no file is written through one.
	return exportLinks(s, root, others)
}

func exportFiles(s storer.EncodedObjectStorer, root *os.Root, files []File) error {
	made := map[string]bool{".": true}
	for _, f := range files {
		if parent := path.Dir(f.Path); !made[parent] {
			if err := root.MkdirAll(parent, 0o700); err != nil {
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

// exportLinks makes the symlinks that are safe.
func exportLinks(s storer.EncodedObjectStorer, root *os.Root, others []File) ([]LeftOut, error) {
	var left []LeftOut
	for _, f := range others {
		if f.Mode&fs.ModeSymlink == 0 {
			left = append(left, LeftOut{f.Path, "it is a submodule"})
			continue
		}
		if isBelowLink(root, f.Path) {
			// No tree that git makes has this; the link would lead elsewhere.
			left = append(left, LeftOut{f.Path, "it is below a symlink"})
			continue
		}
		if f.Size > maxLinkTarget {
			left = append(left, LeftOut{f.Path, "its target is too long for a symlink"})
			continue
		}
		target, err := readBlob(s, f.Blob)
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", f.Path, err)
		}
		if reason := unsafeTarget(f.Path, target); reason != "" {
			left = append(left, LeftOut{f.Path, reason})
			continue
		}
		if err := root.MkdirAll(path.Dir(f.Path), 0o700); err != nil {
			return nil, fmt.Errorf("export %s: %w", f.Path, err)
		}
		if err := root.Symlink(target, f.Path); err != nil {
			return nil, fmt.Errorf("export %s: %w", f.Path, err)
		}
	}
	return left, nil
}

// isBelowLink reports whether a folder on the way to name is a symlink.
func isBelowLink(root *os.Root, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := root.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// unsafeTarget says why a symlink is left out; it is empty for one that leads to
// a place in the folder, whatever else is a symlink there: the ways up stand at
// the beginning and do not leave the folder, so what follows leads down only.
func unsafeTarget(link, target string) string {
	if target == "" || strings.ContainsRune(target, 0) {
		return "it is a symlink without a valid target"
	}
	if path.IsAbs(target) {
		return "it is a symlink to an absolute path"
	}
	depth, down := strings.Count(link, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; down || depth < 0 {
				return "it is a symlink that may lead out of the folder"
			}
		default:
			down = true
		}
	}
	return ""
}

func readBlob(s storer.EncodedObjectStorer, hash string) (string, error) {
	blob, err := s.EncodedObject(plumbing.BlobObject, plumbing.NewHash(hash))
	if err != nil {
		return "", err
	}
	in, err := blob.Reader()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxLinkTarget+1))
	return string(text), errors.Join(err, in.Close())
}

// exportable lists the regular files of a commit, and its other entries, and
// checks sizes and numbers before anything is written.
func (r *Repo) exportable(s storer.EncodedObjectStorer, commit string) (files, others []File, err error) {
	all, err := r.filesOf(s, commit, "", maxExportFiles)
	if err != nil {
		return nil, nil, err
	}
	var total int64
	for _, f := range all {
		if !f.Mode.IsRegular() {
			others = append(others, f)
			continue
		}
		if f.Size > maxExportFile {
			return nil, nil, fmt.Errorf("%s is %d bytes large, %d are allowed: %w", f.Path, f.Size, maxExportFile,
				dag.ErrInvalid)
		}
		total += f.Size
		files = append(files, f)
	}
	if total > maxExport {
		return nil, nil, fmt.Errorf("%d bytes in all, %d are allowed: %w", total, maxExport, dag.ErrInvalid)
	}
	return files, others, nil
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
