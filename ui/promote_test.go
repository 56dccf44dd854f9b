package ui

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"dagwright/store"
)

// TestPromote goes from the details of a DAG to its merge request: first the
// comparison, then the button, and never what was not compared.
func TestPromote(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	const page = "/dags/churn-model/promote"
	s.get(http.StatusOK, "/dags/churn-model/details").wants(t, "Promote to gbc/airflow-prod")
	p := s.get(http.StatusOK, page)
	p.wants(t, "Promote version 1 to gbc/airflow-prod", "First compare: see what would change there.", "Compare")
	p.lacks(t, "Open the merge request")

	finish := func(r store.PromotionResult) {
		t.Helper()
		due, _, err := s.store.PendingPromotions(t.Context(), time.Now())
		if err != nil || len(due) != 1 {
			t.Fatalf("pending promotions: %+v, %v", due, err)
		}
		r.ID = due[0].ID
		if err := s.store.FinishPromotion(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	s.posted(page, url.Values{"version": {"1"}, "step": {"compare"}}, page)
	finish(store.PromotionResult{State: store.PromotionPending, Reason: "nobody answers", RetryAt: time.Now()})
	s.get(http.StatusOK, page).wants(t, "It is being compared", "The last try failed: nobody answers")
	finish(store.PromotionResult{State: store.PromotionCompared,
		Reason: "--- a\n+++ b\n@@ -1 +1 @@\n-<b>old</b>\n+namespace: models-prod\n"})
	p = s.get(http.StatusOK, page)
	p.wants(t, "Open the merge request", "+namespace: models-prod", "-<b>old</b>")

	s.posted(page, url.Values{"version": {"1"}, "step": {"propose"}}, page)
	finish(store.PromotionResult{State: store.PromotionProposed,
		MergeRequest: "https://gitlab.example.com/gbc/airflow-prod/-/merge_requests/7"})
	for _, at := range []string{page, "/dags/churn-model/details"} {
		p = s.get(http.StatusOK, at)
		p.wants(t, "merge request open", "alice", "https://gitlab.example.com/gbc/airflow-prod/-/merge_requests/7")
	}

	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
	}{
		"an older version": {page, url.Values{"version": {"2"}, "step": {"propose"}}, http.StatusConflict},
		"no version":       {page, url.Values{"step": {"propose"}}, http.StatusUnprocessableEntity},
		"an unknown DAG":   {"/dags/x/promote", url.Values{"version": {"1"}}, http.StatusNotFound},
	} {
		if w := s.post(c.path, c.form, ""); w.Code != c.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.status)
		}
	}
}

func TestNoPromotionWithoutTarget(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server.PromotesTo = ""
	s.save(newDAG("churn-model", "run_model"))
	s.get(http.StatusOK, "/dags/churn-model/details").lacks(t, "Promote")
	s.get(http.StatusNotFound, "/dags/churn-model/promote")
	if w := s.post("/dags/churn-model/promote", url.Values{"version": {"1"}}, ""); w.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", w.Code)
	}
}
