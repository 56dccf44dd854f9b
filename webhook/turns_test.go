package webhook_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dagwright/gitlab"
	"dagwright/webhook"
)

// pipes is a listener whose connections are in memory, so that a test's clock is theirs.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return address("here") }

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// from is a connection from an address.
type from struct {
	net.Conn
	remote address
}

func (f from) RemoteAddr() net.Addr { return f.remote }

// dial connects from an address.
func (p *pipes) dial(ip string) net.Conn {
	client, server := net.Pipe()
	p.conns <- from{server, address(ip + ":1234")}
	return client
}

// listen serves a receiver to connections in memory until the test ends.
func listen(t *testing.T) *pipes {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	quiet := slog.New(slog.DiscardHandler)
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelDebug),
		Handler: webhook.New(webhook.Config{Store: held{}, Verifier: gitlab.NewVerifier(secret, signKey), Logger: quiet}),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return p
}

// forge sends a hook with a signature that is made up, and a body that comes as told
// until the connection is closed.
func (p *pipes) forge(ip string, each time.Duration, piece int) {
	conn := p.dial(ip)
	go func() {
		defer conn.Close()
		_, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Gitlab-Event: Push Hook\r\nWebhook-Id: made-up\r\n"+
			"Webhook-Timestamp: %s\r\nWebhook-Signature: v1,%s\r\nContent-Length: 20000000\r\n\r\n",
			strconv.FormatInt(time.Now().Unix(), 10), "bWFkZSB1cCwgYWxsIG9mIGl0LCAzMiBieXRlcyBsb24=")
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		for err == nil {
			select {
			case <-p.done:
				return
			case <-time.After(each):
				_, err = conn.Write(bytes.Repeat([]byte(" "), piece))
			}
		}
	}()
}

// good sends a hook that is signed as it should be and returns its answer's status and
// how long it took. The body begins after a while.
func (p *pipes) good(t *testing.T, ip string, pause time.Duration) (int, time.Duration) {
	t.Helper()
	start := time.Now()
	conn := p.dial(ip)
	defer conn.Close()
	r := request(t, signKey, pushTo("main"))
	r.Body = io.NopCloser(io.MultiReader(paused(pause), r.Body))
	go func() { _ = r.Write(conn) }()
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	defer answer.Body.Close()
	return answer.StatusCode, time.Since(start)
}

// paused is an empty reader that takes a while.
type paused time.Duration

func (p paused) Read([]byte) (int, error) {
	time.Sleep(time.Duration(p))
	return 0, io.EOF
}

// TestForgedBodiesHoldUpNoGoodOne has 60 forged hooks hold the places with bodies that
// come slowly or not at all.
func TestForgedBodiesHoldUpNoGoodOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from   string
		each   time.Duration
		piece  int
		within time.Duration
	}{
		"no body, another address":     {"127.0.0.2", time.Hour, 1, time.Second},
		"trickle, another address":     {"127.0.0.2", time.Second / 10, 100, time.Second},
		"flow, another address":        {"127.0.0.2", time.Second / 10, 10_000, time.Second},
		"no body, the same address":    {"127.0.0.1", time.Hour, 1, 8 * time.Second},
		"trickle, the same address":    {"127.0.0.1", time.Second / 10, 100, 8 * time.Second},
		"no body, an address for each": {"", time.Hour, 1, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := listen(t)
				for i := range 60 {
					ip := c.from
					if ip == "" {
						ip = "127.0.1." + strconv.Itoa(i)
					}
					p.forge(ip, c.each, c.piece)
				}
				synctest.Wait()
				if status, took := p.good(t, "127.0.0.1", 0); status != http.StatusOK || took > c.within {
					t.Errorf("a good hook: %d after %s, want 200 within %s", status, took, c.within)
				}
			})
		})
	}
}

// TestSlowBodyWithRoom has a good body come slowly while nobody waits for its place.
func TestSlowBodyWithRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := listen(t)
		for range 6 {
			p.forge("127.0.0.2", time.Hour, 1)
		}
		synctest.Wait()
		if status, took := p.good(t, "127.0.0.1", 8*time.Second); status != http.StatusOK {
			t.Errorf("a slow hook, with a place to spare: %d after %s, want 200", status, took)
		}
	})
}

// TestNewcomersEndNoFastBody has strangers wait while GitLab has all places, with bodies
// that come in a moment.
func TestNewcomersEndNoFastBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := listen(t)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if status, took := p.good(t, "127.0.0.1", 200*time.Millisecond); status != http.StatusOK {
					t.Errorf("a good hook: %d after %s, want 200", status, took)
				}
			})
		}
		synctest.Wait()
		for range 8 {
			p.forge("127.0.0.2", time.Hour, 1)
		}
		all.Wait()
	})
}
