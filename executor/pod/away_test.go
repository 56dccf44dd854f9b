package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dagwright/podspec"
	"dagwright/tasklog"
)

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestWhyAway wants the cause in few words, without the address that was asked.
func TestWhyAway(t *testing.T) {
	t.Parallel()
	refused := errors.New("dial tcp 10.0.0.1:6443: connect: connection refused")
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("read pod: %w", &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api/v1", Err: refused}),
			refused.Error()},
		{&url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api/v1", Err: context.DeadlineExceeded}, "no answer within 5 s"},
		{errors.New("Unauthorized"), "Unauthorized"},
		{errors.New(strings.Repeat("ж", 1000)), strings.Repeat("ж", maxWhy)},
	} {
		if got := whyAway(c.err).String(); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// TestClusterIsAway opens an executor while the API server is away: it says so
// within three seconds and each minute, and says when it works again. The same when it goes
// away later.
func TestClusterIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var there atomic.Bool
		server := &apiServer{away: func() bool { return !there.Load() }}
		logs, err := tasklog.Open(tasklog.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		var said lockedBuffer
		x, err := Open(Config{
			Client: server.client(t), Logs: logs, Pods: podspec.Config{Namespace: "tasks", Instance: "test"},
			Logger: slog.New(slog.NewTextHandler(&said, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		listed := make(chan error, 1)
		go func() {
			_, err := x.List(context.WithoutCancel(t.Context()))
			listed <- err
		}()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := strings.Count(said.String(), "Kubernetes does not answer"); n != 1 || x.Trouble().IsZero() {
			t.Errorf("after three seconds it was said %d times; trouble: %q", n, x.Trouble())
		}
		time.Sleep(2 * time.Minute)
		if n := strings.Count(said.String(), "Kubernetes does not answer"); n != 3 {
			t.Errorf("after two minutes it was said %d times", n)
		}
		there.Store(true)
		if err := <-listed; err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), "Kubernetes works again") || !x.Trouble().IsZero() {
			t.Errorf("trouble: %q; it said\n%s", x.Trouble(), said.String())
		}

		// It goes away after a good start: no watch tells so.
		time.Sleep(time.Minute)
		gone := time.Now()
		there.Store(false)
		time.Sleep(3 * pulseEvery)
		synctest.Wait()
		trouble := x.Trouble()
		since, why, _ := strings.Cut(strings.TrimPrefix(trouble.String(),
			"no task is started or followed: Kubernetes has not answered since "), " UTC: ")
		at, err := time.Parse(time.DateTime, since)
		if err != nil || at.After(gone) || gone.Sub(at) > pulseEvery+time.Second || why != "no answer within 5 s" {
			t.Errorf("it went away at %v, trouble: %q", gone, trouble)
		}
		time.Sleep(time.Minute)
		if x.Trouble() != trouble {
			t.Errorf("a minute later the trouble is %q, and was %q", x.Trouble(), trouble)
		}
		there.Store(true)
		time.Sleep(2 * pulseEvery)
		synctest.Wait()
		if n := strings.Count(said.String(), "Kubernetes works again"); n != 2 || !x.Trouble().IsZero() {
			t.Errorf("it works again was said %d times; trouble: %q", n, x.Trouble())
		}
	})
}
