package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dagwright/dag"
)

// kindTags are set by dagwright on what it renders, and not by a model's author.
var kindTags = []string{"scoring", "retrain"}

// CheckClaims says which owner or tag of a generated DAG its project may not have, nil
// when it may have all of them. An owner or tag that any rule selects by is closed to
// models: it is for the projects that such a rule names beside it ("projects"), and
// for no others. What the DAG repository's maintainers wrote by hand has no project
// and may have any. The error is a *dag.SpecError, whose path
// is tasks[i].owner or tags[i] of the DAG.
func (r Rules) CheckClaims(d *dag.DAG) error {
	if d.Source.Project == "" {
		return nil
	}
	for owner := range strings.SplitSeq(d.Owner, ", ") {
		if reason := r.checkClaim("owner", owner, d.Source.Project); reason != "" {
			return &dag.SpecError{Path: ownerPath(d, owner), Reason: reason}
		}
	}
	for i, tag := range d.Tags {
		if slices.Contains(kindTags, tag) {
			continue
		}
		if reason := r.checkClaim("tag", tag, d.Source.Project); reason != "" {
			return &dag.SpecError{Path: fmt.Sprintf("tags[%d]", i), Reason: reason}
		}
	}
	return nil
}

// ownerPath is where a DAG's owner stands: a DAG has those of its tasks.
func ownerPath(d *dag.DAG, owner string) string {
	for i := range d.Tasks {
		if d.Tasks[i].Owner == owner {
			return fmt.Sprintf("tasks[%d].owner", i)
		}
	}
	return "owner"
}

// checkClaim says why one owner or tag is refused; "" when it is not. One that differs from a rule's by upper and lower
// case or spaces at its ends alone is taken for that one: people would.
func (r Rules) checkClaim(what, value, project string) (reason string) {
	closed := false
	var allowed []string
	for _, rule := range r {
		if rule.DAGs == nil || !slices.ContainsFunc(rule.named(what), func(v string) bool { return alike(v, value) }) {
			continue
		}
		if slices.ContainsFunc(rule.DAGs.Projects, func(path string) bool { return dag.IsOfPath(project, path) }) {
			return ""
		}
		closed = true
		for _, p := range rule.DAGs.Projects {
			if !slices.Contains(allowed, p) {
				allowed = append(allowed, p)
			}
		}
	}
	switch {
	case !closed:
		return ""
	case len(allowed) == 0:
		return fmt.Sprintf(
			"%.80q gives roles (auth rules), and no rule names projects that may have it: write another %s, or have an administrator name the project %s beside it (projects)",
			value, what, project)
	}
	return fmt.Sprintf(
		"%.80q gives roles (auth rules), and is for projects of %s alone: write another %s, or have an administrator name the project %s beside it (projects)",
		value, strings.Join(allowed, ", "), what, project)
}

// named are the owners or tags that a rule with DAGs selects by.
func (r Rule) named(what string) []string {
	if what == "owner" {
		return r.DAGs.Owners
	}
	return r.DAGs.Tags
}

func alike(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// ClaimsVersion changes whenever CheckClaims may decide otherwise; it is empty when no
// rule selects by an owner or tag.
func (r Rules) ClaimsVersion() string {
	var closed [][3][]string
	for _, rule := range r {
		if rule.DAGs != nil && len(rule.DAGs.Owners)+len(rule.DAGs.Tags) > 0 {
			closed = append(closed, [3][]string{rule.DAGs.Owners, rule.DAGs.Tags, rule.DAGs.Projects})
		}
	}
	if closed == nil {
		return ""
	}
	text, _ := json.Marshal(closed) // texts always marshal
	sum := sha256.Sum256(text)
	return ",claims:" + hex.EncodeToString(sum[:6])
}

// CheckClaims is Rules.CheckClaims by the rules in force.
func (s *Service) CheckClaims(d *dag.DAG) error {
	if s.Rules == nil {
		return nil
	}
	return s.Rules.Rules().CheckClaims(d)
}

// ClaimsVersion is Rules.ClaimsVersion of the rules in force.
func (s *Service) ClaimsVersion() string {
	if s.Rules == nil {
		return ""
	}
	return s.Rules.Rules().ClaimsVersion()
}
