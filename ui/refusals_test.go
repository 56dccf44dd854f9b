package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// pushed records a push of a branch and what happened to it.
func (s *site) pushed(project, branch, commit string, state store.PushState, reason string) int64 {
	s.Helper()
	id, _, err := s.store.RecordPush(s.Context(),
		store.Push{ProjectID: int64(len(project)), Project: project, Branch: branch, Commit: commit, Title: "Change",
			ReceivedAt: now})
	if err != nil {
		s.Fatal(err)
	}
	if err := s.store.FinishPushes(s.Context(), []store.PushResult{{ID: id, State: state, Reason: reason}}); err != nil {
		s.Fatal(err)
	}
	return id
}

// TestRefusedPushIsTold wants a refused push where somebody looks who knows only DAGs, as
// long as its branch stands at it, and only for people who may see the project.
func TestRefusedPushIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mine, other := newDAG("churn-model", "run_model"), newDAG("fraud-model", "run_model")
	other.Source.Project = "gbc/fraud/fraud-model"
	s.save(mine, other)
	const reason = "owner: the project may not claim the owner risk-team"
	places := []string{"/", "/import-errors", "/dags/churn-model/graph", "/dags/churn-model/details"}
	quiet := func() {
		t.Helper()
		for _, path := range append(places, "/dags/fraud-model/graph") {
			s.get(http.StatusOK, path).lacks(t, reason, "rejected", "Rejected", "push-")
		}
	}
	quiet()
	s.pushed(mine.Source.Project, "main", "c1", store.PushRefused, reason)
	s.pushed(mine.Source.Project, "retrain", "c2", store.PushRefused, "of another DAG\nand of one more")
	link := `href="/models?project=gbc%2Frisk%2Fchurn+model&state=refused#push-1"`
	s.get(http.StatusOK, "/").wants(t, "2 pushes to models were rejected", link, `title="`+reason+`"`, "push rejected")
	s.get(http.StatusOK, "/import-errors").wants(t, mine.Source.Project, "main", reason, "of another DAG", link)
	s.get(http.StatusOK, "/import-errors").lacks(t, "All files are valid")
	s.get(http.StatusOK, "/import-errors").wants(t, "Rejected pushes", "<li>of another DAG</li><li>and of one more</li>")
	s.sync(store.Sync{Commit: "broken",
		Changed: []store.SpecFile{{Path: "dags/broken.yaml",
			Errors: dag.SpecErrors{{File: "dags/broken.yaml", Reason: "broken"}}}}})
	if p := s.get(http.StatusOK, "/import-errors"); strings.Index(p.source, "dags/broken.yaml") > strings.Index(p.source,
		"Rejected pushes") {
		t.Error("the broken files do not stand under their own heading")
	}
	s.sync(store.Sync{Commit: "whole", Removed: []string{"dags/broken.yaml"}})
	for _, path := range places[2:] {
		p := s.get(http.StatusOK, path)
		p.wants(t, "The last push to main was rejected", reason, link, `data-live-project="`+mine.Source.Project+`"`)
		p.lacks(t, "of another DAG")
	}
	s.get(http.StatusOK, "/dags/fraud-model/graph").lacks(t, "rejected")
	// Somebody who sees the other project alone hears nothing of it.
	s.echo.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			scope := store.Scope{Any: []store.Selection{{Projects: []string{"gbc/fraud"}}, {DAGs: []string{"fraud-*"}}}}
			if c.Request().Header.Get("X-Team") != "" {
				c.SetRequest(c.Request().WithContext(store.WithScope(c.Request().Context(), scope)))
			}
			return next(c)
		}
	})
	for _, path := range []string{"/", "/import-errors", "/dags/fraud-model/graph"} {
		r := newGet(path)
		r.Header.Set("X-Team", "fraud")
		w := s.do(r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d", path, w.Code)
		}
		checkPage(t, path, w).lacks(t, reason, "refused")
	}
	s.pushed(mine.Source.Project, "retrain", "c4", store.PushRemoved, "")
	s.pushed(mine.Source.Project, "main", "c3", store.PushRendered, "")
	quiet()
}
