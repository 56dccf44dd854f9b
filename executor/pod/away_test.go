package pod

import (
	"bytes"
	"context"
	"log/slog"
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

// TestClusterIsAway opens an executor while the API server is away: it says so
// within three seconds and each minute, and says when it works again.
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
		if n := strings.Count(said.String(), "Kubernetes does not answer"); n != 1 || x.Trouble() == "" {
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
		if !strings.Contains(said.String(), "Kubernetes works again") || x.Trouble() != "" {
			t.Errorf("trouble: %q; it said\n%s", x.Trouble(), said.String())
		}
	})
}
