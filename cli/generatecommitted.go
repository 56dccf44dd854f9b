package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/usage"
)

// checkCommitted compares what is rendered with the commit under whose name it goes. With
// --push a difference is refused, and so is a commit that cannot be read; else the
// difference is a warning.
func (f *generateFlags) checkCommitted(dir, commit string, docs []string, notes io.Writer) error {
	err := f.uncommitted(dir, commit, docs)
	if f.push == "" {
		if differs := (uncommittedError{}); errors.As(err, &differs) {
			fmt.Fprintf(notes, "warning: %s\n", err)
		}
		return nil
	}
	if err != nil {
		return usage.New(fmt.Errorf("--push: %w", err))
	}
	return nil
}

// uncommittedError names a file that is another than in a commit.
type uncommittedError struct{ file, commit string }

// Error tells what to do, too.
func (e uncommittedError) Error() string {
	return fmt.Sprintf("%s is not as in commit %.8s; commit it first, or undo the change", e.file, e.commit)
}

// uncommitted is an uncommittedError for the first file that differs, another error when
// that is unknown, and nil when the model file, what it names and the templates are committed.
// Templates that are in no checkout differ from nothing.
func (f *generateFlags) uncommitted(dir, commit string, docs []string) error {
	checkout, err := gitrepo.OpenCheckout(dir)
	if err != nil {
		return err
	}
	for _, file := range append([]string{generator.ModelFile}, docs...) {
		if err := sameFile(checkout, commit, filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	if f.templates == "" {
		return nil
	}
	if checkout, err = gitrepo.OpenCheckout(f.templates); err != nil {
		return nil //nolint:nilerr // they are not part of a commit
	}
	names, err := fs.Glob(os.DirFS(f.templates), "*.yaml.tmpl")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := sameFile(checkout, "HEAD", filepath.Join(f.templates, name)); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(checkout *gitrepo.Checkout, commit, file string) error {
	differs, err := checkout.Differs(commit, file)
	if err == nil && differs {
		err = uncommittedError{file, commit}
	}
	return err
}
