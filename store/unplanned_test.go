package store_test

import (
	"testing"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestUnreadableDAG breaks a stored definition. Its neighbour is shown and planned as
// before; the broken DAG is shown, too, and its run can be ended.
func TestUnreadableDAG(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		first := openStore(t, dsn)
		saveDAGs(t, first, "bad", "good")
		run, err := first.TriggerRun(ctx, store.Trigger{DAG: "bad"})
		if err != nil {
			t.Fatal(err)
		}
		closeStore(t, first)
		rawExec(t, dsn, `UPDATE dag_version SET definition = '{' WHERE dag_id = 'bad'`)
		s := storetest.Open(t, store.Config{DSN: dsn})
		var seen store.Snapshot
		if _, err := s.Advance(ctx, []dag.ID{"bad", "good"},
			func(sn store.Snapshot) []store.Action { seen = sn; return nil }); err != nil {
			t.Fatal(err)
		}
		if len(seen.DAGs) != 1 || seen.DAGs[0].DAG.ID != "good" || seen.Unreadable["bad"] == nil {
			t.Errorf("snapshot = %+v, want good, and bad as unreadable", seen)
		}
		for _, reason := range []string{"first", "again", "again"} {
			if err := s.SetUnplanned(ctx, "bad", reason); err != nil {
				t.Fatal(err)
			}
		}
		rows, _, err := s.DAGs(ctx, store.DAGFilter{})
		if err != nil || len(rows) != 2 || !rows[0].Unplanned || rows[0].ImportError || rows[1].Unplanned {
			t.Errorf("rows = %+v, %v; want bad to be unplanned and good not", rows, err)
		}
		faults, total, err := s.ImportErrors(ctx, 10, 0)
		if err != nil || total != 1 || faults[0].Unplanned != "bad" || faults[0].Errors[0].Reason != "again" {
			t.Errorf("import errors = %+v, %v", faults, err)
		}
		if err := s.SetRunState(ctx, store.Actor{User: "ada"}, "bad", run.ID, dag.RunFailed); err != nil {
			t.Errorf("end the run: %v", err)
		}
		if err := s.ClearUnplanned(ctx, "bad"); err != nil {
			t.Fatal(err)
		}
		if ids, err := s.Unplanned(ctx); err != nil || len(ids) > 0 {
			t.Errorf("unplanned = %v, %v; want none", ids, err)
		}
	})
}

// TestUnplannedGivesWayToTheFile keeps a fault of the file in place of one of a DAG in it.
func TestUnplannedGivesWayToTheFile(t *testing.T) {
	t.Parallel()
	s := storetest.OpenTest(t)
	saveDAGs(t, s, "d")
	fault := dag.SpecErrors{{File: "d.yaml", Line: 3, Reason: "no tasks"}}
	if err := s.SetUnplanned(t.Context(), "d", "broken"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveDAGs(t.Context(),
		store.Sync{Commit: "c2", Changed: []store.SpecFile{{Path: "d.yaml", Errors: fault}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetUnplanned(t.Context(), "d", "broken"); err != nil {
		t.Fatal(err)
	}
	row, err := s.DAG(t.Context(), "d")
	if err != nil || !row.ImportError || row.Unplanned {
		t.Errorf("row = %+v, %v; want the file's fault", row, err)
	}
}
