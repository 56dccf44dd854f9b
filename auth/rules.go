package auth

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/store"
)

// Rule gives a role to those whom it names. What it leaves out does not matter, and what
// it has must all be met: one of Groups, and for each of Claims one of its values.
type Rule struct {
	Groups []string
	Claims map[string][]string
	// ServiceAccounts of Kubernetes are "namespace/name", with "*" for any text. Such
	// a rule is for them alone.
	ServiceAccounts []string
	// Everyone who signs in.
	Everyone bool
	Role     dag.Role
	// DAGs over which they have it; every DAG when it is nil.
	DAGs *store.Selection
}

// Rules are the rules of an instance. Somebody whom no rule names may do nothing.
type Rules []Rule

// ruleKeys are the keys of a rule, and dagKeys those of its "dags".
var (
	ruleKeys = []string{"groups", "claims", "service_accounts", "everyone", "role", "dags"}
	dagKeys  = []string{"ids", "owners", "tags", "labels", "projects"}
)

// ParseRules reads a rule file: a document with the one key "rules". The error
// is a dag.SpecErrors.
func ParseRules(file string, text []byte) (Rules, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return nil, dag.SpecErrors{{File: file, Reason: "the file is empty; want the key rules with a list"}}
	}
	p := &ruleParser{file: file}
	var rules Rules
	found := false
	for key, value := range p.mapping(doc.Content[0], "", []string{"rules"}) {
		if key == "rules" {
			rules, found = p.rules(value), true
		}
	}
	if !found && len(p.faults) == 0 {
		p.fault(doc.Content[0], "", "want the key rules with a list")
	}
	return rules, p.faults.Err()
}

// ParseRuleList reads the list of rules that stands at a node of another document.
func ParseRuleList(file string, list *yaml.Node) (Rules, error) {
	p := &ruleParser{file: file}
	rules := p.rules(list)
	return rules, p.faults.Err()
}

// ruleParser collects the faults of a rule file.
type ruleParser struct {
	file   string
	faults dag.SpecErrors
}

func (p *ruleParser) fault(n *yaml.Node, where, format string, args ...any) {
	p.faults = append(p.faults,
		&dag.SpecError{File: p.file, Line: n.Line, Column: n.Column, Path: where, Reason: fmt.Sprintf(format, args...)})
}

// mapping goes through the keys of a node that must be a mapping with known ones.
func (p *ruleParser) mapping(n *yaml.Node, where string, known []string) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			p.fault(n, where, "want a mapping with the keys %s", strings.Join(known, ", "))
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			switch {
			case known != nil && !slices.Contains(known, key.Value):
				p.fault(key, where, "unknown key %q%s", key.Value, dag.DidYouMean(key.Value, known))
			case seen[key.Value]:
				p.fault(key, where, "the key %q stands here twice", key.Value)
			case !yield(key.Value, value):
				return
			}
			seen[key.Value] = true
		}
	}
}

func (p *ruleParser) rules(n *yaml.Node) (rules Rules) {
	if n.Kind != yaml.SequenceNode {
		p.fault(n, "rules", "want a list of rules")
		return nil
	}
	if len(n.Content) == 0 {
		p.fault(n, "rules",
			"the list is empty, so that nobody may do anything; want at least one rule, such as {groups: [admins], role: admin}")
	}
	for i, item := range n.Content {
		rules = append(rules, p.rule(item, fmt.Sprintf("rules[%d]", i)))
	}
	return rules
}

func (p *ruleParser) rule(n *yaml.Node, where string) (r Rule) {
	before := len(p.faults)
	for key, value := range p.mapping(n, where, ruleKeys) {
		at := where + "." + key
		switch key {
		case "groups":
			r.Groups = p.texts(value, at)
		case "service_accounts":
			r.ServiceAccounts = p.texts(value, at)
			p.patterns(value, at, r.ServiceAccounts)
		case "everyone":
			if r.Everyone = value.Value == "true"; !r.Everyone {
				p.fault(value, at, "want true, or leave the key out")
			}
		case "role":
			role, err := dag.ParseRole(value.Value)
			if err != nil || role == dag.RoleNone {
				p.fault(value, at, "%.40q is not a role; want viewer, operator or admin", value.Value)
			}
			r.Role = role
		case "claims":
			r.Claims = map[string][]string{}
			for claim, values := range p.mapping(value, at, nil) {
				r.Claims[claim] = p.texts(values, at+"."+claim)
			}
		case "dags":
			r.DAGs = p.selection(value, at)
		}
	}
	if len(p.faults) > before {
		return r
	}
	people := len(r.Groups) > 0 || len(r.Claims) > 0
	switch {
	case r.Role == dag.RoleNone:
		p.fault(n, where, "want a role: viewer, operator or admin")
	case !people && !r.Everyone && len(r.ServiceAccounts) == 0:
		p.fault(n, where, "the rule names nobody; want groups, claims, service_accounts, or everyone: true")
	case len(r.ServiceAccounts) > 0 && (people || r.Everyone):
		p.fault(n, where, "service_accounts cannot stand beside groups, claims or everyone: write a rule for each")
	case r.Everyone && people:
		p.fault(n, where, "everyone cannot stand beside groups or claims: write a rule for each")
	}
	return r
}

