package pod_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/test/cluster/clustertest"
)

// flaky stands between the executor and the real API server and spoils answers.
type flaky struct {
	proxy *httputil.ReverseProxy

	mu sync.Mutex
	// loseCreates is how many creations are carried out and then answered with
	// a broken connection.
	loseCreates int
	// refuse is how many requests are answered with 429.
	refuse  int
	watches map[*context.CancelFunc]bool // open watches of pods
	expired int                          // watches of pods to answer with 410
	lost    int
	refused int
}

// throughFlaky lets the executor reach the cluster by a flaky way only.
func (h *home) throughFlaky(t *testing.T) *flaky {
	t.Helper()
	target, err := url.Parse(h.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(h.Config)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval, proxy.ErrorLog = transport, -1, log.New(io.Discard, "", 0)
	f := &flaky{proxy: proxy, watches: map[*context.CancelFunc]bool{}}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	h.client = client.CoreV1().RESTClient()
	return f
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pods := strings.HasSuffix(r.URL.Path, "/pods")
	switch {
	case f.take(&f.refuse, &f.refused):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
	case r.Method == http.MethodPost && pods && f.take(&f.loseCreates, &f.lost):
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case pods && r.URL.Query().Get("watch") != "":
		f.watch(w, r)
	default:
		f.proxy.ServeHTTP(w, r)
	}
}

// take uses up one of what is left, and counts it.
func (f *flaky) take(left, done *int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *left == 0 {
		return false
	}
	*left--
	*done++
	return true
}

// watch passes a watch on until breakWatches.
func (f *flaky) watch(w http.ResponseWriter, r *http.Request) {
	var counted int
	if f.take(&f.expired, &counted) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGone)
		_, _ = io.WriteString(w,
			`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}`)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	watch := &cancel
	f.mu.Lock()
	f.watches[watch] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.watches, watch)
		f.mu.Unlock()
	}()
	f.proxy.ServeHTTP(w, r.WithContext(ctx)) // panics, and so breaks the connection, when it is cut off
}

// breakWatches breaks off every open watch of pods; the next ones get the answer that
// they come too late (410 Gone).
func (f *flaky) breakWatches(gone int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expired = gone
	for watch := range f.watches {
		(*watch)()
	}
}

// TestLostAnswers loses the answers to creations that were carried out.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	h := newHome(t, clustertest.Open(t))
	f := h.throughFlaky(t)
	f.loseCreates = 3
	r := start(t, h)
	a, stopped := task("once", "echo ran"), task("stopped", "echo ready; sleep 1000")
	r.start(t, a)
	r.start(t, stopped)
	if e := r.awaitEnd(t, a.Key); !e.Succeeded() {
		t.Errorf("it ended as %+v", e)
	}
	r.wantLog(t, a.Key, "ran\n")
	r.awaitLine(t, stopped.Key, "ready")
	if err := r.x.Stop(t.Context(), stopped.Key, 1); err != nil {
		t.Fatal(err)
	}
	r.awaitEnd(t, stopped.Key)
	if n := len(r.podsOf(t, a.Key)); n != 1 {
		t.Errorf("the attempt has %d pods", n)
	}
	if f.lost == 0 {
		t.Error("no answer was lost, so nothing was tested")
	}
}

// TestWatchExpires closes watches with 410 while pods come and go, and refuses
// requests with 429.
func TestWatchExpires(t *testing.T) {
	t.Parallel()
	h := newHome(t, clustertest.Open(t))
	f := h.throughFlaky(t)
	r := start(t, h)
	var keys []dag.AttemptKey
	for _, name := range []string{"a", "b", "c", "d"} {
		a := task(name, count(4, 3))
		r.start(t, a)
		keys = append(keys, a.Key)
		r.awaitStart(t, a.Key)
		f.breakWatches(2)
		f.mu.Lock()
		f.refuse = 2
		f.mu.Unlock()
	}
	for _, key := range keys {
		if e := r.awaitEnd(t, key); e.ExitCode != 3 || e.Lost {
			t.Errorf("%s ended as %+v", key.Task, e)
		}
		r.wantLog(t, key, counted(4))
	}
	if f.refused == 0 {
		t.Error("no request was refused, so nothing was tested")
	}
}

// fake is an attempt that runs on a fake node for so long and ends with an exit
// code.
func fake(name, run string, code int) executor.Attempt {
	a := task(name, "true")
	a.Task.Pod["get_logs"] = false
	a.Task.Pod["annotations"] = map[string]any{
		"dagwright.dev/fake-run": run, "dagwright.dev/fake-exit-code": strconv.Itoa(code),
	}
	a.Task.Pod["node_selector"] = map[string]any{clustertest.FakeLabel: "true"}
	a.Task.Pod["tolerations"] = []any{map[string]any{"key": clustertest.FakeLabel, "operator": "Exists"}}
	return a
}
