package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"dagwright/gitlab"
	"dagwright/gitlab/gitlabtest"
)

var burst = flag.Int("burst", 2000, "deliveries of TestBurst; 30000 is the measured size")

// TestBurst sends bursts of hooks, doubled and out of order, of which half of the
// pushes tell nobody, and kills the program in between. In the end each branch's
// head is in the DAG repository, by exactly one commit, and nothing is pending.
func TestBurst(t *testing.T) {
	t.Parallel()
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	in := startInstance(t, gl, testDAGProject, "")
	const projects, commits = 40, 5
	var pushes []gitlab.Push
	heads := map[string]string{}
	for i := range projects {
		path := fmt.Sprintf("gbc/team%d/model-%02d", i%5, i)
		id := gl.CreateProject(path)
		before := strings.Repeat("0", 40)
		for n := range commits {
			after := gl.Commit(path, "main", map[string]string{"main.py": fmt.Sprint(n)})
			pushes = append(pushes,
				gitlab.Push{ProjectID: id, Project: path, Branch: "main", Before: before, After: after, Title: "Change main.py"})
			before, heads[path] = after, after
		}
	}
	rand.Shuffle(len(pushes), func(i, j int) { pushes[i], pushes[j] = pushes[j], pushes[i] })
	told := pushes[:len(pushes)/2]
	// One push of each project is always reported: nobody asks for a project of which
	// no event ever came.
	for _, p := range pushes[len(told):] {
		if !slices.ContainsFunc(told, func(q gitlab.Push) bool { return q.Project == p.Project }) {
			told = append(slices.Clip(told), p)
		}
	}
	took := sendBurst(t, in, told)
	awaitHeads(t, in, gl, heads)
	slices.Sort(took)
	t.Logf("%d deliveries answered; p50 %v, p99 %v, max %v; %s in the end", len(took), took[len(took)/2],
		took[len(took)*99/100], took[len(took)-1], memory(in))

	history := gl.Log(testDAGProject, "main")
	for path, head := range heads {
		if n := strings.Count(history, "Model: "+path+"@"+head+" "); n != 1 {
			t.Errorf("the head of %s is in %d commits, want 1", path, n)
		}
	}
}

// sendBurst delivers the pushes again and again, eight at a time, until there were
// as many deliveries as asked for, and kills the program twice meanwhile. It
// returns how long the answers took.
func sendBurst(t *testing.T, in *site, pushes []gitlab.Push) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	third := *burst / 3
	for part := range 3 {
		if part > 0 {
			in.start()
		}
		var senders errgroup.Group
		senders.SetLimit(8)
		for i := range third {
			if i == third*9/10 && part < 2 {
				in.kill() // what is sent from now on is lost, as hooks are
			}
			p, url := pushes[rand.IntN(len(pushes))], in.url
			senders.Go(func() error {
				start := time.Now()
				if deliver(t.Context(), client, url, p) {
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(start))
				}
				return nil
			})
		}
		_ = senders.Wait() // a delivery that fails is what is tested
	}
	if len(took) == 0 {
		t.Fatal("nothing was delivered")
	}
	return took
}

// deliver sends one push and reports whether it was taken.
func deliver(ctx context.Context, client *http.Client, url string, p gitlab.Push) bool {
	r, err := gitlab.NewPushRequest(ctx, url+"/hooks/gitlab", instanceKey, p)
	if err != nil {
		return false
	}
	response, err := client.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode/100 == 2
}

// awaitHeads waits until every head is rendered and nothing is pending.
func awaitHeads(t *testing.T, in *site, gl *gitlabtest.Server, heads map[string]string) {
	t.Helper()
	deadline := time.After(scriptPatience)
	for {
		missing := ""
		for path, head := range heads {
			text, _ := gl.File(testDAGProject, "main", "dags/"+path+".yaml")
			if !strings.Contains(text, head) {
				missing = path
			}
		}
		if missing == "" && strings.Contains(in.get("/api/v2/pushes?state=pending"), `"pushes":[]`) {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond): // another process works
		case <-deadline:
			t.Fatalf("%s was never rendered, or pushes are pending: %s", missing, in.get("/api/v2/pushes?state=pending"))
		}
	}
}

func (in *site) get(path string) string {
	in.Helper()
	r, err := http.NewRequestWithContext(in.Context(), http.MethodGet, in.url+path, nil)
	if err != nil {
		in.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		in.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		in.Fatal(err)
	}
	return string(text)
}

// post sends a form, which must be taken.
func (in *site) post(path string, form url.Values) {
	in.Helper()
	r, err := http.NewRequestWithContext(in.Context(), http.MethodPost, in.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		in.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		in.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		in.Fatalf("POST %s: %s\n%s", path, response.Status, text)
	}
}

// memory is the program's resident memory, as the kernel tells it.
func memory(in *site) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", in.process.Pid))
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return "RSS " + strings.TrimSpace(rest)
		}
	}
	return "RSS unknown"
}
