package ui

import (
	"testing"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/reason"
	"dagwright/store"
)

// TestTroubles wants every page to say what of the instance does not work, in the
// reader's language, to people with a role over the whole instance and to nobody
// else.
func TestTroubles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	troubles := []reason.Reason{reason.New(reason.KubernetesNeverAnswered)}
	s.server.Troubles = func() []reason.Reason { return troubles }
	viewer := auth.Identity{Name: "alice", Grants: []auth.Grant{{Role: dag.RoleViewer, Scope: store.Scope{All: true}}}}
	team := auth.Identity{Name: "bob", Grants: []auth.Grant{
		{Role: dag.RoleAdmin, Scope: store.Scope{Any: []store.Selection{{DAGs: []string{"churn-*"}}}}},
	}}
	const english = "This instance has a problem: " +
		"no task is started or followed: Kubernetes has not answered since dagwright started."
	read := func(who auth.Identity, path, language string) page {
		r := newGet(path)
		r.Header.Set("Accept-Language", language)
		return checkPage(t, path, s.do(r.WithContext(auth.With(r.Context(), who))))
	}
	for _, path := range []string{"/", "/models", "/dags/churn-model/runs", "/audit"} {
		read(viewer, path, "en").wants(t, english)
	}
	read(viewer, "/", "ru").wants(t, "Инстанс работает с неполадками: таски не запускаются и не отслеживаются: "+
		"после запуска dagwright Kubernetes ещё не ответил.")
	read(team, "/", "en").lacks(t, "does not work", "Kubernetes")
	troubles = nil
	read(viewer, "/", "en").lacks(t, "does not work")
}
