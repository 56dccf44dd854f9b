package dag

// Branches are the branches of model repositories that become DAGs. The zero value
// names none; [Branches.OrDefault] fills it in.
type Branches struct {
	Scoring string `yaml:"scoring"` // becomes the DAG that scores
	Retrain string `yaml:"retrain"` // becomes the DAG that trains again
}

// DefaultBranches are the branches of an instance whose configuration names no others.
func DefaultBranches() Branches { return Branches{Scoring: "main", Retrain: "retrain"} }

// OrDefault gives each branch that is not named its default name.
func (b Branches) OrDefault() Branches {
	d := DefaultBranches()
	if b.Scoring != "" {
		d.Scoring = b.Scoring
	}
	if b.Retrain != "" {
		d.Retrain = b.Retrain
	}
	return d
}

// Names lists the branches, that of scoring first.
func (b Branches) Names() []string { return []string{b.Scoring, b.Retrain} }

// Has reports whether a branch becomes a DAG.
func (b Branches) Has(branch string) bool {
	return branch != "" && (branch == b.Scoring || branch == b.Retrain)
}
