package instance

import (
	"strings"
	"testing"
)

// TestWhoseModelsAreTaken reads gitlab.groups and gitlab.projects. An instance that
// names neither does not start.
func TestWhoseModelsAreTaken(t *testing.T) {
	t.Parallel()
	config := func(gitlab string) string {
		return strings.Replace(minimalConfig, "groups: [gbc]", gitlab, 1)
	}
	start := func(text string) string {
		t.Helper()
		c, fault := readConfig(t, text)
		if fault != "" {
			return fault
		}
		if err := c.checkStart(); err != nil {
			return strings.ReplaceAll(err.Error(), "\n", " ")
		}
		return ""
	}
	for name, c := range map[string]struct {
		gitlab, fault string
		takes, leaves []string
	}{
		"a group": {"groups: [gbc]", "", []string{"gbc/x", "gbc/risk/x"},
			[]string{"gbc-evil/x", "eve/x", "gbc/airflow-dev"}},
		"slashes":   {"groups: [/gbc/], projects: [/ann/x]", "", []string{"gbc/x", "ann/x"}, []string{"ann/y"}},
		"a project": {"projects: [gbc/risk/x]", "", []string{"gbc/risk/x"}, []string{"gbc/risk/y", "gbc/risk/x/y"}},
		"any":       {"groups: any", "", []string{"gbc/x", "eve/x"}, []string{"gbc/airflow-dev"}},
		"group any": {"groups: [any]", "", []string{"any/x"}, []string{"gbc/x"}},
		"neither":   {"reconcile: 5m", ":6:9: gitlab.groups: want groups or projects", nil, nil},
		"empty":     {"groups: [], projects: []", ":6:51: gitlab.groups: want groups or projects", nil, nil},
		"a word": {"groups: gbc", `gitlab.groups: is "gbc"; want a list of groups, such as [gbc], or the word any`, nil,
			nil},
		"Any":        {"groups: Any", "or the word any", nil, nil},
		"a star":     {"groups: ['*']", `gitlab.groups[0]: "*" is not the path of a group`, nil, nil},
		"an id":      {"groups: [42]", `gitlab.groups[0]: "42" is not the path of a group`, nil, nil},
		"an address": {"projects: ['https://gitlab.example.com/gbc/x']", "is not the path of a project", nil, nil},
	} {
		fault := start(config(c.gitlab))
		if (c.fault == "") != (fault == "") || !strings.Contains(fault, c.fault) {
			t.Errorf("%s: fault %q, want %q", name, fault, c.fault)
			continue
		}
		parsed, _ := readConfig(t, config(c.gitlab))
		list := parsed.allowList()
		for _, p := range c.takes {
			if !list.Has(p) {
				t.Errorf("%s: %s is not taken", name, p)
			}
		}
		for _, p := range c.leaves {
			if list.Has(p) {
				t.Errorf("%s: %s is taken", name, p)
			}
		}
	}
	promotion := "promotion: {url: x.git, project: gbc/airflow-prod}\n"
	if c, fault := readConfig(t, minimalConfig+promotion); fault != "" || c.allowList().Has("gbc/airflow-prod") {
		t.Errorf("the DAG repository that is promoted to is taken for a model; %s", fault)
	}
}
