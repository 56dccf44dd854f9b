package generator

import (
	"cmp"
	"maps"
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
	// Timezone is an IANA zone, in which the schedules are meant.
	Timezone string
	// Settings count for both kinds of DAG.
	Settings
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
	Path string
	// PathAt is where the path stands in the file.
	PathAt Place
	Watch  []string
	Model  Model // without Entries
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
	Requests map[string]string `yaml:"requests"`
	Limits   map[string]string `yaml:"limits"`
}

func (r Resources) empty() bool { return len(r.Requests)+len(r.Limits) == 0 }

// ScoringModel is how a model is scored. Schedule is a cron expression, several of them, one
// a line, a preset or "none".
type ScoringModel struct {
	Settings
	Schedule string
	Command  []string
}

// RetrainModel is how a model is trained again: steps one after the other, or where any of
// them has Needs, as a graph.
type RetrainModel struct {
	Settings
	Schedule string
	Steps    []Step
}

// Step is one task of a retraining. Command is "python retrain.py <task_id>"
// when empty.
type Step struct {
	ID      dag.TaskID
	Command []string
	// Needs are the tasks that come before; nil says nothing, and then the one before in
	// the file does, unless another step says something.
	Needs       []dag.TaskID
	TriggerRule dag.TriggerRule
	TaskSettings
}

// ParseModel reads a model's file; an empty one, or none at all, is a model that
// says nothing. file is its name for errors. The error is a dag.SpecErrors that
// holds every fault of the file with its line and column.
//
// Model authors are many and not trusted with the cluster, so the file can
// choose only what Model has, and what it chooses is checked here: schedules by
// the instance's CheckSchedule, all else by rules that hold everywhere.
func ParseModel(file string, source []byte, inst Instance) (Model, error) {
	r := &modelReader{file: file, inst: inst}
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
	var models *field
	r.keys(n, r.top(m, &models))
	if models != nil {
		m.Entries = r.entries(models, *m)
	}
	if len(m.Entries) == 0 {
		r.checkLayers(m)
	}
}

// top are the readers of the file's own keys. What stands under "models" is read last.
func (r *modelReader) top(m *Model, models **field) map[string]func(*field) {
	readers := r.settings(m)
	readers["models"] = func(f *field) { *models = f }
	return readers
}

// settings are the readers of what may be said of any model.
func (r *modelReader) settings(m *Model) map[string]func(*field) {
	readers := map[string]func(*field){
		"owner": func(f *field) {
			if m.Owner = r.name(f); m.Owner != "" {
				m.OwnerAt = Place{f.line, f.column}
			}
		},
		"timezone":    func(f *field) { m.Timezone = r.timezone(f) },
		"params":      func(f *field) { m.Params = r.params(f) },
		"wait_for":    func(f *field) { m.WaitFor = r.waitFor(f) },
		"wait_stages": func(f *field) { m.WaitStages = r.words(f) },
		"scoring":     func(f *field) { r.keys(f, r.scoring(&m.Scoring)) },
		"retrain":     func(f *field) { r.keys(f, r.retrain(&m.Retrain)) },
	}
	maps.Copy(readers, r.common(&m.Settings))
	return readers
}

func (r *modelReader) scoring(s *ScoringModel) map[string]func(*field) {
	readers := r.common(&s.Settings)
	readers["pod"] = func(f *field) { r.pod(f, &s.TaskSettings) }
	readers["schedule"] = func(f *field) { s.Schedule = r.schedule(f) }
	readers["command"] = func(f *field) {
		s.Command = r.command(f)
		s.say("command", f)
	}
	return readers
}

func (r *modelReader) retrain(t *RetrainModel) map[string]func(*field) {
	readers := r.common(&t.Settings)
	readers["pod"] = func(f *field) { r.pod(f, &t.TaskSettings) }
	readers["schedule"] = func(f *field) { t.Schedule = r.schedule(f) }
	readers["tasks"] = func(f *field) { t.Steps = r.steps(f) }
	return readers
}
