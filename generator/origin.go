package generator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/gitrepo"
)

// Origin is the DAG repository that promoted specs come from, as the instance sees
// it that accepts no others.
type Origin struct {
	// Repo is a clone of it, and Project its GitLab path.
	Repo    *gitrepo.Repo
	Project string
	// Overlay is the one that promotions are made with.
	Overlay Overlay

	mu       sync.Mutex // guards what follows, and lets fetches take turns
	failure  error      // of the last fetch
	failedAt time.Time
}

// failurePause is for how long an origin that did not answer is not asked again: a
// repository may have a thousand specs to check.
const failurePause = 5 * time.Second

// fetch brings the clone up to date and returns the head.
func (o *Origin) fetch(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil && time.Since(o.failedAt) < failurePause {
		return "", o.failure
	}
	head, err := o.Repo.Fetch(ctx)
	if err != nil {
		err = fmt.Errorf("fetch %s: %w", o.Project, err)
	}
	o.failure, o.failedAt = err, time.Now()
	return head, err
}

// Check says why a spec did not come by promotion, nil when it did: it names a
// commit of the origin's branch, and is, byte for byte, what promoting that
// commit's file of the same path gives. A fault of the spec is a *dag.SpecError or
// a dag.ErrInvalid; any other error says that the origin could not be asked, so
// that nothing is known. defaults are the files of defaults that apply to the spec.
func (o *Origin) Check(ctx context.Context, path string, content []byte, defaults []string) error {
	if len(defaults) > 0 {
		return o.refuse(path, "%s changes it, and did not come by promotion: remove that file", strings.Join(defaults, ", "))
	}
	dags, err := dag.Parse(path, content)
	if err != nil {
		return err
	}
	var project, commit string
	if len(dags) == 1 {
		project, commit = dags[0].PromotedFrom()
	}
	switch {
	case commit == "":
		return o.refuse(path,
			"it did not come by promotion, and this instance takes nothing else: promote the DAG from %s and merge the merge request",
			o.Project)
	case project != o.Project:
		return o.refuse(path, "it says that it was promoted from %.200s; this instance takes promotions from %s alone",
			project, o.Project)
	case !commitPattern.MatchString(commit):
		return o.refuse(path, "it says that it was promoted from commit %.80q, which is not a full hash", commit)
	}
	if err := o.hasCommit(ctx, path, commit); err != nil {
		return err
	}
	source, err := o.Repo.ReadFile(commit, path, maxSpecSize)
	if errors.Is(err, dag.ErrNotFound) || errors.Is(err, dag.ErrInvalid) {
		return o.refuse(path, "it says that it was promoted from %s at %s, where there is no such file", o.Project,
			short(commit))
	}
	if err != nil {
		return err
	}
	want, err := Promote(path, source, o.Overlay, project+"@"+commit)
	if err != nil {
		return o.refuse(path, "%s at %s cannot be promoted: %v", o.Project, short(commit), err)
	}
	return o.same(path, commit, content, want)
}

// refuse is a fault of a whole file.
func (o *Origin) refuse(path, format string, args ...any) error {
	return &dag.SpecError{File: path, Reason: fmt.Sprintf(format, args...)}
}

// hasCommit checks that a commit is part of the origin's branch. It fetches only
// when the clone does not know the commit: what was proved once needs no origin
// that answers.
func (o *Origin) hasCommit(ctx context.Context, path, commit string) error {
	head, err := o.Repo.Head()
	if err != nil {
		return err
	}
	known := false
	if head != "" {
		if known, err = o.reaches(head, commit); err != nil {
			return err
		}
	}
	if !known {
		if head, err = o.fetch(ctx); err != nil {
			return err
		}
		if head != "" {
			if known, err = o.reaches(head, commit); err != nil {
				return err
			}
		}
	}
	if !known {
		return o.refuse(path, "it says that it was promoted from %s at %s, which the branch %s there does not have",
			o.Project, short(commit), o.Repo.Branch)
	}
	return nil
}

func (o *Origin) reaches(head, commit string) (bool, error) {
	is, err := o.Repo.Ancestor(commit, head)
	if errors.Is(err, dag.ErrNotFound) {
		return false, nil
	}
	return is, err
}

// same compares with what the promotion gives, and names the first line that is
// another.
func (o *Origin) same(path, commit string, got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	have, expected := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	line := 0
	for line < len(have) && line < len(expected) && bytes.Equal(have[line], expected[line]) {
		line++
	}
	at := func(lines [][]byte) string {
		if line < len(lines) {
			return fmt.Sprintf("%.200q", bytes.TrimSpace(lines[line]))
		}
		return "the end of the file"
	}
	return &dag.SpecError{File: path, Line: line + 1, Reason: fmt.Sprintf(
		"it was changed since it was promoted from %s at %s, or the overlay was: it has %s, a promotion gives %s", o.Project,
		short(commit), at(have), at(expected))}
}
