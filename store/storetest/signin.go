package storetest

import (
	"strconv"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/store"
)

// signInTests are about people, their sessions and tokens.
func signInTests() []test {
	return []test{
		{"a session from its start to its end", testSession},
		{"a new session ends the one before and those that are over", testSessionReplaces},
		{"one caller refreshes a session", testClaimRefresh},
		{"a logout token ends sessions once", testLogoutToken},
		{"sessions and tokens of others", testOthersCredentials},
		{"a token from its making to its revocation", testToken},
		{"tokens that are made at once", testTokensAtOnce},
		{"a note in the audit log", testAuditNote},
	}
}

var ada = store.Person{Issuer: "https://idp.example.com", Subject: "1", Name: "ada@example.com",
	Claims: `{"groups":["risk"]}`, ClaimedAt: someTime}

func newSession(id string, p store.Person) store.Session {
	now := time.Now().UTC().Truncate(time.Microsecond)
	return store.Session{
		Hash: "hash-" + id, ID: id, Person: p, SID: "sid-" + id, Agent: "Firefox", IDToken: "sealed",
		RefreshToken: "sealed too",
		CreatedAt:    now, SeenAt: now, IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(10 * time.Hour),
		RefreshAt: now.Add(5 * time.Minute),
	}
}

func testSession(f fixture) {
	s := newSession("a", ada)
	f.ok(f.StartSession(f.ctx(), s, ""))
	got, err := f.Session(f.ctx(), s.Hash)
	f.ok(err)
	f.equal(got, s)

	s.SeenAt, s.IdleUntil = s.SeenAt.Add(time.Minute), s.IdleUntil.Add(time.Minute)
	f.ok(f.UseSession(f.ctx(), s.Hash, s.SeenAt, s.IdleUntil))
	s.Person.ClaimedAt = s.Person.ClaimedAt.Add(time.Second)
	s.Person.Claims, s.RefreshToken, s.RefreshAt = `{"groups":[]}`, "rotated", s.RefreshAt.Add(time.Hour)
	f.ok(f.RefreshSession(f.ctx(), s))
	list, err := f.Sessions(f.ctx(), ada.Issuer, ada.Subject, s.SeenAt)
	f.ok(err)
	f.equal(list, []store.Session{s})

	f.ok(f.EndSession(f.ctx(), alice, "sign_out", "a", "", ""))
	_, err = f.Session(f.ctx(), s.Hash)
	f.is(err, dag.ErrNotFound)
	f.is(f.RefreshSession(f.ctx(), s), dag.ErrNotFound)
	f.is(f.EndSession(f.ctx(), alice, "sign_out", "a", "", ""), dag.ErrNotFound)
	f.equal(f.auditEvents(), []string{"sign_out", "sign_in"})
}

// auditEvents are the events of the audit log, newest first.
func (f fixture) auditEvents() (events []string) {
	f.Helper()
	entries, _, err := f.Audit(f.ctx(), store.AuditFilter{})
	f.ok(err)
	for _, e := range entries {
		events = append(events, e.Event)
	}
	return events
}

func testSessionReplaces(f fixture) {
	old, idle, live := newSession("old", ada), newSession("idle", ada), newSession("live", ada)
	idle.IdleUntil = idle.CreatedAt.Add(-time.Second)
	for _, s := range []store.Session{old, live, idle} {
		f.ok(f.StartSession(f.ctx(), s, ""))
	}
	f.ok(f.StartSession(f.ctx(), newSession("new", ada), old.Hash))
	for hash, there := range map[string]bool{old.Hash: false, idle.Hash: false, live.Hash: true, "hash-new": true} {
		_, err := f.Session(f.ctx(), hash)
		if there {
			f.ok(err)
		} else {
			f.is(err, dag.ErrNotFound)
		}
	}
}

func testClaimRefresh(f fixture) {
	s := newSession("a", ada)
	f.ok(f.StartSession(f.ctx(), s, ""))
	for _, want := range []bool{true, false} {
		mine, err := f.ClaimRefresh(f.ctx(), s.Hash, s.RefreshAt, s.RefreshAt.Add(time.Minute))
		f.ok(err)
		f.equal(mine, want)
	}
}

func testLogoutToken(f fixture) {
	bob := ada
	bob.Subject, bob.Name = "2", "bob"
	for _, s := range []store.Session{newSession("a", ada), newSession("b", ada), newSession("c", bob)} {
		f.ok(f.StartSession(f.ctx(), s, ""))
	}
	expires := time.Now().Add(time.Hour)
	for _, test := range []struct {
		l    store.Logout
		want int
	}{
		{store.Logout{Issuer: "https://other.example.com", SID: "sid-a", TokenID: "1"}, 0},
		{store.Logout{Issuer: ada.Issuer, Subject: "2", SID: "sid-a", TokenID: "1"}, 0}, // the session is not Bob's
		{store.Logout{Issuer: ada.Issuer, SID: "sid-a", TokenID: "2"}, 1},
		{store.Logout{Issuer: ada.Issuer, SID: "sid-b", TokenID: "2"}, 0}, // was here before
		{store.Logout{Issuer: ada.Issuer, Subject: "1", TokenID: "3"}, 1}, // all that are left
		{store.Logout{Issuer: ada.Issuer, Subject: "1", TokenID: "4"}, 0}, // none is left
	} {
		test.l.Expires = expires
		ended, err := f.EndSessionsOf(f.ctx(), test.l)
		f.ok(err)
		f.equal(ended, test.want)
	}
	_, err := f.Session(f.ctx(), "hash-c")
	f.ok(err)
}

