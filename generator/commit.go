package generator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/gitrepo"
	"dagwright/store"
)

// maxSpecSize bounds the spec that is read back for comparison.
const maxSpecSize = 1 << 20

// AuthorEmail is that of dagwright's commits in DAG repositories: who wrote a file
// last tells an edit by hand from dagwright's own work.
const AuthorEmail = "dagwright@localhost"

const authorName = "dagwright"

// deliver brings all changes to the DAG repository and says what happened to each.
func (g *Generator) deliver(ctx context.Context, work []change) []store.PushResult {
	if g.Deliver == DeliverMergeRequest && g.GitLab != nil {
		return g.proposeAll(ctx, work)
	}
	return g.commitAll(ctx, work)
}

// outcome is what a commit did about one change.
type outcome struct {
	changed bool
	// landed says that nothing was left to do because dagwright did it before and
	// did not come to write that down.
	landed bool
	drift  error // set when a file was edited by hand: nothing was done
}

// commit pushes all changes as one commit and says what happened to each. No
// commit is made when the files are what they were.
func (g *Generator) commit(ctx context.Context, work []change) ([]store.PushResult, error) {
	if len(work) == 0 {
		return nil, nil
	}
	outcomes := make([]outcome, len(work))
	head, _, err := g.Repo.Push(ctx, gitrepo.Commit{
		Describe: func() string { return message(committed(work, outcomes)) }, AuthorName: authorName,
		AuthorEmail: AuthorEmail, When: g.Now(),
		Changes: func(head string) ([]gitrepo.Change, error) { return g.differences(head, work, outcomes) },
	})
	if err != nil {
		return nil, err
	}
	results := make([]store.PushResult, len(work))
	for i, c := range work {
		results[i] = result(c, outcomes[i], head)
	}
	return results, nil
}

// committed leaves out what a commit does not change. After a crash, what was
// committed just before it is worked on again, and must not be reported twice.
func committed(work []change, outcomes []outcome) []change {
	var out []change
	for i, c := range work {
		if outcomes[i].changed {
			out = append(out, c)
		}
	}
	return out
}

// commitAll is commit, and does not fail. What only writes and was not tried before comes
// first and by itself: what the DAG repository refuses, such as a hook that lets no file
// be removed, must not hold it up.
func (g *Generator) commitAll(ctx context.Context, work []change) (results []store.PushResult) {
	var first, again, removing []change
	for _, c := range work {
		switch {
		case c.removes():
			removing = append(removing, c)
		case c.push.Tries > 0:
			again = append(again, c)
		default:
			first = append(first, c)
		}
	}
	for _, part := range [][]change{first, again, removing} {
		tries := mostTries
		results = append(results, g.commitParts(ctx, part, &tries)...)
	}
	return results
}

// mostTries bounds the commits that are tried to find what is refused.
const mostTries = 64

// commitParts makes one commit of changes. Where that is refused, or has a path that cannot
// be written, such as one with a folder in its place, it halves them, so that a change
// that is refused holds up itself alone.
func (g *Generator) commitParts(ctx context.Context, work []change, tries *int) []store.PushResult {
	results, err := g.commit(ctx, work)
	*tries--
	refused := errors.Is(err, dag.ErrInvalid) || errors.Is(err, gitrepo.ErrRefused)
	switch {
	case err == nil:
		return results
	case refused && len(work) > 1 && *tries > 0:
		results = g.commitParts(ctx, work[:len(work)/2], tries)
		return append(results, g.commitParts(ctx, work[len(work)/2:], tries)...)
	}
	g.Logger.Warn("push to the DAG repository", "err", err)
	return g.postpone(work, err)
}

// removes reports whether the change takes any file away.
func (c change) removes() bool {
	return slices.ContainsFunc(c.files, func(f fileChange) bool { return f.content == nil || f.oldPath != "" })
}

// differences lists the file changes that the head lacks and notes what it
// does about each entry of work.
func (g *Generator) differences(head string, work []change, outcomes []outcome) ([]gitrepo.Change, error) {
	var out []gitrepo.Change
	for i, c := range work {
		diff, err := g.difference(head, c)
		var drift *driftError
		if errors.As(err, &drift) {
			outcomes[i] = outcome{drift: drift}
			continue
		}
		if err != nil {
			return nil, err
		}
		outcomes[i] = outcome{changed: len(diff) > 0, landed: len(diff) == 0 && g.landed(head, c)}
		out = append(out, diff...)
	}
	return out, nil
}

