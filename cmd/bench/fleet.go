package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/templates"
)

// renderFleet renders many projects and pushes them as one commit, in this
// process: the generator's own work without the webhook and the model
// repositories.
func renderFleet(ctx context.Context, b *bench) error {
	remote := filepath.Join(b.dir, "fleet.git")
	if err := git(ctx, ".", "init", "--quiet", "--bare", "--initial-branch=main", remote); err != nil {
		return err
	}
	repo, err := gitrepo.Open(gitrepo.Config{URL: remote, Dir: filepath.Join(b.dir, "fleet-clone.git")})
	if err != nil {
		return err
	}
	set, err := templates.Load(nil)
	if err != nil {
		return err
	}
	began := time.Now()
	changes := make([]gitrepo.Change, 0, b.n.projects)
	for i := range b.n.projects {
		r, err := renderOne(set, i)
		if err != nil {
			return err
		}
		changes = append(changes, gitrepo.Change{Path: r.Path, Content: r.Content})
	}
	rendered := time.Now()
	_, _, err = repo.Push(ctx, gitrepo.Commit{
		Message: "Render the fleet", AuthorName: "bench", AuthorEmail: "bench@localhost", When: began,
		Changes: func(string) ([]gitrepo.Change, error) { return changes, nil },
	})
	if err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("render %d projects", b.n.projects), Unit: "ms", N: b.n.projects,
		Median: ms(rendered.Sub(began))})
	b.add(figure{Name: fmt.Sprintf("push %d specs as one commit", b.n.projects), Unit: "ms", N: b.n.projects,
		Median: ms(time.Since(rendered))})
	return nil
}

func renderOne(set *templates.Set, i int) (generator.Rendered, error) {
	source := fmt.Sprintf("owner: team-%d\nscoring: {schedule: \"%d 6 * * *\"}\n", i%20, i%60)
	model, err := generator.ParseModel(generator.ModelFile, []byte(source), generator.DefaultInstance())
	if err != nil {
		return generator.Rendered{}, err
	}
	request := generator.Request{
		Project: fmt.Sprintf("gbc/team-%d/model-%d", i%20, i), ProjectID: int64(i + 1),
		Branch: "main", Commit: fmt.Sprintf("%040x", i+1), Kind: generator.Scoring,
	}
	return generator.Render(request, model, set, generator.DefaultInstance())
}

// loadSpecs starts a server whose DAG repository holds many specs and measures
// until all of them are in the API.
func loadSpecs(ctx context.Context, b *bench) error {
	home := filepath.Join(b.dir, "load")
	s, err := b.start(home)
	if err != nil {
		return err
	}
	if err := s.awaitDAGs(ctx, 4); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	set, err := templates.Load(nil)
	if err != nil {
		return err
	}
	files := make(map[string]string, b.n.specs)
	for i := range b.n.specs {
		r, err := renderOne(set, i)
		if err != nil {
			return err
		}
		files[r.Path] = string(r.Content)
	}
	if err := pushSpecs(ctx, filepath.Join(b.dir, "load-dags"), filepath.Join(home, "airflow-dev.git"),
		files); err != nil {
		return err
	}
	began := time.Now()
	if s, err = b.start(home); err != nil {
		return err
	}
	if err := s.awaitDAGs(ctx, 4+b.n.specs); err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("start with %d new specs → all in the API", b.n.specs), Unit: "ms", N: b.n.specs,
		Median: ms(time.Since(began))})
	mb, err := s.pss()
	if err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("memory with %d DAGs (PSS)", b.n.specs), Unit: "MB", N: 1, Median: mb})
	return s.stop()
}