func testOthersCredentials(f fixture) {
	bob := ada
	bob.Subject = "2"
	f.ok(f.StartSession(f.ctx(), newSession("a", ada), ""))
	f.ok(f.StartSession(f.ctx(), newSession("b", bob), ""))
	f.is(f.EndSession(f.ctx(), alice, "sign_out", "a", bob.Issuer, bob.Subject), dag.ErrNotFound)
	all, err := f.Sessions(f.ctx(), "", "", time.Now())
	f.ok(err)
	f.equal(len(all), 2)

	f.ok(f.makeToken(alice,
		store.APIToken{ID: "t", Hash: "h", Name: "mine", Owner: ada, ExpiresAt: time.Now().Add(time.Hour)}))
	f.ok(f.makeToken(alice,
		store.APIToken{ID: "u", Hash: "i", Name: "mine", Owner: bob, ExpiresAt: time.Now().Add(time.Hour)}))
	f.is(f.RevokeToken(f.ctx(), alice, "t", bob.Issuer, bob.Subject), dag.ErrNotFound)
	bobs, err := f.Tokens(f.ctx(), bob.Issuer, bob.Subject)
	f.ok(err)
	f.equal(len(bobs), 1)
}

func testToken(f fixture) {
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	made := store.APIToken{
		ID: "t1", Hash: "h1", Name: "nightly", Role: dag.RoleOperator, CreatedBy: "alice", CreatedAt: someTime,
		ExpiresAt: expires,
		Scope:     store.Scope{Any: []store.Selection{{DAGs: []string{"churn-*"}, Projects: []string{"gbc/risk"}}}},
	}
	f.ok(f.makeToken(alice, made))
	f.is(f.makeToken(alice, store.APIToken{ID: "t2", Hash: "h2", Name: "nightly"}), dag.ErrConflict)
	made.LastUsed = someTime.Add(time.Minute)
	f.ok(f.UseToken(f.ctx(), "t1", made.LastUsed))
	got, err := f.Token(f.ctx(), "h1")
	f.ok(err)
	f.equal(got, made)
	if !got.Service() {
		f.Error("a token without owner is not a service's")
	}
	f.ok(f.RevokeToken(f.ctx(), alice, "t1", "", ""))
	_, err = f.Token(f.ctx(), "h1")
	f.is(err, dag.ErrNotFound)
	f.equal(f.auditEvents(), []string{"revoke_token", "create_token"})

	// What a personal token may do follows from what its owner is like now.
	p := ada
	f.ok(f.SavePerson(f.ctx(), p))
	f.ok(f.makeToken(alice, store.APIToken{ID: "t3", Hash: "h3", Name: "mine", Owner: p, ExpiresAt: expires}))
	p.Claims, p.ClaimedAt = `{"groups":[]}`, p.ClaimedAt.Add(time.Second)
	f.ok(f.SavePerson(f.ctx(), p))
	f.ok(f.SavePerson(f.ctx(), ada)) // is older
	got, err = f.Token(f.ctx(), "h3")
	f.ok(err)
	f.equal(got.Owner, p)

	// Those that have expired do not count.
	for i := range store.MaxTokens {
		id := strconv.Itoa(i)
		f.ok(f.makeToken(alice,
			store.APIToken{ID: "old" + id, Hash: "old" + id, Name: "old" + id, Owner: p, ExpiresAt: someTime.Add(-time.Hour)}))
	}
	for i := range store.MaxTokens - 1 {
		id := strconv.Itoa(i)
		f.ok(f.makeToken(alice, store.APIToken{ID: "n" + id, Hash: "n" + id, Name: "n" + id, Owner: p, ExpiresAt: expires}))
	}
	f.is(f.makeToken(alice, store.APIToken{ID: "more", Hash: "more", Name: "more", Owner: p, ExpiresAt: expires}),
		dag.ErrConflict)
}

// testTokensAtOnce makes tokens at once when a person can have one more, and tokens of one
// name: one of them is made.
func testTokensAtOnce(f fixture) {
	f.ok(f.SavePerson(f.ctx(), ada))
	expires := time.Now().Add(time.Hour)
	for i := range store.MaxTokens - 1 {
		id := strconv.Itoa(i)
		f.ok(f.makeToken(alice, store.APIToken{ID: id, Hash: id, Name: id, Owner: ada, ExpiresAt: expires}))
	}
	atOnce := func(token func(id string) store.APIToken) {
		f.Helper()
		const most = 8
		errs := make([]error, most)
		var wg sync.WaitGroup
		for i := range most {
			wg.Go(func() { errs[i] = f.makeToken(alice, token("more"+strconv.Itoa(i))) })
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			f.is(err, dag.ErrConflict)
		}
		f.equal(made, 1)
	}
	atOnce(func(id string) store.APIToken {
		return store.APIToken{ID: id, Hash: id, Name: id, Owner: ada, ExpiresAt: expires}
	})
	atOnce(func(id string) store.APIToken {
		return store.APIToken{ID: "of-service-" + id, Hash: "of-service-" + id, Name: "nightly", ExpiresAt: expires}
	})
}

func testAuditNote(f fixture) {
	f.ok(f.Note(f.ctx(), store.AuditEntry{By: alice, Event: "refused", DAG: "churn", Extra: `{"act":"delete"}`}))
	f.equal(f.auditEvents(), []string{"refused"})
}

func (f fixture) makeToken(by store.Actor, a store.APIToken) error {
	_, err := f.CreateToken(f.ctx(), by, a)
	return err
}
