package gitlab_test

import (
	"strings"
	"testing"

	"dagwright/gitlab"
)

func TestAllowList(t *testing.T) {
	t.Parallel()
	l := gitlab.AllowList{
		Groups: []string{"gbc", "ml/risk"}, Projects: []string{"ann/churn"}, Except: []string{"gbc/airflow-dev"},
	}
	for project, want := range map[string]bool{
		"gbc/x": true, "gbc/risk/a/b": true, "ml/risk/x": true, "ann/churn": true,
		"gbc-evil/x": false, "gbc.evil/x": false, "evil/gbc/x": false, "gbcx": false, "gbc": false,
		"ml/x": false, "ml/risk": false, "ml/risk-evil/x": false, "ml/riskx/y": false,
		"ann/churn-evil": false, "ann/churn/x": false, "ann/other": false, "eve/churn": false,
		"GBC/x": true, "ml/Risk/x": true, "ann/Churn": true, // GitLab has no second group of such a name
		"gbc/airflow-dev": false, "GBC/Airflow-dev": false, "gbc/airflow-dev2": true, "": false, "/": false, "../gbc/x": false,
	} {
		if got := l.Has(project); got != want {
			t.Errorf("Has(%q) is %t, want %t", project, got, want)
		}
	}
	if (gitlab.AllowList{}).Has("gbc/x") || (gitlab.AllowList{Except: []string{"a/b"}}).Has("gbc/x") {
		t.Error("a list that names nothing takes something")
	}
	if every := (gitlab.AllowList{Any: true, Except: []string{"a/b"}}); !every.Has("eve/x") || every.Has("a/b") {
		t.Error("any takes not every project, or the DAG repository too")
	}
}

func TestAllowListIsChecked(t *testing.T) {
	t.Parallel()
	if err := (gitlab.AllowList{Groups: []string{"gbc", "gbc/risk"},
		Projects: []string{"ann/churn"}}).Check(); err != nil {
		t.Error(err)
	}
	for _, group := range []string{"", "/", "gbc/", "/gbc", "gbc/*", "*", "..", "gbc/../x",
		"https://gitlab.example.com/gbc", "42", "a b"} {
		if err := (gitlab.AllowList{Groups: []string{group}}).Check(); err == nil ||
			!strings.Contains(err.Error(), "is not the path of a group") {
			t.Errorf("group %q: %v", group, err)
		}
	}
	for _, project := range []string{"", "gbc", "gbc/", "gbc/*", "42", "gbc/x.git", "gbc/../x"} {
		if err := (gitlab.AllowList{Projects: []string{project}}).Check(); err == nil ||
			!strings.Contains(err.Error(), "is not the path of a project") {
			t.Errorf("project %q: %v", project, err)
		}
	}
}
