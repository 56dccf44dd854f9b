package generator

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"dagwright/dag"
)

// whereSaid gives the faults of a rendered spec their places in the model's file, where that
// says what they are about. What is left is of the spec.
func whereSaid(err error, id dag.ID, tasks []taskData) error {
	var faults dag.SpecErrors
	if !errors.As(err, &faults) {
		return err
	}
	var own, others dag.SpecErrors
	for _, fault := range faults {
		if said := faultSaid(fault, id, tasks); said != nil {
			own = append(own, said)
		} else {
			others = append(others, fault)
		}
	}
	switch {
	case len(own) == 0:
		return err
	case len(others) == 0:
		return own
	}
	return append(own, others...)
}

// faultSaid is a fault at its place in the model's file, nil when it has none there.
func faultSaid(fault *dag.SpecError, id dag.ID, tasks []taskData) *dag.SpecError {
	rest, ok := strings.CutPrefix(fault.Path, string(id)+".tasks[")
	index, argument, found := strings.Cut(rest, "].")
	i, err := strconv.Atoi(index)
	if !ok || !found || err != nil || i >= len(tasks) {
		return nil
	}
	for at := argument; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if said, there := tasks[i].said[at]; there {
			return &dag.SpecError{File: ModelFile, Line: said.Line, Column: said.Column,
				Path: said.Path + argument[len(at):], Reason: fault.Reason}
		}
	}
	return nil
}

// tagSaid is a claim of a tag at its place in the model's file, nil when the tag is not the
// file's. all are the settings of the DAG.
func tagSaid(fault *dag.SpecError, tags []string, all Settings) *dag.SpecError {
	rest, ok := strings.CutPrefix(fault.Path, "tags[")
	i, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if !ok || err != nil || i >= len(tags) || !slices.Contains(all.Tags, tags[i]) {
		return nil
	}
	said := all.Said["tags"]
	return &dag.SpecError{File: ModelFile, Line: said.Line, Column: said.Column, Path: or(said.Path, "tags"),
		Reason: fault.Reason}
}
