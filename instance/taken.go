package instance

import (
	"context"
	"errors"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/generator"
	"dagwright/gitlab"
)

// groupList is a list of groups, or the word "any".
type groupList struct {
	Any   bool     `yaml:"-"`
	Names []string `yaml:"-"`
}

// UnmarshalYAML reads the list or the word.
func (l *groupList) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && node.Value == "any" {
		l.Any = true
		return nil
	}
	if err := node.Decode(&l.Names); err != nil {
		return err
	}
	for i, name := range l.Names {
		l.Names[i] = strings.Trim(name, "/")
	}
	return nil
}

// allowList says which projects' models the instance takes.
func (c Config) allowList() gitlab.AllowList {
	l := gitlab.AllowList{Any: c.GitLab.Groups.Any, Groups: c.GitLab.Groups.Names,
		Except: []string{c.DAGRepository.Project}}
	for _, p := range c.GitLab.Projects {
		l.Projects = append(l.Projects, strings.Trim(p, "/"))
	}
	for _, p := range []string{c.Promotion.Project, c.Promotion.From.Project} {
		if p != "" {
			l.Except = append(l.Except, p)
		}
	}
	return l
}

// takesSome reports whether somebody has said whose models the instance takes.
func (c Config) takesSome() bool {
	return c.GitLab.Groups.Any || len(c.GitLab.Groups.Names)+len(c.GitLab.Projects) > 0
}

// projects lists the projects that may be models: those that are named, and those of
// the groups. One that GitLab does not show is part of the error, beside the others.
func (c Config) projects(ctx context.Context, client *gitlab.Client) ([]generator.Project, error) {
	allowed := c.allowList()
	var out []generator.Project
	var errs []error
	add := func(p gitlab.ProjectInfo) {
		if allowed.Has(p.Path) && !p.Archived && !p.Deleting {
			out = append(out, generator.Project{ID: p.ID, Path: p.Path})
		}
	}
	for _, group := range allowed.Groups {
		projects, err := client.GroupProjects(ctx, group)
		errs = append(errs, err)
		for _, p := range projects {
			add(p)
		}
	}
	for _, path := range allowed.Projects {
		p, err := client.LookUpProject(ctx, path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		add(p)
	}
	return out, errors.Join(errs...)
}
