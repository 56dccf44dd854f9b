package generator

import (
	"cmp"
	"slices"

	"dagwright/dag"
)

// Model is what a model's file (.dagwright.yml) says. Everything in it may be
// absent: a zero field means that Render's defaults count.
type Model struct {
	// Owner is the team in charge; the top group of the project's path when
	// empty.
	Owner string
	// OwnerAt is where the owner stands in the file.
	OwnerAt Place
	// Image may hold the placeholders {short_sha}, {sha}, {branch} and {project};
	// the instance's ImageFormat when empty.
	Image string
	// Timezone is an IANA zone, in which the schedules are meant.
	Timezone  string
	Env       []dag.EnvVar
	Resources Resources
	// Params are the values that a run's conf may change, with their schemas.
	Params  []dag.Param
	Scoring ScoringModel
	Retrain RetrainModel
	// WaitFor is WaitPipeline, WaitImage or WaitNone; the instance's when empty. WaitStages
	// are the stages of the pipeline that matter; the instance's when nil.
	WaitFor    string
	WaitStages []string
	// Entries are the models of a repository with several. The settings above are
	// then what an entry says nothing of.
	Entries []Entry
}

// Place is a place in a model's file, both from 1; zero when the file says nothing.
type Place struct{ Line, Column int }

// Entry is one of several models in a repository.
type Entry struct {
	// Name is the DAG's name, in place of the project's.
	Name string
	// Path is the model's folder, without slashes at its ends. A push that changes
	// nothing below Path or one of Watch leaves the model at the commit that it
	// has.
	Path  string
	Watch []string
	Model Model // without Entries
}

// The values of Model.WaitFor.
const (
	// WaitImage renders a push when the registry has its images.
	WaitImage = "image"
	// WaitNone renders a push at once.
	WaitNone = "none"
	// WaitPipeline renders a push when the stages that build its image have
	// passed, so that a DAG never points to an image that does not exist.
	WaitPipeline = "pipeline"
)

// Split returns the models of the file: the entries, or the one model without a
// name that a usual repository holds.
func (m Model) Split() []Entry {
	if len(m.Entries) == 0 {
		return []Entry{{Model: m}}
	}
	return m.Entries
}

// Resources are the container's, by Kubernetes' names (cpu, memory …) and
// quantities.
type Resources struct {
	Requests map[string]string
	Limits   map[string]string
}

// ScoringModel is how a model is scored. Schedule is a cron expression, a preset
// or "none".
type ScoringModel struct {
	Schedule string
	Command  []string
}

// RetrainModel is how a model is trained again: steps one after the other.
type RetrainModel struct {
	Schedule string
	Steps    []Step
}

// Step is one task of a retraining. Command is "python retrain.py <task_id>"
// when empty.
type Step struct {
	ID      dag.TaskID
	Command []string
}

// ParseModel reads a model's file; an empty one, or none at all, is a model that
// says nothing. file is its name for errors. The error is a dag.SpecErrors that
// holds every fault of the file with its line and column.
//
// Model authors are many and not trusted with the cluster, so the file can
// choose only what Model has, and what it chooses is checked here: schedules by
// the instance's CheckSchedule, all else by rules that hold everywhere.
func ParseModel(file string, source []byte, inst Instance) (Model, error) {
	r := &modelReader{file: file}
	var m Model
	if root := r.document(source); root != nil {
		r.model(root, &m)
		r.checkSchedules(&m, inst)
		r.checkTemplates(inst)
	}
	if len(r.faults) > 0 {
		r.explainSpaces(source)
		slices.SortStableFunc(r.faults, func(a, b *dag.SpecError) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return Model{}, r.faults
	}
	return m, nil
}

func (r *modelReader) model(n *field, m *Model) {
	readers := r.settings(m)
	var models *field
	readers["models"] = func(f *field) { models = f }
	r.keys(n, readers)
	r.checkNames(m)
	if models != nil {
		m.Entries = r.entries(models, *m)
	}
}

// settings are the readers of what may be said of any model.
func (r *modelReader) settings(m *Model) map[string]func(*field) {
	return map[string]func(*field){
		"owner": func(f *field) {
			if m.Owner = r.name(f); m.Owner != "" {
				m.OwnerAt = Place{f.line, f.column}
			}
		},
		"image":       func(f *field) { m.Image = r.image(f) },
		"timezone":    func(f *field) { m.Timezone = r.timezone(f) },
		"env":         func(f *field) { m.Env = r.env(f) },
		"resources":   func(f *field) { m.Resources = r.resources(f) },
		"params":      func(f *field) { m.Params = r.params(f) },
		"wait_for":    func(f *field) { m.WaitFor = r.waitFor(f) },
		"wait_stages": func(f *field) { m.WaitStages = r.words(f) },
		"scoring": func(f *field) {
			r.keys(f, map[string]func(*field){
				"schedule": func(f *field) { m.Scoring.Schedule = r.schedule(f) },
				"command":  func(f *field) { m.Scoring.Command = r.command(f) },
			})
		},
		"retrain": func(f *field) {
			r.keys(f, map[string]func(*field){
				"schedule": func(f *field) { m.Retrain.Schedule = r.schedule(f) },
				"tasks":    func(f *field) { m.Retrain.Steps = r.steps(f) },
			})
		},
	}
}

// maxSteps bounds a retraining.
const maxSteps = 50

func (r *modelReader) steps(n *field) []Step {
	list := r.list(n)
	if len(list) > maxSteps {
		r.fault(n, "%d tasks are too many; %d at most", len(list), maxSteps)
		return nil
	}
	seen := map[dag.TaskID]bool{}
	steps := make([]Step, 0, len(list))
	for _, item := range list {
		var s Step
		before := len(r.faults)
		r.keys(item, map[string]func(*field){
			"task_id": func(f *field) { s.ID = dag.TaskID(r.taskID(f)) },
			"command": func(f *field) { s.Command = r.command(f) },
		})
		switch {
		case s.ID != "" && seen[s.ID]:
			r.fault(item, "task_id %q is there twice", s.ID)
		case s.ID == "" && before == len(r.faults):
			r.fault(item, "task_id is missing")
		}
		seen[s.ID] = true
		steps = append(steps, s)
	}
	if len(list) == 0 && n.kind == listKind {
		r.fault(n, "want at least one task, or leave the key out for the usual four")
	}
	return steps
}