// difference lists what one change does to the files of the head, and notes in
// their provenance what stands there.
func (g *Generator) difference(head string, c change) ([]gitrepo.Change, error) {
	var out []gitrepo.Change
	for i := range c.files {
		f := &c.files[i]
		present, err := g.present(head, or(f.oldPath, f.spec.Path))
		if err != nil {
			return nil, err
		}
		if f.content == nil && !f.delivered() && !g.wrote(head, f.spec.Path) {
			continue // nothing of ours is there
		}
		if c.push.Via != store.ViaOverwrite {
			if err := g.checkDrift(head, f, present); err != nil {
				return nil, err
			}
		}
		f.spec.Previous = string(present)
		same := present != nil && f.content != nil && f.oldPath == "" && bytes.Equal(present, f.content)
		if !same && (f.content == nil || f.oldPath != "") {
			if same, err = g.holds(head, f.spec.Path, f.content); err != nil {
				return nil, err
			}
		}
		if !same {
			out = append(out, gitrepo.Change{Path: f.spec.Path, Content: f.content})
		}
		loaders, err := g.loaders(head, f)
		if err != nil {
			return nil, err
		}
		out = append(out, loaders...)
		if f.oldPath == "" {
			continue
		}
		if same, err = g.holds(head, f.oldPath, nil); err != nil {
			return nil, err
		}
		if !same {
			out = append(out, gitrepo.Change{Path: f.oldPath})
		}
	}
	return out, nil
}

// present reads a file of the DAG repository; nil when it is not there, or is what
// can be no spec.
func (g *Generator) present(head, path string) ([]byte, error) {
	if head == "" {
		return nil, nil
	}
	content, err := g.Repo.ReadFile(head, path, maxSpecSize)
	if errors.Is(err, dag.ErrNotFound) || errors.Is(err, dag.ErrInvalid) {
		return nil, nil
	}
	return content, err
}

