package storetest

import (
	"dagwright/dag"
	"dagwright/store"
)

func testProvenance(f fixture) {
	made := func(commit string) *dag.DAG {
		d := newDAG("d", "a", "b")
		d.Source = dag.Source{Project: "g/p", Branch: "main", Commit: commit}
		for i := range d.Tasks {
			d.Tasks[i].Image = "registry/" + commit
			d.Tasks[i].Pod = map[string]any{"annotations": map[string]any{
				dag.AnnotationTemplate: "default.yaml.tmpl@sha256:abc", dag.AnnotationPromoted: "g/airflow-dev@" + commit + commit,
			}}
		}
		return d
	}
	_, err := f.Provenance(f.ctx(), "d", "")
	f.is(err, dag.ErrNotFound)
	f.save(file("d.yaml", "one", made("m1")))
	r := f.trigger("d")
	_, err = f.SaveDAGs(f.ctx(), store.Sync{Commit: "c2", Changed: []store.SpecFile{file("d.yaml", "two", made("m2"))}})
	f.ok(err)
	_, err = f.Provenance(f.ctx(), "d", "absent")
	f.is(err, dag.ErrNotFound)

	newest, err := f.Provenance(f.ctx(), "d", "")
	f.ok(err)
	if newest.SeenAt.IsZero() || newest.Run != nil || newest.Spec != nil || newest.Tries != nil {
		f.Errorf("newest version: %+v", newest)
	}
	f.equal([]any{newest.Version, newest.DAGCommit, newest.Source, newest.Path, newest.Template, newest.TemplateDigest,
		newest.PromotedProject, newest.PromotedCommit},
		[]any{2, "c2", dag.Source{Project: "g/p", Branch: "main", Commit: "m2"}, "d.yaml", "default.yaml.tmpl", "abc",
			"g/airflow-dev", "m2m2"})

	// The run stays with its version, and names every attempt's pod.
	ti := f.start(r, "a", "b")[0]
	first := ti
	first.State, first.Hostname, first.EndedAt = dag.TaskUpForRetry, "pod-1", someTime
	f.equal(len(f.act("d", store.UpdateTask{From: ti.State, FromTry: 1, Task: first})), 1)
	second := first
	second.State, second.Try, second.Hostname = dag.TaskQueued, 2, "pod-2"
	f.equal(len(f.act("d", store.UpdateTask{From: first.State, FromTry: 1, Task: second})), 1)
	f.ok(f.ClaimSpec(f.ctx(), store.Spec{DAG: "d", ProjectID: 7}))
	of, err := f.Provenance(f.ctx(), "d", r.ID)
	f.ok(err)
	f.equal([]any{of.Version, of.DAGCommit, of.Source.Commit, of.Run.ID, of.Spec == nil}, []any{1, "c1", "m1", r.ID, true})
	f.equal(of.Tries, []store.ProvenanceTry{
		{Task: "a", Try: 1, State: dag.TaskFailed, Image: "registry/m1", Host: "pod-1"},
		{Task: "a", Try: 2, State: dag.TaskQueued, Image: "registry/m1", Host: "pod-2"},
	})
}