func (p *ruleParser) selection(n *yaml.Node, where string) *store.Selection {
	var s store.Selection
	before := len(p.faults)
	fields := map[string]*[]string{"ids": &s.DAGs, "owners": &s.Owners, "tags": &s.Tags, "labels": &s.Labels,
		"projects": &s.Projects}
	empty := true
	for key, value := range p.mapping(n, where, dagKeys) {
		*fields[key], empty = p.texts(value, where+"."+key), false
		for i, text := range *fields[key] {
			if name, _, ok := strings.Cut(text, "="); key == "labels" && (!ok || name == "") {
				p.fault(value, where+"."+key, "%.60q is not a label; want key=value", text)
			}
			if key == "projects" {
				(*fields[key])[i] = strings.Trim(text, "/")
			}
		}
	}
	if empty && len(p.faults) == before {
		p.fault(n, where, "selects by nothing; want some of %s, or leave dags out for every DAG", strings.Join(dagKeys, ", "))
	}
	return &s
}

// texts reads a list of texts, none of them empty; one alone may stand without a
// list.
func (p *ruleParser) texts(n *yaml.Node, where string) (texts []string) {
	items := n.Content
	if n.Kind == yaml.ScalarNode {
		items = []*yaml.Node{n}
	}
	if n.Kind != yaml.ScalarNode && n.Kind != yaml.SequenceNode || len(items) == 0 {
		p.fault(n, where, "want a list with at least one text")
		return nil
	}
	for _, item := range items {
		if item.Kind != yaml.ScalarNode || strings.TrimSpace(item.Value) == "" || item.Tag == "!!null" {
			p.fault(item, where, "want a text that is not empty")
			continue
		}
		texts = append(texts, item.Value)
	}
	return texts
}

func (p *ruleParser) patterns(n *yaml.Node, where string, patterns []string) {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || strings.Count(pattern, "/") != 1 {
			p.fault(n, where, "%.60q is not a service account; want namespace/name, such as models/ci", pattern)
		}
	}
}

// Person returns the grants of a person with these claims.
func (r Rules) Person(c Claims) []Grant {
	return r.grants(func(rule Rule) bool { return rule.namesPerson(c) })
}

// ServiceAccount gives the grants of a service account of Kubernetes.
func (r Rules) ServiceAccount(namespace, name string) []Grant {
	return r.grants(func(rule Rule) bool {
		return slices.ContainsFunc(rule.ServiceAccounts, func(pattern string) bool {
			ok, err := path.Match(pattern, namespace+"/"+name)
			return ok && err == nil
		})
	})
}

func (r Rules) grants(named func(Rule) bool) (grants []Grant) {
	for _, rule := range r {
		if !named(rule) {
			continue
		}
		scope := store.Scope{All: true}
		if rule.DAGs != nil {
			scope = store.Scope{Any: []store.Selection{*rule.DAGs}}
		}
		grants = append(grants, Grant{Role: rule.Role, Scope: scope})
	}
	return grants
}

func (r Rule) namesPerson(c Claims) bool {
	if r.Everyone {
		return true
	}
	if len(r.ServiceAccounts) > 0 || len(r.Groups) == 0 && len(r.Claims) == 0 {
		return false
	}
	if len(r.Groups) > 0 && !meets(r.Groups, c.Groups) {
		return false
	}
	for claim, values := range r.Claims {
		// An address that nobody has verified can be anybody's.
		if claim == "email" && !slices.Contains(c.Values("email_verified"), "true") {
			return false
		}
		if !meets(values, c.Values(claim)) {
			return false
		}
	}
	return true
}

// meets reports whether two lists have something in common.
func meets(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