// occupied reports whether anything stands at a path of the DAG repository, also what
// can be no spec.
func (g *Generator) occupied(head, path string) (bool, error) {
	if head == "" {
		return false, nil
	}
	switch _, err := g.Repo.ReadFile(head, path, maxSpecSize); {
	case err == nil, errors.Is(err, dag.ErrInvalid):
		return true, nil
	case errors.Is(err, dag.ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}

// checkDrift returns a driftError for a file that a change would write over or remove
// though it is somebody else's work: one that was edited since dagwright wrote it, or
// one that stood where dagwright has written nothing yet. present is what stands at
// the file's previous place.
func (g *Generator) checkDrift(head string, f *fileChange, present []byte) error {
	if f.delivered() {
		if at := or(f.oldPath, f.spec.Path); f.drifted(present) && !g.wrote(head, at) {
			return &driftError{path: at}
		}
		if f.oldPath == "" {
			return g.checkLoader(head, f)
		}
	}
	if f.content == nil {
		return nil
	}
	if err := g.checkFree(head, f.spec.Path, f.content); err != nil {
		return err
	}
	return g.checkLoader(head, f)
}

// checkLoader is checkFree for the loader that is to stand beside a spec.
func (g *Generator) checkLoader(head string, f *fileChange) error {
	if !g.Loaders || f.content == nil {
		return nil
	}
	file, content := Loader(f.spec.Path)
	return g.checkFree(head, file, content)
}

// checkFree returns a driftError when something stands at a path that is neither the
// content itself nor dagwright's work.
func (g *Generator) checkFree(head, path string, content []byte) error {
	same, err := g.holds(head, path, content)
	if same || err != nil {
		return err
	}
	taken, err := g.occupied(head, path)
	if err != nil || !taken || g.wrote(head, path) {
		return err
	}
	return &driftError{path: path, foreign: true}
}

// driftError says that a file is somebody's work by hand.
type driftError struct {
	path string
	// foreign: dagwright never wrote the file.
	foreign bool
}

func (e *driftError) Error() string {
	if e.foreign {
		return fmt.Sprintf(
			"%s is there already, written by hand, and is left as it is: remove or rename it in the DAG repository, or run \"dagwright rerender --overwrite\"",
			e.path)
	}
	return fmt.Sprintf(
		"%s was edited by hand since dagwright wrote it, and is left as it is: take the edit into the model's %s or the template, then run \"dagwright rerender --overwrite\"",
		e.path, ModelFile)
}

// delivered reports whether dagwright has written or proposed the file before.
func (f *fileChange) delivered() bool { return f.old.DAGCommit != "" }

// drifted reports whether a file that was delivered is not what dagwright rendered
// last. It is not drift when the file is what is to be written anyway, is gone, when
// an older dagwright kept nothing, or when a merge request has not been merged yet.
func (f *fileChange) drifted(present []byte) bool {
	switch {
	case f.old.Content == "", present == nil, string(present) == f.old.Content, bytes.Equal(present, f.content):
		return false
	case f.old.MergeRequest != "" && string(present) == f.old.Previous:
		return false
	}
	return true
}

// wrote reports whether the file of the head is dagwright's own work all the same:
// a crash between a push and the note of it leaves a file that nobody recorded.
func (g *Generator) wrote(head, path string) bool {
	author, err := g.Repo.Author(head, path)
	return err == nil && author == AuthorEmail
}

// landed reports whether a change that the head holds already was dagwright's own,
// and went unrecorded: the process ended between its push and the note of it.
func (g *Generator) landed(head string, c change) bool {
	for _, f := range c.files {
		if f.content != nil && f.old.Content != string(f.content) && g.wrote(head, f.spec.Path) {
			return true
		}
	}
	return false
}

// holds reports whether a path of the DAG repository has this content already;
// nil stands for no file. What somebody put there that is not a plain file, or is
// too large, is not a spec of ours.
func (g *Generator) holds(head, path string, content []byte) (bool, error) {
	if head == "" {
		return content == nil, nil
	}
	present, err := g.Repo.ReadFile(head, path, maxSpecSize)
	switch {
	case errors.Is(err, dag.ErrNotFound):
		return content == nil, nil
	case errors.Is(err, dag.ErrInvalid):
		return false, nil
	case err != nil:
		return false, err
	}
	return content != nil && bytes.Equal(present, content), nil
}

func result(c change, o outcome, head string) store.PushResult {
	r := store.PushResult{ID: c.push.ID, DAG: c.files[0].spec.DAG, DAGCommit: head, State: store.PushUnchanged,
		Reason: c.note}
	if asked(c.push) && !c.push.Deleted {
		r.Commit = c.push.Commit
	}
	if o.drift != nil {
		r.State, r.Reason, r.DAGCommit = store.PushRefused, o.drift.Error(), ""
		return r
	}
	for _, f := range c.files {
		if f.content == nil {
			r.Released = append(r.Released, f.spec.DAG)
			continue
		}
		spec := f.spec
		spec.DAGCommit = head
		r.Specs = append(r.Specs, spec)
	}
	switch {
	case len(r.Specs) == 0:
		r.State = store.PushRemoved
	case o.changed, o.landed:
		r.State = store.PushRendered
	}
	return r
}

// message says in the commit what it renders, with a trailer for each DAG that
// ties it to the model's commit.
func message(work []change) string {
	var b strings.Builder
	if len(work) == 1 {
		fmt.Fprintf(&b, "%s\n\n", subject(work[0]))
	} else {
		fmt.Fprintf(&b, "Render %d DAGs\n\n", len(work))
	}
	for _, c := range work {
		fmt.Fprintf(&b, "Model: %s@%s (%s)\n", c.push.Project, c.push.Commit, c.push.Branch)
	}
	return b.String()
}

// subject is the first line about one change.
func subject(c change) string {
	names := make([]string, len(c.files))
	written := false
	for i, f := range c.files {
		names[i] = string(f.spec.DAG)
		written = written || f.content != nil
	}
	const most = 3
	name := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		name += fmt.Sprintf(" and %d more", len(names)-most)
	}
	if !written {
		return fmt.Sprintf("%s: remove, since the branch is gone: %s", name, c.push.Branch)
	}
	return fmt.Sprintf("%s: render %s of %s", name, short(c.push.Commit), c.push.Branch)
}
