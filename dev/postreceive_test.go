package dev

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dagwright/gitlab"
)

// TestSendPushWords reads what git shows a person behind "remote:".
func TestSendPushWords(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"status": "accepted"}`:                                   "accepted",
		`{"status": "ignored", "reason": "tags become no DAG"}`:    "ignored: tags become no DAG",
		`{"error": "the push could not be recorded; see the log"}`: "the push could not be recorded; see the log",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		got, err := sendPush(t.Context(), server.URL, "secret",
			gitlab.Push{ProjectID: 1, Project: "a/b", Branch: "x", Before: strings.Repeat("0", 40),
				After: strings.Repeat("1", 40)})
		server.Close()
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", answer, got, err, want)
		}
	}
}
