package publickeys_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"dagwright/publickeys"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "%s %d", r.URL.Path, asked.Add(1))
	}))
	defer server.Close()
	client := &http.Client{Transport: publickeys.New(http.DefaultTransport)}
	ask := func(method, path, token string) string {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	last := ""
	for range 100 {
		last = ask("GET", "/keys", "")
	}
	// The first question is free, since there is no answer to give instead of it.
	if last != "/keys 6" || asked.Load() != 6 {
		t.Errorf("100 questions: the last answer is %q, the server was asked %d times; want the sixth of 6", last,
			asked.Load())
	}
	for name, tt := range map[string]struct{ method, path, token string }{
		"a question with credentials": {"GET", "/keys", "Bearer x"},
		"an act":                      {"POST", "/token", ""},
		"an answer that failed":       {"GET", "/away", ""},
	} {
		before := asked.Load()
		for range 10 {
			ask(tt.method, tt.path, tt.token)
		}
		if n := asked.Load() - before; n != 10 {
			t.Errorf("%s went through %d of 10 times", name, n)
		}
	}
}
