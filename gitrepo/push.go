package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"dagwright/dag"
)

// Commit describes a commit to make.
type Commit struct {
	Message string
	// Describe gives the message in place of Message, when it is not nil. It is
	// called after Changes, once for each try.
	Describe                func() string
	AuthorName, AuthorEmail string
	When                    time.Time
	// Changes is called with the head that the commit will have as parent, ""
	// when the branch does not exist yet, and again after every lost race.
	// Returning no change makes no commit. It may read the Repo, and must not
	// call Fetch or Push.
	Changes func(head string) ([]Change, error)
}

// maxPushTries bounds the races that a push may lose.
const maxPushTries = 30

// Push commits onto the branch's head and pushes. A push that lost a race is
// fetched, rebuilt and tried again. It returns the commit at the head
// afterwards and whether a new commit was made: unchanged bytes make none. The
// error is dag.ErrConflict when every race was lost, ErrRefused when the remote
// does not take the commit, and dag.ErrInvalid for a path or commit that cannot
// be. After any other error the commit may have arrived; pushing the same once
// more is then safe and makes none.
func (r *Repo) Push(ctx context.Context, c Commit) (head string, changed bool, err error) {
	if c.Changes == nil || c.When.IsZero() {
		return "", false, fmt.Errorf("push: a commit needs Changes and When: %w", dag.ErrInvalid)
	}
	ctx, done, err := r.lockRemote(ctx)
	if err != nil {
		return "", false, fmt.Errorf("push %s: %w", r.Branch, err)
	}
	defer done()
	defer func(began time.Time) { r.Observe("push", time.Since(began), err) }(time.Now())
	if err := r.heal(ctx); err != nil {
		return "", false, fmt.Errorf("push %s: %w", r.Branch, err)
	}
	h, changed, err := r.push(ctx, c)
	if err != nil {
		return "", false, fmt.Errorf("push %s: %w", r.Branch, err)
	}
	return hashString(h), changed, nil
}

func (r *Repo) push(ctx context.Context, c Commit) (plumbing.Hash, bool, error) {
	var lost *refusedError
	for try := range maxPushTries {
		if err := pause(ctx, try); err != nil {
			return plumbing.ZeroHash, false, errors.Join(err, errOrNil(lost))
		}
		head, changed, err := r.tryPush(ctx, c, lost)
		if !errors.As(err, &lost) {
			return head, changed, err
		}
		if lost.final {
			return plumbing.ZeroHash, false, err
		}
		r.Logger.Debug("push lost a race", "branch", r.Branch, "try", try+1, "err", err)
	}
	return plumbing.ZeroHash, false, fmt.Errorf("lost %d races, the last one: %w: %w", maxPushTries, lost, dag.ErrConflict)
}

// pause waits before another try: 10 ms doubling to a second, of which a
// random part is left out, so that racers do not meet again.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	longest := min(10*time.Millisecond<<min(try-1, 10), time.Second)
	t := time.NewTimer(rand.N(longest))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrRefused is the error of a push that the remote does not take: a hook declined it, or
// the branch is protected.
var ErrRefused = errors.New("refused by the remote")

// refusedError is the remote's refusal to move the branch.
type refusedError struct {
	reason string        // git's own
	words  string        // of the remote's hooks
	base   plumbing.Hash // what the commit was built on
	final  bool          // trying again is of no use
}

func (e *refusedError) Error() string {
	return strings.TrimSpace("refused by the remote: " + e.reason + "\n" + e.words)
}

// Is says that the error is ErrRefused.
func (e *refusedError) Is(target error) bool { return target == ErrRefused }

func errOrNil(e *refusedError) error {
	if e == nil {
		return nil
	}
	return e
}

// raced holds how git, go-git, Gitaly and GitLab say that the branch moved
// while a push was under way.
var raced = []string{
	"incorrect old value", "fetch first", "non-fast-forward", "failed to update ref", "cannot lock ref",
	"unable to lock", "failed to lock", "reference already exists", "stale info", "required to be",
	"reference does not point to expected object",
}

// isRace reports whether the reason of a refusal is a lost race for sure.
func isRace(reason string) bool {
	return slices.ContainsFunc(raced, func(words string) bool { return strings.Contains(reason, words) })
}

// tryPush makes one attempt. before is the refusal of the attempt before, if
// any: when the branch has not moved since, and no race was named, the refusal
// stands.
func (r *Repo) tryPush(ctx context.Context, c Commit, before *refusedError) (plumbing.Hash, bool, error) {
	var replies drain
	session, refs, remoteHead, err := r.remote.receivePack(ctx, &replies)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	defer replies.close()
	defer closeQuietly(session)
	if before != nil && !isRace(before.reason) && before.base == remoteHead {
		before.final = true
		return plumbing.ZeroHash, false, before
	}
	base, err := r.bring(ctx, remoteHead)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	w, commit, err := r.build(c, base)
	if err != nil || commit == base {
		return base, false, err
	}
	if err := r.send(ctx, session, refs, w, move{r.remote.branch, base, commit}); err != nil {
		return plumbing.ZeroHash, false, err
	}
	if err := r.keep(w); err != nil {
		return plumbing.ZeroHash, false, err
	}
	return commit, true, r.setHead(commit)
}

