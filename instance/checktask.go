package instance

import (
	"errors"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/macro"
	"dagwright/podspec"
)

// CheckTask says what of a task is wrong whatever run it is for: what of its pod the
// instance does not allow, and its templates.
func CheckTask(pods podspec.Config) func(dag.Task) error {
	templates := macro.New()
	return func(t dag.Task) error { return faults(pods.Check(t), templates.Check(t)) }
}

// withChecks has the generator refuse at the push what CheckTask refuses, and a
// model's own templates with the place in the model's file.
func withChecks(i *generator.Instance, pods podspec.Config) {
	i.CheckTask = CheckTask(pods)
	i.CheckTemplate = macro.New().CheckText
}

// checkDAG says what of a DAG that can be loaded the instance does not take: its claims, and
// variables that it may not read.
func (a *Instance) checkDAG() func(*dag.DAG) error {
	variables := a.Variables.checker()
	return func(d *dag.DAG) error { return faults(a.auth.CheckClaims(d), variables(d)) }
}

// faults puts faults together. An error of another kind stands for all.
func faults(errs ...error) error {
	var all dag.SpecErrors
	for _, err := range errs {
		var many dag.SpecErrors
		var one *dag.SpecError
		switch {
		case err == nil:
		case errors.As(err, &many):
			all = append(all, many...)
		case errors.As(err, &one):
			all = append(all, one)
		default:
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
