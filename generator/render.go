package generator

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
	"dagwright/templates"
)

// Kind says which DAG of a model a branch becomes.
type Kind string

// The kinds of DAG.
const (
	Scoring Kind = "scoring"
	Retrain Kind = "retrain"
)

// Request asks for the DAG of one commit of a model.
type Request struct {
	Project   string // GitLab path, such as "gbc/risk/churn-model"
	ProjectID int64
	Branch    string
	Commit    string // full hash
	Kind      Kind
	// Model names the entry of a repository with several models, and ModelPath
	// its folder; both are empty in a repository with one.
	Model, ModelPath string
	// Docs is the text of the model's Markdown file, as Model.ReadDocs gives it.
	Docs string
}

// Instance is what an installation decides for all its models.
type Instance struct {
	// Registry is the image registry's host, perhaps with a path.
	Registry string
	// ImageFormat is the image of a model that names none. Beside a model's
	// placeholders it knows {registry}.
	ImageFormat string
	// Timezone, ScoringSchedule and RetrainSchedule count where a model's file
	// is silent.
	Timezone        string
	ScoringSchedule string
	RetrainSchedule string
	// StartDate of every DAG: the same at each rendering, so that the bytes are,
	// too. With catchup off it makes no past run.
	StartDate string
	// WaitFor and WaitStages count where a model's file is silent; see Model.
	WaitFor    string
	WaitStages []string
	// Offers are what models may choose from, and the defaults of their settings.
	Offers Offers
	// CheckSchedule says what is wrong with a model's schedule, and with a
	// rendered one; nil leaves cron syntax unchecked.
	CheckSchedule func(dag.Schedule) error
	// CheckTemplate says what is wrong with a template in a model's env or command; nil
	// leaves that to CheckTask.
	CheckTemplate func(source string) error
	// CheckSecret says why the models of a project may not name a secret of the pods'
	// namespace; nil leaves that to CheckTask.
	CheckSecret func(project, secret string) error
	// CheckTask says what of a rendered task the installation does not allow; nil
	// leaves that to those who load the spec.
	CheckTask func(dag.Task) error
	// CheckVariables says which variables that its templates name a rendered DAG may not
	// read; nil leaves that to those who load the spec.
	CheckVariables func(*dag.DAG) error
	// CheckClaims says what a rendered DAG's project may not claim, such as an owner
	// that roles are given by; nil leaves that to those who load the spec.
	CheckClaims func(*dag.DAG) error
}

// DefaultInstance returns the settings that hold where an operator says nothing.
func DefaultInstance() Instance {
	return Instance{
		Registry:        "registry.example.com",
		ImageFormat:     "{registry}/{project}:{short_sha}",
		Timezone:        "UTC",
		ScoringSchedule: "0 6 * * *",
		RetrainSchedule: "0 3 1 * *",
		StartDate:       "2024-01-01",
		WaitFor:         WaitNone,
		WaitStages:      []string{"build"},
		Offers: Offers{Defaults: Defaults{
			Retries: 1, RetryDelay: Duration(5 * time.Minute), Timeout: Duration(24 * time.Hour),
		}},
	}
}

// Rendered is a DAG spec, ready to be committed.
type Rendered struct {
	DAG      dag.ID
	Path     string // in the DAG repository
	Content  []byte
	Template string   // its file name
	Digest   string   // of the template, SHA-256 in hexadecimal
	Images   []string // that its tasks run, each once
	Defines  *dag.DAG // what Content says
}

// DAGID returns the id of the DAG that a request asks for: the last segment of
// the project's path, or the name of one of its several models, with "-retrain"
// for a retraining. The error is dag.ErrInvalid and names the project.
func DAGID(r Request) (dag.ID, error) {
	if err := checkProject(r.Project); err != nil {
		return "", err
	}
	id := or(r.Model, path.Base(r.Project))
	if r.Kind == Retrain {
		id += "-retrain"
	}
	if err := dag.CheckID(id); err != nil {
		return "", fmt.Errorf("project %.80q: %w", r.Project, err)
	}
	return dag.ID(id), nil
}

