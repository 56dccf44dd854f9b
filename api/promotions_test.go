package api

import (
	"net/http"
	"testing"

	"dagwright/store"
)

func TestPromote(t *testing.T) {
	t.Parallel()
	f := scene(t)
	const path = "/api/v2/dags/churn-model/promote"
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"nothing", path, ``, 422},
		{"a wrong version", path, `{"version_number": 7}`, 409},
		{"no number", path, `{"version_number": "one"}`, 422},
		{"zero", path, `{"version_number": 0}`, 422},
		{"an unknown DAG", "/api/v2/dags/absent/promote", `{}`, 404},
	} {
		if status := f.do(http.MethodPost, c.path, c.body).status; status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, status, c.status)
		}
	}
	asked := f.do(http.MethodPost, path, `{"dry_run": true, "version_number": 1}`)
	dry := f.decode(asked.body)
	if asked.status != http.StatusAccepted || dry["state"] != "pending" || dry["dry_run"] != true || dry["user"] != "ann" {
		t.Fatalf("%d %v", asked.status, dry)
	}
	err := f.store.FinishPromotion(t.Context(),
		store.PromotionResult{ID: int64(dry["promotion_id"].(float64)), State: store.PromotionCompared, Reason: "+ x"})
	if err != nil {
		t.Fatal(err)
	}
	if again := f.do(http.MethodPost, path, `{}`); again.status != http.StatusAccepted ||
		f.decode(again.body)["dry_run"] != false {
		t.Errorf("%+v", again)
	}
	list := f.get("/api/v2/dags/churn-model/promotions")
	if got := ids(list, "promotions", "state"); len(got) != 2 || got[0] != "pending" || got[1] != "compared" {
		t.Errorf("promotions: %v", list)
	}
	if status := f.do(http.MethodGet, "/api/v2/dags/absent/promotions", "").status; status != http.StatusNotFound {
		t.Errorf("promotions of an unknown DAG: %d", status)
	}
}