// bring makes sure that the clone has the remote's head and returns it, or a
// newer one.
func (r *Repo) bring(ctx context.Context, remoteHead plumbing.Hash) (plumbing.Hash, error) {
	known, err := r.head()
	if err != nil || known == remoteHead {
		return known, err
	}
	if remoteHead.IsZero() {
		return remoteHead, r.setHead(remoteHead)
	}
	return r.fetch(ctx)
}

// build makes the objects of the commit on base. It returns base itself when
// there is nothing to change.
func (r *Repo) build(c Commit, base plumbing.Hash) (*treeWriter, plumbing.Hash, error) {
	changes, err := c.Changes(hashString(base))
	if err != nil || len(changes) == 0 {
		return nil, base, err
	}
	root, err := plan(changes)
	if err != nil {
		return nil, base, err
	}
	w := newTreeWriter(r.objects.Load())
	var oldTree plumbing.Hash
	var parents []plumbing.Hash
	if !base.IsZero() {
		if oldTree, err = rootTree(w.old, base.String()); err != nil {
			r.damage.Store(&err) // the branch's own commit
			return nil, base, err
		}
		parents = []plumbing.Hash{base}
	}
	tree, err := w.rewrite(oldTree, root, "")
	r.suspect(err)
	if err != nil || tree == oldTree {
		return nil, base, err
	}
	if tree.IsZero() { // the last file is gone: git's empty tree
		if tree, err = w.add(&object.Tree{}); err != nil {
			return nil, base, err
		}
	}
	if c.Describe != nil {
		c.Message = c.Describe()
	}
	author := object.Signature{Name: oneLine(c.AuthorName), Email: oneLine(c.AuthorEmail), When: c.When}
	commit, err := w.add(&object.Commit{
		Author: author, Committer: author, TreeHash: tree, ParentHashes: parents,
		Message: strings.ReplaceAll(strings.TrimRight(c.Message, "\n"), "\x00", "") + "\n",
	})
	return w, commit, err
}

// oneLine removes what would end a name in git's commit header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '<' || r == '>' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, s)
}

// move is what a push asks for: that a branch goes from one commit to another.
type move struct {
	branch   plumbing.ReferenceName
	from, to plumbing.Hash
}

// send pushes the new objects and asks for the move. The remote compares its
// start with where the branch is: what another has pushed meanwhile cannot be
// lost.
func (r *Repo) send(ctx context.Context, session transport.ReceivePackSession, refs *packp.AdvRefs, w *treeWriter,
	m move) error {
	var pack bytes.Buffer
	if _, err := packfile.NewEncoder(&pack, w.new, false).Encode(w.added, 0); err != nil {
		return fmt.Errorf("encode objects: %w", err)
	}
	request := packp.NewReferenceUpdateRequestFromCapabilities(refs.Capabilities)
	words := &tail{}
	// Over HTTP the words of the remote's hooks come in band; a local
	// git-receive-pack writes them to its standard error instead.
	if r.remote.isHTTP() && refs.Capabilities.Supports(capability.Sideband64k) {
		request.Progress = words
		if err := request.Capabilities.Set(capability.Sideband64k); err != nil {
			return err
		}
	}
	request.Commands = []*packp.Command{{Name: m.branch, Old: m.from, New: m.to}}
	request.Packfile = io.NopCloser(&pack)
	report, err := session.ReceivePack(ctx, request)
	switch {
	case report != nil:
		if err = report.Error(); err != nil {
			return &refusedError{reason: err.Error(), words: words.String(), base: m.from}
		}
		return nil
	case err == nil:
		return remoteError("push objects", errors.New("the remote did not say what became of the push"))
	case isRace(err.Error()):
		return &refusedError{reason: err.Error(), base: m.from}
	default:
		return remoteError("push objects", err)
	}
}

// keep stores pushed objects in the clone.
func (r *Repo) keep(w *treeWriter) error {
	s := r.objects.Load()
	for _, h := range w.added {
		o, err := w.new.EncodedObject(plumbing.AnyObject, h)
		if err != nil {
			return fmt.Errorf("keep pushed object: %w", err)
		}
		if _, err := s.SetEncodedObject(o); err != nil {
			return fmt.Errorf("keep pushed object: %w", err)
		}
	}
	return nil
}

// tail keeps the last KiB of what a remote's hooks say.
type tail struct{ buf []byte }

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	const longest = 1 << 10
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - longest; extra > 0 {
		t.buf = t.buf[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.buf), "") }