// segment is one part of a GitLab path.
var segment = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`)

// checkProject checks a GitLab path: a group at least, and no segment that
// would lead elsewhere in the DAG repository.
func checkProject(project string) error {
	parts := strings.Split(project, "/")
	ok := len(project) <= maxText && len(parts) >= 2
	for _, p := range parts {
		ok = ok && segment.MatchString(p) && strings.Trim(p, ".") != "" && !strings.EqualFold(p, ".git")
	}
	if !ok {
		return fmt.Errorf("project %.80q is not a GitLab path such as gbc/risk/churn-model: %w", project, dag.ErrInvalid)
	}
	return nil
}

var commitPattern = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

func checkRequest(r Request) error {
	switch {
	case r.Kind != Scoring && r.Kind != Retrain:
		return fmt.Errorf("kind %.40q: want scoring or retrain: %w", r.Kind, dag.ErrInvalid)
	case !commitPattern.MatchString(r.Commit):
		return fmt.Errorf("commit %.80q is not a full hash: %w", r.Commit, dag.ErrInvalid)
	case r.Branch == "" || len(r.Branch) > 250 || strings.ContainsFunc(r.Branch, unprintable):
		return fmt.Errorf("branch %.80q is not a branch name: %w", r.Branch, dag.ErrInvalid)
	}
	return nil
}

// Render makes the spec of a model's commit. It is pure: the same arguments give
// the same bytes. What it returns can be loaded and defines exactly the DAG that
// was asked for; else the error, a dag.ErrInvalid, names the template or the
// model's file.
func Render(r Request, m Model, set *templates.Set, inst Instance) (Rendered, error) {
	id, err := DAGID(r)
	if err != nil {
		return Rendered{}, err
	}
	if err := checkRequest(r); err != nil {
		return Rendered{}, err
	}
	if err := checkPlace(r, id, specPath(r, id)); err != nil {
		return Rendered{}, err
	}
	t := set.For(or(r.Model, r.Project), r.Kind == Retrain)
	data, err := newSpecData(r, m, inst)
	if err != nil {
		return Rendered{}, err
	}
	data.DAG, data.Template = string(id), t.Name+"@sha256:"+t.Digest
	content, err := t.Execute(data)
	if err != nil {
		return Rendered{}, templateError(t.Name, err)
	}
	out := Rendered{
		DAG: id, Path: specPath(r, id),
		Content: content, Template: t.Name, Digest: t.Digest,
	}
	d, err := check(out, r, m, inst)
	if t.BuiltIn {
		err = whereSaid(err, id, data.Tasks)
	}
	if err != nil {
		return out, err
	}
	out.Defines = d
	for _, t := range d.Tasks {
		if !slices.Contains(out.Images, t.Image) {
			out.Images = append(out.Images, t.Image)
		}
	}
	return out, nil
}

// specPath is where a DAG's file stands: beside those of the project's group, or
// in a folder of the project's own when it has several models.
func specPath(r Request, id dag.ID) string {
	folder := path.Dir(r.Project)
	if r.Model != "" {
		folder = r.Project
	}
	return path.Join("dags", folder, string(id)+".yaml")
}

func templateError(name string, err error) error {
	var fault *templates.Error
	if errors.As(err, &fault) {
		return &dag.SpecError{File: fault.File, Line: fault.Line, Reason: fault.Reason}
	}
	return &dag.SpecError{File: name, Reason: err.Error()}
}

// check loads the rendered spec. A fault of it is the template's or, for a
// schedule, the instance's: ParseModel has found the model's own.
func check(out Rendered, r Request, m Model, inst Instance) (*dag.DAG, error) {
	where := "template " + out.Template
	dags, err := dag.Parser{
		CheckSchedule: inst.CheckSchedule, CheckTask: inst.CheckTask, CheckDAG: inst.CheckVariables,
	}.Parse(out.Path, out.Content)
	if err != nil {
		return nil, fmt.Errorf("%s, or what %s says, gives a spec that cannot be loaded: %w", where, ModelFile, err)
	}
	if len(dags) != 1 || dags[0].ID != out.DAG {
		return nil, &dag.SpecError{File: out.Template, Reason: fmt.Sprintf("it must define the DAG %s and no other", out.DAG)}
	}
	want := dag.Source{Project: r.Project, Branch: r.Branch, Commit: r.Commit}
	if dags[0].Source != want {
		return nil, &dag.SpecError{File: out.Template,
			Reason: "its tasks must have the annotations dagwright/project, dagwright/ref and dagwright/commit"}
	}
	if inst.CheckClaims != nil {
		if err := inst.CheckClaims(dags[0]); err != nil {
			return nil, claimError(err, out, m, dags[0].Tags, inst.kind(m, r.Kind))
		}
	}
	return dags[0], nil
}

// claimError is an owner that the model's file or its project's path asks for, or a tag
// that the file or the template does.
func claimError(err error, out Rendered, m Model, tags []string, all Settings) error {
	var fault *dag.SpecError
	if !errors.As(err, &fault) {
		return fmt.Errorf("%w: %w", err, dag.ErrInvalid)
	}
	named := *fault
	if said := tagSaid(fault, tags, all); said != nil {
		return said
	}
	if !strings.HasSuffix(fault.Path, "owner") {
		named.File = "template " + out.Template
		return &named
	}
	named.File, named.Path, named.Line, named.Column = ModelFile, "owner", m.OwnerAt.Line, m.OwnerAt.Column
	if m.Owner == "" {
		named.Reason = "is left out, so that it is the first group of the project's path: " + fault.Reason
	}
	return &named
}
