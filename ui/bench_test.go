package ui

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

// BenchmarkDAGTable renders a full page of the table.
func BenchmarkDAGTable(b *testing.B) {
	s := storetest.OpenTest(b)
	e := echo.New()
	register(e, Config{Store: s})
	var sync store.Sync
	for i := range pageSize {
		d := newDAG(dag.ID(fmt.Sprintf("model-%03d", i)), "run_model")
		sync.Changed = append(sync.Changed,
			store.SpecFile{Path: string(d.ID), Blob: string(d.ID), Source: string(d.ID), DAGs: []*dag.DAG{d}})
	}
	if _, err := s.SaveDAGs(b.Context(), sync); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
