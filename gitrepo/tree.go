package gitrepo

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/memory"

	"dagwright/dag"
)

// Change sets one path to the given content, or removes it when Content is
// nil. A file that is replaced keeps its executable bit; a symlink that is
// replaced becomes a file. Removing what is not there is no error.
type Change struct {
	Path    string
	Content []byte
}

// node is one path segment of the changes to make.
type node struct {
	change   *Change
	children map[string]*node
}

// plan puts changes into a tree of path segments. The last of several changes
// to one path counts.
func plan(changes []Change) (*node, error) {
	root := &node{}
	for i, c := range changes {
		if err := checkPath(c.Path); err != nil {
			return nil, err
		}
		n := root
		for segment := range strings.SplitSeq(c.Path, "/") {
			if n.children == nil {
				n.children = map[string]*node{}
			}
			if n.children[segment] == nil {
				n.children[segment] = &node{}
			}
			n = n.children[segment]
		}
		n.change = &changes[i]
	}
	return root, nil
}

// writes reports whether the node or one below it sets a file.
func (n *node) writes() bool {
	if n.change != nil && n.change.Content != nil {
		return true
	}
	for _, child := range n.children {
		if child.writes() {
			return true
		}
	}
	return false
}

// treeWriter rewrites the trees along changed paths. New objects are kept in
// memory until they are pushed: a lost race leaves nothing behind.
type treeWriter struct {
	old storer.EncodedObjectStorer
	new *memory.Storage
	// added lists the new objects in the order in which they were made: what an
	// object refers to comes before it.
	added []plumbing.Hash
}

func newTreeWriter(old storer.EncodedObjectStorer) *treeWriter {
	return &treeWriter{old: old, new: memory.NewStorage()}
}

// rewrite returns the tree after the changes of n, the zero hash when nothing
// is left in it. The zero hash also stands for a tree that does not exist yet.
func (w *treeWriter) rewrite(tree plumbing.Hash, n *node, path string) (plumbing.Hash, error) {
	entries := map[string]object.TreeEntry{}
	if !tree.IsZero() {
		present, err := readTree(w.old, tree)
		if err != nil {
			return tree, err
		}
		for _, e := range present {
			entries[e.Name] = e
		}
	}
	changed := false
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		before, there := entries[name]
		after, err := w.apply(before, n.children[name], path+name)
		if err != nil {
			return tree, err
		}
		if after.Hash == before.Hash && after.Mode == before.Mode {
			continue
		}
		changed = true
		if there && after.Hash.IsZero() {
			delete(entries, name)
			continue
		}
		after.Name = name
		entries[name] = after
	}
	switch {
	case !changed:
		return tree, nil
	case len(entries) == 0:
		return plumbing.ZeroHash, nil
	}
	sorted := slices.Collect(maps.Values(entries))
	sort.Sort(object.TreeEntrySorter(sorted))
	return w.add(&object.Tree{Entries: sorted})
}

// apply returns the entry that takes before's place, the zero entry for none.
func (w *treeWriter) apply(before object.TreeEntry, n *node, path string) (object.TreeEntry, error) {
	none := object.TreeEntry{}
	isDir := before.Mode == filemode.Dir && !before.Hash.IsZero()
	if n.change != nil {
		if isDir {
			return none, fmt.Errorf("path %s is a folder and no file: %w", path, dag.ErrInvalid)
		}
		if n.change.Content != nil {
			if n.writesBelow() {
				return none, fmt.Errorf("path %s would be a file and a folder: %w", path, dag.ErrInvalid)
			}
			return w.file(before, n.change.Content)
		}
		before = none
	}
	if len(n.children) == 0 {
		return before, nil
	}
	if !isDir && !n.writesBelow() {
		return before, nil // what is to be removed is not there
	}
	if !isDir && !before.Hash.IsZero() {
		return none, fmt.Errorf("path %s is a %s and no folder: %w", path, kindOf(before.Mode), dag.ErrInvalid)
	}
	tree, err := w.rewrite(before.Hash, n, path+"/")
	if err != nil || tree.IsZero() {
		return none, err
	}
	return object.TreeEntry{Mode: filemode.Dir, Hash: tree}, nil
}

func (n *node) writesBelow() bool { return (&node{children: n.children}).writes() }

func (w *treeWriter) file(before object.TreeEntry, content []byte) (object.TreeEntry, error) {
	mode := filemode.Regular
	if before.Mode == filemode.Executable {
		mode = filemode.Executable
	}
	hash := plumbing.ComputeHash(plumbing.BlobObject, content)
	if hash == before.Hash && isFile(before.Mode) {
		return before, nil
	}
	blob := &plumbing.MemoryObject{}
	blob.SetType(plumbing.BlobObject)
	if _, err := blob.Write(content); err != nil {
		return before, err
	}
	hash, err := w.store(blob)
	return object.TreeEntry{Mode: mode, Hash: hash}, err
}

// add stores a tree or commit.
func (w *treeWriter) add(o object.Object) (plumbing.Hash, error) {
	raw := &plumbing.MemoryObject{}
	if err := o.Encode(raw); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("encode %s: %w", o.Type(), err)
	}
	return w.store(raw)
}

func (w *treeWriter) store(o plumbing.EncodedObject) (plumbing.Hash, error) {
	hash := o.Hash()
	if w.new.HasEncodedObject(hash) == nil {
		return hash, nil
	}
	if _, err := w.new.SetEncodedObject(o); err != nil {
		return hash, fmt.Errorf("keep %s: %w", o.Type(), err)
	}
	w.added = append(w.added, hash)
	return hash, nil
}
