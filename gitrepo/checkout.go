package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Checkout is a person's or a CI job's working tree. It is read without the git program,
// which an image may lack.
type Checkout struct {
	repo *git.Repository
	root string
}

// OpenCheckout opens the checkout that a folder is part of.
func OpenCheckout(dir string) (*Checkout, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("open checkout %s: %w", dir, err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		return nil, fmt.Errorf("open checkout %s: %w", dir, err)
	}
	root, err := filepath.EvalSymlinks(tree.Filesystem.Root())
	if err != nil {
		return nil, fmt.Errorf("open checkout %s: %w", dir, err)
	}
	return &Checkout{repo: repo, root: root}, nil
}

// Differs reports whether a file is another than in a commit, such as a hash or "HEAD", or in one
// of both only. How lines end makes no difference. The error says that there is no such commit.
func (c *Checkout) Differs(commit, file string) (bool, error) {
	hash, err := c.repo.ResolveRevision(plumbing.Revision(commit))
	if err != nil {
		return false, fmt.Errorf("commit %s: %w", commit, err)
	}
	found, err := c.repo.CommitObject(*hash)
	if err != nil {
		return false, fmt.Errorf("commit %s: %w", commit, err)
	}
	name, err := c.name(file)
	if err != nil {
		return false, err
	}
	there, err := found.File(name)
	if err != nil && !errors.Is(err, object.ErrFileNotFound) {
		return false, fmt.Errorf("read %s of %s: %w", name, commit, err)
	}
	here, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return there != nil, nil
	}
	if err != nil || there == nil {
		return err == nil, err
	}
	text, err := there.Contents()
	if err != nil {
		return false, fmt.Errorf("read %s of %s: %w", name, commit, err)
	}
	return !bytes.Equal(unixLines(here), unixLines([]byte(text))), nil
}

// name is a file's path in the checkout, with slashes.
func (c *Checkout) name(file string) (string, error) {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	name, err := filepath.Rel(c.root, filepath.Join(dir, filepath.Base(file)))
	return filepath.ToSlash(name), err
}

func unixLines(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
