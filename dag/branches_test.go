package dag_test

import (
	"slices"
	"testing"

	"dagwright/dag"
)

func TestBranches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		given dag.Branches
		names []string
	}{
		{dag.Branches{}, []string{"main", "retrain"}},
		{dag.Branches{Scoring: "production"}, []string{"production", "retrain"}},
		{dag.Branches{Retrain: "train"}, []string{"main", "train"}},
		{dag.Branches{Scoring: "a", Retrain: "b"}, []string{"a", "b"}},
	} {
		b := test.given.OrDefault()
		if !slices.Equal(b.Names(), test.names) {
			t.Errorf("%+v: %q, want %q", test.given, b.Names(), test.names)
		}
		for _, name := range []string{"", "main", "retrain", "production", "train", "a", "b", "Main", "a "} {
			if got, want := b.Has(name), slices.Contains(test.names, name); got != want {
				t.Errorf("%+v has %q: %t, want %t", b, name, got, want)
			}
		}
	}
	if (dag.Branches{}).Has("") {
		t.Error("no branch is one of none")
	}
}
