package dag_test

import (
	"slices"
	"testing"

	"dagwright/dag"
)

// TestCheckBranchName takes the names of branches, and what people write instead.
func TestCheckBranchName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"main": "", "release/2026": "", "heads/main": "", "HEADS": "",
		"refs/heads/main": `is "refs/heads/main", Git's reference to a branch; write main`,
		"refs/heads/a/b":  `is "refs/heads/a/b", Git's reference to a branch; write a/b`,
		"refs/tags/v1":    `is "refs/tags/v1", which is not a branch; want its name, such as main`,
		"refs/heads/":     `is "refs/heads/", which is not a branch; want its name, such as main`,
		"HEAD":            `is "HEAD", which is not a branch; want its name, such as main`,
	} {
		got := ""
		if err := dag.CheckBranchName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

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
