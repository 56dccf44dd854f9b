package generator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// previewBatch bounds the previews that are written in one go.
const previewBatch = 50

// preview writes, on the merge requests of models that ask for it, what the DAG
// would become, until ctx ends.
func (g *Generator) preview(ctx context.Context) { g.tell(ctx, store.ChangePreview, g.previewAll) }

func (g *Generator) previewAll(ctx context.Context) {
	previews, err := g.Store.PendingPreviews(ctx, g.Now(), previewBatch)
	if err != nil {
		if ctx.Err() == nil {
			g.Logger.Error("read pending previews", "err", err)
		}
		return
	}
	for _, p := range previews {
		if ctx.Err() != nil {
			return
		}
		err := g.writePreview(ctx, p)
		retry, reason := time.Time{}, ""
		if err != nil {
			const mostTries = 10
			g.Logger.Warn("write preview", "project", p.Project, "merge_request", p.MergeRequest, "err", err)
			reason = err.Error()
			if p.Tries < mostTries {
				retry = g.Now().Add(min(5*time.Second<<p.Tries, 5*time.Minute))
			}
		}
		if err := g.Store.FinishPreview(ctx, p, retry, reason); err != nil {
			if ctx.Err() == nil {
				g.Logger.Error("finish preview", "err", err)
			}
			return
		}
	}
}

// previewMarker lets dagwright find its own note again.
const previewMarker = "<!-- dagwright preview -->"

// writePreview writes one note. A model that would be refused is said so.
func (g *Generator) writePreview(ctx context.Context, p store.Preview) error {
	if !g.takes(p.Project) {
		return nil // it was taken when the preview was asked for
	}
	project := projectReference(p.ProjectID, p.Project)
	if _, err := g.Repo.Fetch(ctx); err != nil {
		return err
	}
	text := ""
	source, err := g.modelSource(ctx, project, p.Commit)
	if err == nil {
		text, err = g.previewText(ctx, p, source)
	}
	if errors.Is(err, dag.ErrInvalid) {
		text = fmt.Sprintf("At `%s` the DAG **would be refused**:\n\n~~~\n%s\n~~~\n", short(p.Commit),
			strings.ReplaceAll(err.Error(), "~~~", "~ ~ ~"))
	} else if err != nil {
		return err
	}
	return g.GitLab.WriteNote(ctx, project, p.MergeRequest, previewMarker, text)
}

// previewText renders what the merge request's head would become on its target.
func (g *Generator) previewText(ctx context.Context, p store.Preview, source []byte) (string, error) {
	kind, ok := g.kindOf(p.Target)
	if !ok { // the configuration has changed since the preview was asked for
		return "", fmt.Errorf("branch %q makes no DAG: %w", p.Target, dag.ErrInvalid)
	}
	model, err := ParseModel(ModelFile, source, g.Instance)
	if err != nil {
		return "", err
	}
	request := Request{Project: p.Project, ProjectID: p.ProjectID, Branch: p.Target, Commit: p.Commit, Kind: kind}
	all := func(Entry) (bool, error) { return false, nil }
	if err := g.checkFolders(ctx, request, model, all); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "What the DAG becomes when `%s` is merged into `%s`:\n", short(p.Commit), p.Target)
	docs := g.docsOf(ctx, projectReference(p.ProjectID, p.Project))
	for _, e := range model.Split() {
		request := e.Request(request)
		if request.Docs, err = e.Model.ReadDocs(kind, docs(p.Commit)); err != nil {
			return "", err
		}
		rendered, err := Render(request, e.Model, g.Templates, g.Instance)
		if err != nil {
			return "", err
		}
		old, err := g.Store.Spec(ctx, rendered.DAG)
		if err != nil && !errors.Is(err, dag.ErrNotFound) {
			return "", err
		}
		if old.ProjectID != 0 && old.ProjectID != p.ProjectID {
			return "", fmt.Errorf("the DAG name %q belongs to project %s: %w", rendered.DAG, old.Source.Project, dag.ErrInvalid)
		}
		f := fileChange{spec: store.Spec{Path: rendered.Path}, content: rendered.Content}
		if old.Path != "" && old.Path != rendered.Path {
			f.oldPath = old.Path
		}
		b.WriteString("\n" + g.review(f).Markdown(g.Now()))
	}
	return b.String(), nil
}
