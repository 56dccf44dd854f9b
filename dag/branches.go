package dag

import (
	"fmt"
	"strings"
)

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

// Refuse says that a branch becomes no DAG, and which ones do.
func (b Branches) Refuse(branch string) string {
	return fmt.Sprintf("branch %.200q becomes no DAG; want %s", branch, strings.Join(b.Names(), " or "))
}

// CheckBranchName wants a branch as people call it, such as "main": not Git's reference to it,
// nor HEAD. What else a name must not have is Git's rule.
func CheckBranchName(name string) error {
	plain, isRef := strings.CutPrefix(name, "refs/heads/")
	switch {
	case isRef && plain != "":
		return fmt.Errorf("is %.200q, Git's reference to a branch; write %.200s", name, plain)
	case strings.HasPrefix(name, "refs/"), name == "HEAD":
		return fmt.Errorf("is %.200q, which is not a branch; want its name, such as main", name)
	}
	return nil
}

// Has reports whether a branch becomes a DAG.
func (b Branches) Has(branch string) bool {
	return branch != "" && (branch == b.Scoring || branch == b.Retrain)
}
