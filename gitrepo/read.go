package gitrepo

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"dagwright/dag"
)

const (
	// maxTree bounds one folder: a tree object of 16 MiB has some 300,000 entries.
	maxTree = 16 << 20
	// maxCommit bounds one commit with its message.
	maxCommit = 4 << 20
)

// Read returns the content of one blob by its hash, at most limit bytes. The
// error is dag.ErrNotFound when there is no such blob and dag.ErrInvalid when
// it is larger.
func (r *Repo) Read(blob string, limit int64) (content []byte, err error) {
	h, err := parseHash(blob)
	if err != nil {
		return nil, err
	}
	s, done := r.view()
	defer done(&err)
	return readObject(s, plumbing.BlobObject, h, limit)
}

// ReadFile returns the file at a path of a commit, at most limit bytes. The
// error is dag.ErrNotFound when commit or path do not exist, dag.ErrInvalid
// when it is not a regular file or too large.
func (r *Repo) ReadFile(commit, path string, limit int64) (content []byte, err error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	s, done := r.view()
	defer done(&err)
	blob, err := blobAt(s, commit, path)
	if err != nil {
		return nil, err
	}
	content, err = readObject(s, plumbing.BlobObject, blob, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}

// blobAt finds the blob at a path of a commit.
func blobAt(s storer.EncodedObjectStorer, commit, path string) (plumbing.Hash, error) {
	tree, err := rootTree(s, commit)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		e, err := findEntry(s, tree, segment)
		if err != nil {
			return plumbing.ZeroHash, fmt.Errorf("read %s: %w", path, err)
		}
		if last := i == len(segments)-1; !last {
			if e.Mode != filemode.Dir {
				return plumbing.ZeroHash, fmt.Errorf("read %s: %q is not a folder: %w", path, segment, notThere(e.Mode))
			}
			tree = e.Hash
			continue
		}
		if !isFile(e.Mode) {
			return plumbing.ZeroHash, fmt.Errorf("read %s: it is a %s and no regular file: %w", path, kindOf(e.Mode),
				dag.ErrInvalid)
		}
		return e.Hash, nil
	}
	return plumbing.ZeroHash, fmt.Errorf("read %s: %w", path, dag.ErrNotFound)
}

// maxBlame bounds how many commits Since looks at.
const maxBlame = 10_000

// Since returns the commit that brought the file at a path to what it is in a
// commit: the same one for every commit that has the file unchanged. The error is
// dag.ErrNotFound when commit or path do not exist, or the change lies too far
// back.
func (r *Repo) Since(commit, path string) (since string, err error) {
	s, done := r.view()
	defer done(&err)
	return sinceWhen(s, commit, path)
}

func sinceWhen(s storer.EncodedObjectStorer, commit, path string) (string, error) {
	if err := checkPath(path); err != nil {
		return "", err
	}
	blob, err := blobAt(s, commit, path)
	if err != nil {
		return "", err
	}
	for range maxBlame {
		c, err := commitOf(s, commit)
		if err != nil {
			return "", err
		}
		same := ""
		for _, parent := range c.ParentHashes {
			if before, err := blobAt(s, parent.String(), path); err == nil && before == blob {
				same = parent.String()
				break
			}
		}
		if same == "" {
			return commit, nil
		}
		commit = same
	}
	return "", fmt.Errorf("find the last change of %s: looked at %d commits: %w", path, maxBlame, dag.ErrNotFound)
}

// Author returns the e-mail address of whoever brought the file at a path of a
// commit to what it is there. The errors are those of Since.
func (r *Repo) Author(commit, path string) (email string, err error) {
	s, done := r.view()
	defer done(&err)
	since, err := sinceWhen(s, commit, path)
	if err != nil {
		return "", err
	}
	c, err := commitOf(s, since)
	if err != nil {
		return "", err
	}
	return c.Author.Email, nil
}

// notThere is the error for a path that goes on below something that is not a
// folder: below a file there is nothing, below a link may be something that is
// not looked at.
func notThere(m filemode.FileMode) error {
	if isFile(m) {
		return dag.ErrNotFound
	}
	return dag.ErrInvalid
}

// Ancestor reports whether commit old is new or an ancestor of it.
// dag.ErrNotFound when either is unknown.
func (r *Repo) Ancestor(old, new string) (is bool, err error) {
	s, done := r.view()
	defer done(&err)
	from, err := commitOf(s, new)
	if err != nil {
		return false, err
	}
	sought, err := commitOf(s, old)
	if err != nil {
		return false, err
	}
	found := false
	err = object.NewCommitPreorderIter(from, nil, nil).ForEach(func(c *object.Commit) error {
		if found = c.Hash == sought.Hash; found {
			return storer.ErrStop
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("walk history of %s: %w", new, err)
	}
	return found, nil
}

func commitOf(s storer.EncodedObjectStorer, commit string) (*object.Commit, error) {
	h, err := parseHash(commit)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if size, err := s.EncodedObjectSize(h); err == nil && size > maxCommit {
		return nil, fmt.Errorf("commit %s is larger than %d bytes: %w", commit, maxCommit, dag.ErrInvalid)
	}
	c, err := object.GetCommit(s, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("commit %s: %w", commit, dag.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", commit, err)
	}
	return c, nil
}

func rootTree(s storer.EncodedObjectStorer, commit string) (plumbing.Hash, error) {
	c, err := commitOf(s, commit)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return c.TreeHash, nil
}

// readTree returns the entries of a tree.
func readTree(s storer.EncodedObjectStorer, h plumbing.Hash) ([]object.TreeEntry, error) {
	size, err := s.EncodedObjectSize(h)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", h, err)
	}
	if size > maxTree {
		return nil, fmt.Errorf("folder %s is larger than %d bytes: %w", h, maxTree, dag.ErrInvalid)
	}
	t, err := object.GetTree(s, h)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", h, err)
	}
	return t.Entries, nil
}

func findEntry(s storer.EncodedObjectStorer, tree plumbing.Hash, name string) (object.TreeEntry, error) {
	entries, err := readTree(s, tree)
	if err != nil {
		return object.TreeEntry{}, err
	}
	for _, e := range entries {
		if e.Name == name {
			return e, nil
		}
	}
	return object.TreeEntry{}, dag.ErrNotFound
}

// readObject returns an object's content, after a look at its size.
func readObject(s storer.EncodedObjectStorer, t plumbing.ObjectType, h plumbing.Hash, limit int64) (_ []byte,
	err error) {
	size, err := s.EncodedObjectSize(h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("blob %s: %w", h, dag.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read size of %s: %w", h, err)
	}
	if size > limit {
		return nil, fmt.Errorf("it is %d bytes large, %d are allowed: %w", size, limit, dag.ErrInvalid)
	}
	o, err := s.EncodedObject(t, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("blob %s: %w", h, dag.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h, err)
	}
	in, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h, err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	content := make([]byte, size)
	if _, err := io.ReadFull(in, content); err != nil {
		return nil, fmt.Errorf("read %s: %w", h, err)
	}
	return content, nil
}

func isFile(m filemode.FileMode) bool {
	return m == filemode.Regular || m == filemode.Executable || m == filemode.Deprecated
}

func kindOf(m filemode.FileMode) string {
	switch m {
	case filemode.Dir:
		return "folder"
	case filemode.Symlink:
		return "symbolic link"
	case filemode.Submodule:
		return "submodule"
	default:
		return "file of mode " + m.String()
	}
}
