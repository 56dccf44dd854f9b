package generator_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ocireg "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"dagwright/generator"
	"dagwright/registry"
	"dagwright/store"
)

// TestWaitForImage renders no DAG before a real registry has its image, says what it
// waits for, and is woken by the pipeline's event.
func TestWaitForImage(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	images := ocireg.New(ocireg.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	client, err := registry.New(registry.Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, func(c *generator.Config) { c.Registry, c.Instance.Registry = client, host })
	down.Store(true)
	commit := l.Commit(churn, "main", map[string]string{".dagwright.yml": "wait_for: image"})
	l.until("the registry is down", func() bool {
		p := l.pushes()[0]
		return p.State == store.PushPending && strings.Contains(p.Reason, "answers 502")
	})
	l.wantFiles()

	// A pipeline's event requeues what waits for an image; a push that only failed
	// is tried again after its pause.
	down.Store(false)
	image := host + "/gbc/risk/churn-model:" + commit[:8]
	l.until("it waits for the image", func() bool {
		p := l.pushes()[0]
		return p.State == store.PushPending && p.WaitsFor == store.WaitsForImage &&
			strings.Contains(p.Reason, "waits for the image "+image)
	})
	l.status(churn, commit, "dagwright/scoring", "pending")
	l.wantFiles()

	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, empty.Image); err != nil {
		t.Fatal(err)
	}
	l.SendEvent("Pipeline Hook", `{"object_kind":"pipeline","object_attributes":{"id":1,"ref":"main","sha":"`+commit+
		`","status":"success"},"project":{"id":2,"path_with_namespace":"`+churn+`"}}`)
	l.settled(store.PushRendered)
	l.wantFiles(churnFile)

	// An image of another registry is not asked for.
	l.Commit(churn, "main", map[string]string{".dagwright.yml": "wait_for: image\nimage: registry.example.com/x:1\n"})
	l.until("the other image", func() bool { return len(l.pushes()) == 2 && l.pushes()[0].State == store.PushRendered })
}
