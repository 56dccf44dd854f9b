package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/gitlab"
	"dagwright/store"
	"dagwright/webhook"
)

// big is a push event of a given size, made while it is read.
func big(size int64) io.Reader {
	event := body("main")
	return io.MultiReader(strings.NewReader(event[:len(event)-1]+`,"commits":[{"message":"`),
		io.LimitReader(xs{}, size-int64(len(event))-27), strings.NewReader(`"}]}`))
}

type xs struct{}

func (xs) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestLargeBodyHoldsLittle(t *testing.T) { // not parallel: it measures allocation
	h := newHook(t)
	for name, c := range map[string]struct {
		size   int64
		status int
	}{"25 MB": {25_000_000, 202}, "too large, in chunks": {webhook.MaxBody + 1, 413}} {
		r := raw(t, "Push Hook", "")
		r.Body, r.ContentLength = io.NopCloser(big(c.size)), -1
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, got := send(t, h, r)
		runtime.ReadMemStats(&after)
		if status != c.status {
			t.Errorf("%s: %d %+v, want %d", name, status, got, c.status)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

// held is a store that answers when told to.
type held struct {
	webhook.Store
	err error
}

func (h held) RecordPush(context.Context, store.Push) (int64, bool, error) { return 0, false, h.err }

func TestStoreFailureIsNotTold(t *testing.T) {
	t.Parallel()
	h := webhook.New(webhook.Config{
		Store: held{err: errors.New("disk full at /var/lib/x")}, Verifier: gitlab.NewVerifier(secret),
		Logger: slog.New(slog.DiscardHandler),
	})
	if status, got := send(t, h, request(t, secret, pushTo("main"))); status != http.StatusInternalServerError ||
		strings.Contains(got.Error, "disk") {
		t.Errorf("answer %d %+v", status, got)
	}
}

// TestStoreOutageAsksForARepeat has the database be away for a while.
func TestStoreOutageAsksForARepeat(t *testing.T) {
	t.Parallel()
	h := webhook.New(webhook.Config{
		Store: held{err: fmt.Errorf("at db-1.internal: %w", store.ErrUnknown)}, Verifier: gitlab.NewVerifier(secret),
		Logger: slog.New(slog.DiscardHandler),
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(t, secret, pushTo("main")))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" ||
		strings.Contains(w.Body.String(), "db-1") {
		t.Errorf("answer %d %v %s; want 503, when to ask again, and no word of the database's address", w.Code,
			w.Header(), w.Body)
	}
}

// TestWaitersGetTheirTurns has deliveries wait for each other's bodies: each of them
// gets its turn, and gives it back.
func TestWaitersGetTheirTurns(t *testing.T) {
	t.Parallel()
	h := webhook.New(webhook.Config{
		Store: held{}, Verifier: gitlab.NewVerifier(secret), MaxConcurrent: 1, Wait: time.Minute,
		Logger: slog.New(slog.DiscardHandler),
	})
	for range 3 {
		slow := gate{make(chan struct{}), make(chan struct{})}
		var all sync.WaitGroup
		all.Go(func() {
			r := raw(t, "Push Hook", "")
			r.Body = io.NopCloser(slow)
			h.ServeHTTP(httptest.NewRecorder(), r)
		})
		<-slow.reading
		for range 5 {
			waiting := request(t, secret, pushTo("main"))
			all.Go(func() {
				if status, got := send(t, h, waiting); status != http.StatusOK {
					t.Errorf("a delivery that waited: %d %+v", status, got)
				}
			})
		}
		close(slow.end)
		all.Wait()
	}
}

// slowStore records a push after a while.
type slowStore struct {
	webhook.Store
	takes time.Duration
}

func (s slowStore) RecordPush(ctx context.Context, _ store.Push) (int64, bool, error) {
	select {
	case <-ctx.Done():
		return 0, false, ctx.Err()
	case <-time.After(s.takes):
		return 7, true, nil
	}
}

// TestDeadlineEndsWithTheBody has the store work for longer than a body may take: the
// deadline of the body must not end the request.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	const wait = 30 * time.Millisecond
	server := httptest.NewServer(webhook.New(webhook.Config{
		Store: slowStore{takes: 3 * wait}, Verifier: gitlab.NewVerifier(secret), Wait: wait,
		Logger: slog.New(slog.DiscardHandler),
	}))
	defer server.Close()
	r, err := gitlab.NewPushRequest(t.Context(), server.URL+"/hooks/gitlab", secret, pushTo("main"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Errorf("answer %d, want 202", answer.StatusCode)
	}
}

// gate is a body that says when it is read and ends when told to.
type gate struct{ reading, end chan struct{} }

func (g gate) Read([]byte) (int, error) {
	close(g.reading)
	<-g.end
	return 0, io.EOF
}

func TestFewBodiesAtOnce(t *testing.T) {
	t.Parallel()
	h := webhook.New(webhook.Config{
		Store: held{}, Verifier: gitlab.NewVerifier(secret), MaxConcurrent: 1, Wait: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	slow := gate{make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := raw(t, "Push Hook", "")
		r.Body = io.NopCloser(slow)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-slow.reading
	waiting := raw(t, "Push Hook", "")
	waiting.Body = io.NopCloser(untouchable{t})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, waiting)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("while another body is read: %d %v", w.Code, w.Header())
	}
	close(slow.end)
	<-done
	if status, got := send(t, h, request(t, secret, pushTo("main"))); status != http.StatusOK {
		t.Errorf("afterwards: %d %+v", status, got)
	}
}

// A sender who trickles loses its turn and its connection, whether it is known
// or not.
func TestSlowSenderIsCutOff(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(webhook.New(webhook.Config{
		Store: held{}, Verifier: gitlab.NewVerifier(secret), Wait: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(server.Close)
	for headers, status := range map[string]string{
		"X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: " + secret:  "400",
		"X-Gitlab-Event: Issue Hook\r\nX-Gitlab-Token: " + secret: "200",
		"X-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: guess":      "401",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn,
			"POST / HTTP/1.1\r\nHost: x\r\n"+headers+"\r\nContent-Length: 100\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+status) {
			t.Errorf("answer %q, %v; want %s", answer, err, status)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
