package auth_test

import (
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

func TestParseRules(t *testing.T) {
	t.Parallel()
	got, err := auth.ParseRules("rules.yml", []byte(`
rules:
  - {groups: [platform], role: admin}
  - groups: risk-team
    claims: {department: [risk, fraud]}
    role: operator
    dags: {projects: [/gbc/risk/], ids: ["churn-*"], owners: [risk-team], tags: [scoring], labels: ["team=risk"]}
  - {service_accounts: ["models/*"], role: operator}
  - {everyone: true, role: viewer}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Rules{
		{Groups: []string{"platform"}, Role: dag.RoleAdmin},
		{
			Groups: []string{"risk-team"}, Claims: map[string][]string{"department": {"risk", "fraud"}}, Role: dag.RoleOperator,
			DAGs: &store.Selection{Projects: []string{"gbc/risk"}, DAGs: []string{"churn-*"}, Owners: []string{"risk-team"},
				Tags: []string{"scoring"}, Labels: []string{"team=risk"}},
		},
		{ServiceAccounts: []string{"models/*"}, Role: dag.RoleOperator},
		{Everyone: true, Role: dag.RoleViewer},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestBrokenRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"empty":   {"", "rules.yml: the file is empty"},
		"no YAML": {"rules: [", "rules.yml: yaml:"},
		"a list":  {"- {role: admin}", "rules.yml:1:1: want a mapping with the keys rules"},
		"unknown key": {"rules:\n  - {group: [a], role: admin}",
			`rules.yml:2:6: rules[0]: unknown key "group"; did you mean "groups"?`},
		"another key": {"rules: []\nroles: []", `rules.yml:2:1: unknown key "roles"; did you mean "rules"?`},
		"twice":       {"rules:\n  - {role: admin, groups: [a], role: viewer}", "stands here twice"},
		"role": {"rules:\n  - groups: [a]\n    role: root",
			`rules.yml:3:11: rules[0].role: "root" is not a role; want viewer, operator or admin`},
		"role none":       {"rules:\n  - {groups: [a], role: none}", `"none" is not a role`},
		"no role":         {"rules:\n  - {groups: [a]}", "want a role"},
		"nobody":          {"rules:\n  - {role: admin}", "the rule names nobody"},
		"nobody, by list": {"rules:\n  - {groups: [], role: admin}", "want a list with at least one text"},
		"an empty group":  {"rules:\n  - {groups: [\"\"], role: admin}", "want a text that is not empty"},
		"a null group":    {"rules:\n  - {groups: [~], role: admin}", "want a text that is not empty"},
		"everyone false":  {"rules:\n  - {everyone: false, role: admin}", "want true, or leave the key out"},
		"everyone and":    {"rules:\n  - {everyone: true, groups: [a], role: admin}", "everyone cannot stand beside"},
		"accounts and": {"rules:\n  - {service_accounts: [a/b], groups: [a], role: admin}",
			"service_accounts cannot stand beside"},
		"an account":  {"rules:\n  - {service_accounts: [ci], role: admin}", `"ci" is not a service account`},
		"dags, empty": {"rules:\n  - {groups: [a], role: admin, dags: {}}", "selects by nothing"},
		"dags, unknown": {"rules:\n  - {groups: [a], role: admin, dags: {owner: [a]}}",
			`unknown key "owner"; did you mean "owners"?`},
		"a label": {"rules:\n  - {groups: [a], role: admin, dags: {labels: [team]}}", "is not a label; want key=value"},
	} {
		_, err := auth.ParseRules("rules.yml", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(rulesText))
	f.Add([]byte("rules:\n  - {groups: [a], claims: {b: c}, role: admin, dags: {ids: [d]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := auth.ParseRules("rules.yml", text)
		if err != nil {
			return
		}
		for _, g := range rules.Person(auth.Claims{}) {
			if g.Role > dag.RoleNone && !strings.Contains(string(text), "everyone") {
				t.Errorf("somebody without any claim is %s", g.Role)
			}
		}
	})
}

func TestRulesAreReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.yml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules: [{everyone: true, role: viewer}]")
	rules, err := auth.OpenRules(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	role := func() dag.Role {
		auth.ForgetCheck(rules)
		return auth.Identity{Grants: rules.Rules().Person(auth.Claims{})}.Role()
	}
	write("rules: [{everyone: true, role: operator}]")
	if got := role(); got != dag.RoleOperator {
		t.Errorf("after a change the role is %s", got)
	}
	write("rules: [{everyone: true, role: nonsense}]")
	if got := role(); got != dag.RoleOperator {
		t.Errorf("after a change that is broken the role is %s", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := role(); got != dag.RoleOperator {
		t.Errorf("without the file the role is %s", got)
	}
	if _, err := auth.OpenRules(file, nil); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	ids := func(ids ...string) store.Scope { return store.Scope{Any: []store.Selection{{DAGs: ids}}} }
	risk := store.Scope{Any: []store.Selection{{Projects: []string{"gbc/risk"}}}}
	all := store.Scope{All: true}
	for name, test := range map[string]struct {
		own, bound store.Scope
		want       []store.Selection
		all        bool
	}{
		"all of all":      {own: all, bound: all, all: true},
		"some of all":     {own: all, bound: ids("a"), want: ids("a").Any},
		"all of a team's": {own: risk, bound: all, want: risk.Any},
		"some of a team's": {own: risk, bound: ids("a", "b*"),
			want: []store.Selection{{DAGs: []string{"a", "b*"}, Projects: []string{"gbc/risk"}}}},
		"one of a pattern": {own: ids("*-retrain"), bound: ids("churn-retrain", "churn"),
			want: ids("churn-retrain").Any},
		"a narrower pattern":     {own: ids("churn-*"), bound: ids("churn-a*"), want: ids("churn-a*").Any},
		"a wider pattern":        {own: ids("churn-a*"), bound: ids("churn-*"), want: ids("churn-a*").Any},
		"patterns that meet not": {own: ids("churn-*"), bound: ids("fraud*")},
		"patterns too hard":      {own: ids("*-retrain"), bound: ids("churn*")},
		"a project as a bound":   {own: ids("a"), bound: risk},
	} {
		got := auth.Limit([]auth.Grant{{Role: dag.RoleAdmin, Scope: test.own}, {Role: dag.RoleNone, Scope: all}},
			auth.Grant{Role: dag.RoleOperator, Scope: test.bound})
		var want []auth.Grant
		if test.all || test.want != nil {
			want = []auth.Grant{{Role: dag.RoleOperator, Scope: store.Scope{All: test.all, Any: test.want}}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, id string
		want        bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*", "", true}, {"*b", "ab", true}, {"a*b", "ab", true},
		{"a*b", "a", false},
		{"a*b*c", "axbxc", true}, {"a*b*c", "axc", false}, {"a*a", "a", false}, {"*a*a*", "aa", true}, {"*a*a*", "a", false},
	} {
		if got := auth.Matches(test.pattern, test.id); got != test.want {
			t.Errorf("%q has %q: %t", test.pattern, test.id, got)
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct{ remote, forwarded, want string }{
		{"203.0.113.1:5", "198.51.100.1", "203.0.113.1"}, // no proxy of ours says so
		{"10.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"}, // what the client wrote counts not
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"[2001:db8::1]:5", "", "2001:db8::/64"},
		{"[::ffff:203.0.113.1]:5", "", "203.0.113.1"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": {test.forwarded}}}
		if got := auth.ClientAddress(r, proxies); got != test.want {
			t.Errorf("%s with %q is %s, want %s", test.remote, test.forwarded, got, test.want)
		}
	}
}
