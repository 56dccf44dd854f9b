package generator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dagwright/dag"
	"dagwright/store"
)

// finish takes prepared pushes to their end: what they render to is committed in one
// push of the DAG repository, and the results are written down in one transaction.
func (g *Generator) finish(ctx context.Context, ready []prepared) error {
	var work []change
	var results []store.PushResult
	for _, p := range ready {
		if p.change != nil {
			work = append(work, *p.change)
		}
		results = append(results, p.results...)
	}
	results = append(results, g.deliver(ctx, work)...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, r := range results {
		g.Logger.Info("push handled", "push", r.ID, "state", r.State, "dag", r.DAG, "reason", r.Reason)
		g.Handled(r)
	}
	return g.Store.FinishPushes(ctx, results)
}

// branchKey is one branch of one project.
type branchKey struct {
	project int64
	branch  string
	dry     bool // a dry run stands for no push
}

func keyOf(p store.Push) branchKey { return branchKey{p.ProjectID, p.Branch, p.Via == store.ViaDryRun} }

// byBranch groups pushes by their branch, in the order of each branch's first.
func byBranch(pushes []store.Push) [][]store.Push {
	index := map[branchKey]int{}
	var groups [][]store.Push
	for _, p := range pushes {
		key := keyOf(p)
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// change is what one push does to the DAG repository.
type change struct {
	push  store.Push
	files []fileChange
	note  string // what the push's author should know beside its outcome
}

// fileChange is one DAG's file: written, or removed when content is nil.
type fileChange struct {
	spec    store.Spec
	content []byte
	// old is the provenance of what dagwright rendered last.
	old store.Spec
	// oldPath is where the file was, when the project has moved.
	oldPath string
	note    string // as a change's
}

// prepare turns the waiting pushes of one branch into a change, and into results
// for those that need none. The branch's head decides, not the order in which
// hooks arrive: the push of the head is worked on and the others are superseded.
func (g *Generator) prepare(ctx context.Context, group []store.Push) (*change, []store.PushResult) {
	newest := group[len(group)-1]
	head, err := g.head(ctx, newest)
	if err != nil {
		return nil, g.all(group, func(p store.Push) store.PushResult { return g.later(p, err) })
	}
	settled, err := g.Store.SettledPush(ctx, newest.ProjectID, newest.Branch)
	if err != nil {
		return nil, g.all(group, func(p store.Push) store.PushResult { return g.later(p, err) })
	}
	chosen := choose(group, head)
	if chosen == nil {
		if err := g.recordHead(ctx, newest, head, settled); err != nil {
			return nil, g.all(group, func(p store.Push) store.PushResult { return g.later(p, err) })
		}
		return nil, g.all(group, supersededBy(head))
	}
	var results []store.PushResult
	for _, p := range group {
		if p.ID != chosen.ID {
			results = append(results, supersededBy(head)(p))
		}
	}
	c, result := (*change)(nil), repeated(*chosen, settled)
	if head == "" || asked(*chosen) || settled.Commit != head || settled.Project != chosen.Project {
		c, result = g.change(ctx, *chosen, head)
	}
	if c == nil {
		results = append(results, result)
	}
	return c, results
}

// head returns the commit that the push's branch is to be rendered at: its head, or
// what it was before a push that asked not to be rendered. It is "" when the branch is
// gone or the project has been archived or deleted.
func (g *Generator) head(ctx context.Context, p store.Push) (string, error) {
	state, err := g.Store.ProjectState(ctx, p.ProjectID)
	if err != nil || state != store.ProjectActive {
		return "", err
	}
	head, err := g.Models.BranchHead(ctx, reference(p), p.Branch)
	if err != nil && !errors.Is(err, dag.ErrNotFound) {
		return "", fmt.Errorf("read head of %s of %s: %w", p.Branch, p.Project, err)
	}
	if head == "" {
		return "", nil
	}
	wanted, err := g.wantedHead(ctx, p, head)
	if wanted.Commit == "" && !wanted.Gone && !p.Deleted {
		wanted.Commit = p.Commit // a push that waits before one that asks not to be rendered
	}
	return wanted.Commit, err
}

// reference names a push's project to GitLab: by its id, which stays when the
// project is renamed, where there is one.
func reference(p store.Push) string { return projectReference(p.ProjectID, p.Project) }

func projectReference(id int64, path string) string {
	if id > 0 {
		return strconv.FormatInt(id, 10)
	}
	return path
}

// choose returns the newest push of the head, nil when there is none. What
// somebody asked for is about the head, whatever it is by now. With an empty head,
// of a branch that is gone, it is the newest of all.
func choose(group []store.Push, head string) *store.Push {
	for _, p := range slices.Backward(group) {
		switch {
		case head == "", p.Commit == head && !p.Deleted:
			return &p
		case asked(p):
			p.Commit, p.Deleted = head, false
			return &p
		}
	}
	return nil
}

// asked reports whether somebody asked for a push to be rendered.
func asked(p store.Push) bool {
	return p.Via == store.ViaReplay || p.Via == store.ViaRerender || p.Via == store.ViaOverwrite ||
		p.Via == store.ViaDryRun
}

func (g *Generator) all(group []store.Push, result func(store.Push) store.PushResult) []store.PushResult {
	out := make([]store.PushResult, len(group))
	for i, p := range group {
		out[i] = result(p)
	}
	return out
}

func supersededBy(head string) func(store.Push) store.PushResult {
	reason := "the branch has moved on to " + short(head)
	if head == "" {
		reason = "the branch was deleted"
	}
	return func(p store.Push) store.PushResult {
		return store.PushResult{ID: p.ID, State: store.PushSuperseded, Reason: reason, Repeats: p.Repeats}
	}
}

// repeated is the result of a push of what was worked on last: a hook that came
// twice. It ends as the other one did.
func repeated(p, settled store.Push) store.PushResult {
	r := store.PushResult{
		ID: p.ID, State: settled.State, Reason: settled.Reason, DAG: settled.DAG, DAGCommit: settled.DAGCommit,
		MergeRequest: settled.MergeRequest,
	}
	if r.State == store.PushRendered {
		r.State = store.PushUnchanged
	}
	return r
}

// recordHead records the head of a branch in place of pushes that are not the
// head, unless the head was worked on last anyway.
func (g *Generator) recordHead(ctx context.Context, p store.Push, head string, settled store.Push) error {
	if settled.Commit == head {
		return nil
	}
	_, _, err := g.Store.RecordPush(ctx, store.Push{
		ProjectID: p.ProjectID, Project: p.Project, Branch: p.Branch, Before: p.Commit, Commit: head,
		User: p.User, ReceivedAt: g.Now(), Via: store.ViaReconciler,
	})
	if err != nil {
		return fmt.Errorf("record head %s: %w", head, err)
	}
	return nil
}

// change makes the change of the push of a branch's head, or a result when
// there is nothing to commit.
func (g *Generator) change(ctx context.Context, p store.Push, head string) (*change, store.PushResult) {
	c, err := g.render(ctx, p, head)
	var wait *waitError
	switch {
	case errors.As(err, &wait):
		return nil, g.waiting(p, wait)
	case errors.Is(err, dag.ErrInvalid), errors.Is(err, dag.ErrConflict):
		return nil, store.PushResult{ID: p.ID, State: store.PushRefused, Reason: err.Error()}
	case err != nil:
		return nil, g.later(p, err)
	case p.Via == store.ViaDryRun:
		return nil, g.compare(ctx, c)
	case len(c.files) == 0:
		return nil, store.PushResult{ID: p.ID, State: store.PushSuperseded, Reason: "the branch was deleted and had no DAG",
			Repeats: p.Repeats}
	}
	return c, store.PushResult{}
}

// takes reports whether models of the project at a path are taken.
func (g *Generator) takes(project string) bool { return g.Takes == nil || g.Takes(project) }

// projectPath is the path of the push's project. Files are read by the project's id,
// while rights, folders and names go by its path, and the hook that named both may be
// forged: whoever may edit one hook can make GitLab send any body with it. So GitLab is
// asked, unless this id had a DAG under this path before.
func (g *Generator) projectPath(ctx context.Context, p store.Push, present []store.Spec) (string, error) {
	known := slices.ContainsFunc(present,
		func(s store.Spec) bool { return s.DAGCommit != "" && s.Source.Project == p.Project })
	if known || g.GitLab == nil || p.ProjectID <= 0 {
		return p.Project, nil
	}
	info, err := g.GitLab.LookUpProject(ctx, reference(p))
	if err != nil {
		return "", err
	}
	return info.Path, nil
}

// kindOf is the kind of DAG that a branch becomes; false when it becomes none.
func (g *Generator) kindOf(branch string) (Kind, bool) {
	switch {
	case branch == "":
	case branch == g.Branches.Scoring:
		return Scoring, true
	case branch == g.Branches.Retrain:
		return Retrain, true
	}
	return "", false
}

// render renders the push's DAGs, and notes the files of those that the branch
// has no more: of a branch that was deleted, of a project that was renamed, of a
// model that was taken out of its file. An empty head is a branch that is gone.
func (g *Generator) render(ctx context.Context, p store.Push, head string) (*change, error) {
	kind, ok := g.kindOf(p.Branch)
	if g.OnlyPromoted {
		return nil, fmt.Errorf(
			"this instance takes only DAGs that were promoted to it (promotion.only_promoted): push to the instance that they are promoted from: %w",
			dag.ErrInvalid)
	}
	if !ok {
		return nil, fmt.Errorf("branch %q makes no DAG: %w", p.Branch, dag.ErrInvalid)
	}
	present, err := g.Store.SpecsOf(ctx, p.ProjectID, p.Branch)
	if err != nil {
		return nil, err
	}
	old := map[dag.ID]store.Spec{}
	for _, s := range present {
		old[s.DAG] = s
	}
	if head != "" {
		if p.Project, err = g.projectPath(ctx, p, present); err != nil {
			return nil, err
		}
		if !g.takes(p.Project) {
			return nil, fmt.Errorf(
				"project %s is in none of the groups and projects whose models this instance takes (gitlab.groups, gitlab.projects): %w",
				p.Project, dag.ErrInvalid)
		}
	}
	c := &change{push: p}
	if head != "" {
		request := Request{Project: p.Project, ProjectID: p.ProjectID, Branch: p.Branch, Commit: p.Commit, Kind: kind}
		if c.files, c.note, err = g.renderFiles(ctx, request, p.Via, old); err != nil {
			return nil, err
		}
	}
	for _, f := range c.files {
		delete(old, f.spec.DAG)
	}
	for _, s := range present {
		if _, gone := old[s.DAG]; gone {
			c.files = append(c.files, fileChange{spec: s, old: s})
		}
	}
	return c, nil
}

// renderFiles renders all models of the repository.
func (g *Generator) renderFiles(ctx context.Context, r Request, via string,
	old map[dag.ID]store.Spec) (files []fileChange, note string, err error) {
	project := projectReference(r.ProjectID, r.Project)
	source, err := g.modelSource(ctx, project, r.Commit)
	if err != nil {
		return nil, "", err
	}
	model, err := ParseModel(ModelFile, source, g.Instance)
	if err != nil {
		return nil, "", err
	}
	var notes []string
	if source == nil {
		notes = append(notes, g.goneNote(ctx, project, old))
	}
	if err := g.awaitPipeline(ctx, r, model); err != nil {
		return nil, "", err
	}
	wait := g.Registry != nil && or(model.WaitFor, g.Instance.WaitFor) == WaitImage && via != store.ViaDryRun
	filter := &pathFilter{models: g.Models, project: project, head: r.Commit, off: via == store.ViaReplay ||
		via == store.ViaOverwrite}
	docs := g.docsOf(ctx, project)
	stays := func(e Entry) (bool, error) {
		id, err := DAGID(e.Request(r))
		if err != nil {
			return false, err
		}
		commit, err := filter.commit(ctx, e, old[id])
		return commit != r.Commit, err
	}
	if err := g.checkFolders(ctx, r, model, stays); err != nil {
		return nil, "", err
	}
	for _, e := range model.Split() {
		request := e.Request(r)
		id, err := DAGID(request)
		if err != nil {
			return nil, "", err
		}
		if request.Commit, err = filter.commit(ctx, e, old[id]); err != nil {
			return nil, "", err
		}
		if request.Docs, err = e.Model.ReadDocs(r.Kind, docs(request.Commit)); err != nil {
			return nil, "", err
		}
		f, err := g.renderFile(ctx, request, e.Model, old[id], wait)
		if err != nil {
			return nil, "", err
		}
		files, notes = append(files, f), append(notes, f.note)
	}
	notes = slices.DeleteFunc(notes, func(note string) bool { return note == "" })
	return files, strings.Join(notes, "\n"), nil
}

// renderFile renders one DAG and claims its name. It returns a waitError as long as
// an image is to be waited for.
func (g *Generator) renderFile(ctx context.Context, r Request, m Model, old store.Spec, wait bool) (fileChange, error) {
	rendered, err := Render(r, m, g.Templates, g.Instance)
	if err != nil {
		return fileChange{}, err
	}
	if wait {
		if err := g.awaitImages(ctx, rendered.Images); err != nil {
			return fileChange{}, err
		}
	}
	spec := store.Spec{
		DAG: rendered.DAG, ProjectID: r.ProjectID, Path: rendered.Path,
		Source:   dag.Source{Project: r.Project, Branch: r.Branch, Commit: r.Commit},
		Template: rendered.Template, TemplateDigest: rendered.Digest,
		Content: string(rendered.Content), Model: r.Model, ModelPath: r.ModelPath,
	}
	if old.DAG == "" {
		claim := spec
		claim.Content = "" // nothing is written yet
		if err := g.Store.ClaimSpec(ctx, claim); err != nil {
			return fileChange{}, err
		}
	}
	f := fileChange{spec: spec, content: rendered.Content, old: old, note: ScheduleNote(rendered, g.Now())}
	if old.Path != "" && old.Path != spec.Path {
		f.oldPath = old.Path
	}
	return f, nil
}

// pathFilter finds the models of a repository with several that a push touches.
type pathFilter struct {
	models        Models
	project, head string
	off           bool
	compared      map[string][]string // changed paths since a commit; nil when unknown
}

// commit is the commit at which an entry is rendered: the head, or the one that
// it has already when nothing of it has changed since. A comparison that GitLab
// did not make in full counts as a change.
func (f *pathFilter) commit(ctx context.Context, e Entry, old store.Spec) (string, error) {
	if f.off || e.Name == "" || e.Path == "" || old.DAGCommit == "" || old.Source.Commit == f.head {
		return f.head, nil
	}
	from := old.Source.Commit
	changed, known := f.compared[from]
	if !known {
		paths, whole, err := f.models.ChangedPaths(ctx, f.project, from, f.head)
		switch {
		case errors.Is(err, dag.ErrNotFound):
			whole = false // history was rewritten
		case err != nil:
			return "", fmt.Errorf("compare with %s: %w", short(from), err)
		}
		if !whole {
			paths = []string{e.Path}
		}
		if f.compared == nil {
			f.compared = map[string][]string{}
		}
		if whole {
			f.compared[from] = paths
		}
		changed = paths
	}
	if e.touched(changed) {
		return f.head, nil
	}
	return from, nil
}

// later postpones a push whose failure may heal: 5 s, doubled with each try, 5
// minutes at most.
func (g *Generator) later(p store.Push, err error) store.PushResult {
	return store.PushResult{ID: p.ID, State: store.PushPending, Reason: err.Error(),
		RetryAt: g.Now().Add(retryAfter(p.Tries))}
}

func (g *Generator) postpone(work []change, err error) []store.PushResult {
	results := make([]store.PushResult, len(work))
	for i, c := range work {
		results[i] = g.later(c.push, err)
	}
	return results
}

func short(commit string) string { return strings.TrimSpace(commit[:min(len(commit), 8)]) }
