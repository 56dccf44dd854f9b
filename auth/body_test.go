package auth_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"dagwright/auth"
)

// TestSlowBodiesAreCutOff sends the beginning of a body and then nothing: whatever the
// route and the answer, the connection ends.
func TestSlowBodiesAreCutOff(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	auth.BodyWait(in.service, 50*time.Millisecond)
	host := strings.TrimPrefix(in.server.URL, "http://")
	const length, chunked = "Content-Length: 100000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
	for name, head := range map[string]string{
		"sign-in": "POST /login HTTP/1.1\r\nHost: " + host +
			"\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		"callback": "POST /auth/callback HTTP/1.1\r\nHost: " + host + "\r\n",
		"token":    "POST /auth/token HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n",
		"logout of the provider": "POST /auth/backchannel-logout HTTP/1.1\r\nHost: " + host +
			"\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		"API without a token": "POST /api/v2/dags/churn/dagRuns HTTP/1.1\r\nHost: " + host +
			"\r\nContent-Type: application/json\r\n",
		"page":         "POST /dags/churn/trigger HTTP/1.1\r\nHost: " + host + "\r\n",
		"nowhere":      "PUT /nowhere HTTP/1.1\r\nHost: " + host + "\r\n",
		"static file":  "GET /static/app.js HTTP/1.1\r\nHost: " + host + "\r\n",
		"another name": "POST / HTTP/1.1\r\nHost: evil.example.com\r\n",
		"another site": "POST / HTTP/1.1\r\nHost: " + host + "\r\nSec-Fetch-Site: cross-site\r\n",
		"hook":         "POST /hooks/gitlab HTTP/1.1\r\nHost: " + host + "\r\n",
		"CI job":       "POST /ci/generate HTTP/1.1\r\nHost: " + host + "\r\n",
		"probe":        "GET /healthz HTTP/1.1\r\nHost: " + host + "\r\n",
	} {
		for kind, rest := range map[string]string{"length": length, "chunked": chunked} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				untilClosed(t, in.server.Listener.Addr(), head+rest)
			})
		}
	}
}

// untilClosed sends a text and reads until the server closes the connection.
func untilClosed(t *testing.T, to net.Addr, text string) {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
		t.Errorf("answer %.60q and then %v; want an answer, and the connection closed", answer, err)
	}
}

// TestBodyDeadlineEndsWithTheBody has a handler work for longer than a body may take.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	s, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const wait = 50 * time.Millisecond
	auth.BodyWait(s, wait)
	server := httptest.NewServer(s.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			t.Error("the request ended with the deadline of its body")
		case <-time.After(3 * wait):
		}
		fmt.Fprint(w, string(body), err)
	})))
	defer server.Close()
	for range 2 { // the second one on the same connection
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/x", strings.NewReader("whole"))
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if string(text) != "whole<nil>" || answer.Close {
			t.Errorf("answer %q, closed %t; want the body, and the connection kept", text, answer.Close)
		}
	}
}

// TestRefusalIsSeen sends a large body that is refused: the client reads the answer
// although it was still sending.
func TestRefusalIsSeen(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	for range 20 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, in.server.URL+"/api/v2/dags/churn/dagRuns",
			strings.NewReader(strings.Repeat("x", 8<<20)))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusUnauthorized || !answer.Close {
			t.Errorf("answer %d, closed %t; want 401, and the connection closed", answer.StatusCode, answer.Close)
		}
		_ = answer.Body.Close()
	}
}

// TestEventsHaveNoDeadline follows the events for longer than a body may take.
func TestEventsHaveNoDeadline(t *testing.T) {
	t.Parallel()
	s, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const wait = 20 * time.Millisecond
	auth.BodyWait(s, wait)
	server := httptest.NewServer(s.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 5 {
			fmt.Fprintln(w, "event")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(wait):
			}
		}
	})))
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/events", nil)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	n := 0
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		n++
	}
	if n != 5 {
		t.Errorf("%d of 5 events came", n)
	}
}
