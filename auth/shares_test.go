package auth_test

import (
	"net/http/httptest"
	"testing"

	"dagwright/auth"
)

func TestSharesLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	s := auth.NewShares(8)
	var back []func()
	take := func(caller string, want bool) {
		t.Helper()
		f, ok := s.Take(caller)
		if ok != want {
			t.Fatalf("a place for %s: %t, want %t", caller, ok, want)
		}
		if ok {
			back = append(back, f)
		}
	}
	for _, caller := range []string{"a", "b", "c", "d"} {
		take(caller, true)
		take(caller, true)
		take(caller, false)
	}
	take("e", false) // all are taken
	back[0]()
	take("e", true)
	take("a", false)
}

func TestCaller(t *testing.T) {
	t.Parallel()
	for want, who := range map[string]auth.Identity{
		"idp\n7":    {Name: "ann", Via: "token", Issuer: "idp", Subject: "7"},
		"ci":        {Name: "ci", Via: "token"},
		"192.0.2.1": auth.Everybody(),
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if got := (*auth.Service)(nil).Caller(r.WithContext(auth.With(r.Context(), who))); got != want {
			t.Errorf("%+v is %q, want %q", who, got, want)
		}
	}
}
