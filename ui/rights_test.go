package ui

import (
	"context"
	"testing"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/store"
)

// TestPagesShowWhatOneMayDo reads pages as somebody who runs one DAG, sees
// another and administers none.
func TestPagesShowWhatOneMayDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"), newDAG("fraud-model", "run_model"))
	churn, fraud := s.run("churn-model", "").ID, s.run("fraud-model", "").ID
	alice := auth.Identity{Name: "alice", Subject: "1", Via: "session", Grants: []auth.Grant{
		{Role: dag.RoleViewer, Scope: store.Scope{All: true}},
		{Role: dag.RoleOperator, Scope: store.Scope{Any: []store.Selection{{DAGs: []string{"churn-*"}}}}},
	}}
	as := func(who auth.Identity, path string) page {
		r := newGet(path)
		return checkPage(t, path, s.do(r.WithContext(auth.With(r.Context(), who))))
	}

	p := as(alice, "/")
	p.wants(t, `aria-label="Trigger churn-model"`, `aria-label="Select churn-model"`, "Your role does not allow this.")
	p.lacks(t, `aria-label="Trigger fraud-model"`, `aria-label="Select fraud-model"`, `aria-label="Delete the file of`)
	as(alice, runURL("churn-model", churn)).wants(t, "Trigger again", "Save note")
	as(alice, runURL("fraud-model", fraud)).lacks(t, "Trigger again", "Save note", "Mark success", "Clear")
	as(alice, "/dags/churn-model/runs").wants(t, "Select all runs of this page")
	as(alice, "/dags/fraud-model/runs").lacks(t, "Select all runs of this page", "Mark failed")
	as(alice, taskURL("fraud-model", fraud, "run_model")).lacks(t, `aria-label="Actions"`)

	as(alice, "/").wants(t, "alice", "operator of some DAGs", "Sign out")

	everybody := as(auth.Everybody(), "/")
	everybody.lacks(t, "alice", "Sign out", "of every DAG")
	everybody.wants(t, `aria-label="Trigger fraud-model"`, `aria-label="Delete the file of fraud-model"`)
}

// TestRolesOfMany has somebody whose roles differ from DAG to DAG.
func TestRolesOfMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("a1", "t"), newDAG("a2", "t"), newDAG("b1", "t"))
	who := auth.Identity{Name: "bob", Grants: []auth.Grant{
		{Role: dag.RoleOperator, Scope: store.Scope{Any: []store.Selection{{DAGs: []string{"a*"}}}}},
		{Role: dag.RoleAdmin, Scope: store.Scope{Any: []store.Selection{{DAGs: []string{"a2"}}}}},
	}}
	roles, err := s.server.roles(auth.With(context.Background(), who), "a1", "a2", "b1", "none")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[dag.ID]dag.Role{"a1": dag.RoleOperator, "a2": dag.RoleAdmin, "b1": dag.RoleNone,
		"none": dag.RoleNone} {
		if roles[id] != want {
			t.Errorf("role over %s is %s, want %s", id, roles[id], want)
		}
	}
}
