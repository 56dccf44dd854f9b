package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/client"
	"dagwright/usage"
)

// serve is a client of a server that answers as the handler does.
func serve(t *testing.T, token client.Secret, answer http.HandlerFunc) *client.Client {
	t.Helper()
	web := httptest.NewServer(answer)
	t.Cleanup(web.Close)
	to, err := client.ParseServer(web.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return client.New(to, token)
}

// TestRefusals has a server say no in each way.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status    int
		body      string
		want      string
		wrongUse  bool
		isRefused bool
	}{
		{401, `{"detail": "ended"}`, "you are not signed in to SERVER (ended): run \"dagwright login --server SERVER\"",
			false, true},
		{403, `{"detail": "this needs the role operator"}`, "this needs the role operator (on SERVER; \"dagwright whoami",
			false, true},
		{404, `{"detail": "no such run"}`, "no such run", false, true},
		{409, `{"detail": "it runs\u001b[2J"}`, "it runs [2J", false, true},
		{422, `{"detail": [{"loc": ["body", "conf"], "msg": "too long"}]}`, "conf: too long", true, true},
		{422, `{"detail": [{"type": "json_invalid", "loc": ["body", 30], "msg": "JSON decode error", "ctx": {"error": "key \"A\" stands twice"}}]}`,
			`JSON decode error: key "A" stands twice`, true, true},
		{500, "<html>", "SERVER answered 500 Internal Server Error, which is not an answer of dagwright's API", false, false},
	} {
		c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = w.Write([]byte(test.body))
		})
		err := c.Call(t.Context(), client.Request{Path: []string{"jobs"}}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), strings.ReplaceAll(test.want, "SERVER", c.Server().String())) {
			t.Errorf("%d: %v, want %s", test.status, err, test.want)
			continue
		}
		var refused *client.RefusedError
		if errors.As(err, &refused) != test.isRefused || test.isRefused && refused.Status != test.status {
			t.Errorf("%d is %#v", test.status, err)
		}
		if errors.As(err, new(usage.Error)) != test.wrongUse {
			t.Errorf("%d is wrong use: %t", test.status, !test.wrongUse)
		}
	}
}

// TestActsAreRepeated loses the answers to an act twice: it is sent again under its key,
// and what only reads is not.
func TestActsAreRepeated(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{http.MethodPost: 3, "": 1} {
		var keys, paths []string
		c := serve(t, "dwt_x", func(w http.ResponseWriter, r *http.Request) {
			keys, paths = append(keys, r.Header.Get("Idempotency-Key")), append(paths,
				r.Header.Get("Authorization")+" "+r.URL.EscapedPath())
			if len(keys) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte(`{"detail": "the database does not answer now"}`))
			}
		})
		err := c.Call(t.Context(), client.Request{Method: method, Path: []string{"dags", "a/b c"}}, nil)
		if (err == nil) != (want == 3) || len(keys) != want {
			t.Errorf("%q: %v after %d requests, want %d", method, err, len(keys), want)
		}
		if (keys[0] != "") != (want == 3) || len(slices.Compact(keys)) != 1 {
			t.Errorf("%q: keys %q", method, keys)
		}
		if paths[0] != "Bearer dwt_x /api/v2/dags/a%2Fb%20c" {
			t.Errorf("%q: %s", method, paths[0])
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit, total int
		want         []string
	}{
		{0, 0, []string{"limit=100&offset=0"}},
		{0, 250, []string{"limit=100&offset=0", "limit=100&offset=100", "limit=100&offset=200"}},
		{120, 250, []string{"limit=100&offset=0", "limit=20&offset=100"}},
		{5, 3, []string{"limit=5&offset=0"}},
	} {
		var asked []string
		all, total, err := client.Pages(url.Values{}, test.limit, func(q url.Values) ([]int, int, error) {
			asked = append(asked, q.Encode())
			left := test.total - 100*(len(asked)-1)
			size := map[string]int{"limit=100": 100, "limit=20&": 20, "limit=5&o": 5}[q.Encode()[:9]]
			return make([]int, max(0, min(left, size))), test.total, nil
		})
		n := test.total
		if test.limit > 0 {
			n = min(n, test.limit)
		}
		if err != nil || total != test.total || len(all) != n || all == nil {
			t.Errorf("%+v: %d of %d, %v", test, len(all), total, err)
		}
		if diff := cmp.Diff(test.want, asked); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test, diff)
		}
	}
	failed := errors.New("failed")
	if _, _, err := client.Pages(url.Values{}, 0,
		func(url.Values) ([]int, int, error) { return nil, 0, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
}

// TestSecretHidesItself prints a token in every way.
func TestSecretHidesItself(t *testing.T) {
	t.Parallel()
	s, err := client.CheckToken(" dwt_1\n")
	if err != nil || string(s) != "dwt_1" || s.String() != "(secret)" || s.GoString() != "(secret)" {
		t.Errorf("%q, %v", string(s), err)
	}
	for _, text := range []string{"", " ", "a b", "a\x00", "größe"} {
		if got, err := client.CheckToken(text); err == nil {
			t.Errorf("%q is the token %q", text, string(got))
		}
	}
}

// TestNoRun asks for the newest run of a DAG that has none.
func TestNoRun(t *testing.T) {
	t.Parallel()
	c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"dag_runs": [], "total_entries": 0}`))
	})
	if _, err := c.Run(t.Context(), "churn", ""); !errors.Is(err, client.ErrNoRun) ||
		!strings.HasPrefix(err.Error(), "churn has no run yet: ") {
		t.Error(err)
	}
}

// TestSignInWantsEncryption refuses to send a token in the clear.
func TestSignInWantsEncryption(t *testing.T) {
	t.Parallel()
	for address, fine := range map[string]bool{
		"http://dagwright.example.com": false, "https://dagwright.example.com": true, "http://localhost:8080": true,
		"http://[::1]:8080": true,
	} {
		to, err := client.ParseServer(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.CheckEncrypted(); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
		if fine {
			continue
		}
		if _, err := client.New(to, "").SignIn(t.Context(), "dwt_x"); !errors.As(err, new(usage.Error)) {
			t.Errorf("a sign-in at %s: %v", address, err)
		}
	}
}
