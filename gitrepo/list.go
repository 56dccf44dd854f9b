package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"dagwright/dag"
)

const (
	// maxFiles bounds the files of a listing, and its folders. A few nested
	// trees can stand for billions of either (a "git bomb").
	maxFiles = 500_000
	// maxPaths bounds the bytes of all paths of a listing: the names in a tree may be
	// of any length.
	maxPaths = 64 << 20
	// maxDepth bounds the nesting of folders.
	maxDepth = 100
	// maxKept bounds the entries that are kept from one listing to the next.
	maxKept = 200_000
)

// File is one entry of a commit's tree that is not a folder.
type File struct {
	Path string
	// Mode is 0644 or 0755; a symbolic link has fs.ModeSymlink and a submodule
	// fs.ModeDir. Neither is ever followed.
	Mode fs.FileMode
	Blob string // hash; of a submodule, its commit
	Size int64  // in bytes; 0 for a submodule
}

// treeEntry is an entry of a tree with the size of its blob.
type treeEntry struct {
	name string
	mode filemode.FileMode
	hash plumbing.Hash
	size int64
}

// Files lists the files of a commit below a folder ("" for all), in git's
// order. Entries with a name that no path can have ("..", ".git") are left out.
// The error is dag.ErrNotFound when commit or folder do not exist and
// dag.ErrInvalid when there are too many files.
//
// Only folders that changed since the last listing are read from disk.
func (r *Repo) Files(commit, under string) (files []File, err error) {
	s, done := r.view()
	defer done(&err)
	return r.filesOf(s, commit, under, maxFiles)
}

// filesOf is Files for a caller that reads from s already, and wants no more than
// most files.
func (r *Repo) filesOf(s storer.EncodedObjectStorer, commit, under string, most int) ([]File, error) {
	root, err := rootTree(s, commit)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if under != "" {
		if root, err = folder(s, root, under); err != nil {
			return nil, err
		}
		prefix = under + "/"
	}
	r.listing.Lock()
	known := r.listing.trees
	r.listing.Unlock()

	l := lister{storer: s, most: most, known: known, seen: map[plumbing.Hash][]treeEntry{}}
	if err := l.list(root, prefix, 0); err != nil {
		return nil, fmt.Errorf("list files of %s: %w", commit, err)
	}
	if under == "" && l.kept <= maxKept {
		r.listing.Lock()
		r.listing.trees = l.seen
		r.listing.Unlock()
	}
	return l.files, nil
}

// folder finds the tree at a path.
func folder(s storer.EncodedObjectStorer, tree plumbing.Hash, path string) (plumbing.Hash, error) {
	if err := checkPath(path); err != nil {
		return tree, err
	}
	for segment := range strings.SplitSeq(path, "/") {
		e, err := findEntry(s, tree, segment)
		if err != nil {
			return tree, fmt.Errorf("folder %s: %w", path, err)
		}
		if e.Mode != filemode.Dir {
			return tree, fmt.Errorf("folder %s: %q is a %s: %w", path, segment, kindOf(e.Mode), notThere(e.Mode))
		}
		tree = e.Hash
	}
	return tree, nil
}

// lister walks a tree. Trees are found in known when they were there before:
// a hash stands for its content for ever.
type lister struct {
	storer      storer.EncodedObjectStorer
	known, seen map[plumbing.Hash][]treeEntry
	most        int // files
	kept        int
	folders     int
	paths       int // bytes of all paths
	files       []File
}

func (l *lister) list(tree plumbing.Hash, prefix string, depth int) error {
	if len(prefix) > maxPath {
		return fmt.Errorf("folder %.100q…: its path is longer than %d bytes: %w", prefix, maxPath, dag.ErrInvalid)
	}
	if depth > maxDepth {
		return fmt.Errorf("folders are nested deeper than %d: %w", maxDepth, dag.ErrInvalid)
	}
	if l.folders++; l.folders > maxFiles {
		return fmt.Errorf("more than %d folders: %w", maxFiles, dag.ErrInvalid)
	}
	entries, err := l.entries(tree)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.mode == filemode.Dir {
			if err := l.list(e.hash, prefix+e.name+"/", depth+1); err != nil {
				return err
			}
			continue
		}
		if len(l.files) == l.most {
			return fmt.Errorf("more than %d files: %w", l.most, dag.ErrInvalid)
		}
		if l.paths += len(prefix) + len(e.name); l.paths > maxPaths {
			return fmt.Errorf("the paths of the files have more than %d bytes in all: %w", maxPaths, dag.ErrInvalid)
		}
		l.files = append(l.files, File{Path: prefix + e.name, Mode: osMode(e.mode), Blob: e.hash.String(), Size: e.size})
	}
	return nil
}

func (l *lister) entries(tree plumbing.Hash) ([]treeEntry, error) {
	if entries, ok := l.seen[tree]; ok {
		return entries, nil
	}
	entries, ok := l.known[tree]
	if !ok {
		var err error
		if entries, err = l.read(tree); err != nil {
			return nil, err
		}
	}
	l.seen[tree] = entries
	l.kept += len(entries)
	return entries, nil
}

func (l *lister) read(tree plumbing.Hash) ([]treeEntry, error) {
	raw, err := readTree(l.storer, tree)
	if err != nil {
		return nil, err
	}
	entries := make([]treeEntry, 0, len(raw))
	for _, e := range raw {
		if !safeName(e.Name) {
			continue
		}
		entry := treeEntry{name: e.Name, mode: e.Mode, hash: e.Hash}
		if e.Mode != filemode.Dir && e.Mode != filemode.Submodule {
			entry.size, err = l.storer.EncodedObjectSize(e.Hash)
			if errors.Is(err, plumbing.ErrObjectNotFound) {
				return nil, fmt.Errorf("the clone lacks blob %s of %s", e.Hash, e.Name)
			}
			if err != nil {
				return nil, fmt.Errorf("read size of %s: %w", e.Name, err)
			}
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func osMode(m filemode.FileMode) fs.FileMode {
	switch m {
	case filemode.Executable:
		return 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Submodule:
		return fs.ModeDir | 0o755
	default:
		return 0o644
	}
}
