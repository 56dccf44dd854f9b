package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dagwright/cli/clitest"
	"dagwright/gitlab"
)

// devProcess is a "dagwright dev" of its own for one test, which can look at
// its folder, its log and its memory.
type devProcess struct {
	url, dir string
	log      *lockedBuffer
	pid      int
	// stop ends the server as Ctrl-C does, so that its log is complete.
	stop func()
	// kill ends it with SIGKILL.
	kill  func()
	lines *bufio.Scanner // of its standard output
}

// lockedBuffer collects the log while the test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// startDevProcess starts "dagwright dev" and waits for its four example DAGs.
func startDevProcess(t *testing.T, flags ...string) *devProcess {
	t.Helper()
	d := &devProcess{dir: filepath.Join(t.TempDir(), "dev"), log: &lockedBuffer{}}
	d.start(t, flags...)
	if !d.greeted() {
		t.Fatalf("dagwright dev ended without a greeting: %s", d.log)
	}
	d.awaitExamples(t)
	return d
}

// start starts "dagwright dev" on the folder.
func (d *devProcess) start(t *testing.T, flags ...string) {
	t.Helper()
	d.run(t, append([]string{"dev", "--dir", d.dir, "--listen", "127.0.0.1:0"}, flags...)...)
}

// run starts the program with any arguments.
func (d *devProcess) run(t *testing.T, args ...string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), clitest.AsProgram+"=1")
	cmd.Stderr = d.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.pid, d.url, d.lines = cmd.Process.Pid, "", bufio.NewScanner(out)
	end := func(s os.Signal) func() {
		return func() {
			_ = cmd.Process.Signal(s)
			_ = cmd.Wait() // again, when both are called, it does nothing
		}
	}
	d.stop, d.kill = sync.OnceFunc(end(os.Interrupt)), sync.OnceFunc(end(os.Kill))
	t.Cleanup(d.stop)
}

// greeted waits until the server has said where it is, and reports whether it
// did before it ended.
func (d *devProcess) greeted() bool {
	lines := d.lines
	for lines.Scan() {
		if m := greeting.FindStringSubmatch(lines.Text()); m != nil {
			d.url = m[1]
			go func() {
				for lines.Scan() { // so that the server never waits for a reader
				}
			}()
			return true
		}
	}
	return false
}

func (d *devProcess) awaitExamples(t *testing.T) {
	t.Helper()
	for _, id := range []string{"churn-model", "churn-model-retrain", "fraud-model", "fraud-model-retrain"} {
		d.await(t, `"dag_id": ?"`+id+`"`, "/api/v2/dags")
	}
}

// do sends a request and returns the answer's status and body.
func (d *devProcess) do(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	// A redirect is an answer too.
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (d *devProcess) request(t *testing.T, method, path, contentType, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func (d *devProcess) get(t *testing.T, path string) (int, string) {
	t.Helper()
	return d.do(t, d.request(t, http.MethodGet, path, "", ""))
}

// await reads a page again with each change that the server reports, until it
// matches. It gives up when the page stayed the same for scriptPatience: how long
// the whole of it takes depends on what else the machine does.
func (d *devProcess) await(t *testing.T, pattern, path string) string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck := time.AfterFunc(scriptPatience, cancel)
	defer stuck.Stop()
	changes, err := openEvents(ctx, d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Close()
	lines, last := bufio.NewReader(changes), ""
	for {
		_, body := d.get(t, path)
		if want.MatchString(body) {
			return body
		}
		if body != last {
			stuck.Reset(scriptPatience)
			last = body
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("no match for %q in %s before the end (%v):\n%s\nlog:\n%s", pattern, path, err, body, d.log)
		}
	}
}

// secret is the webhook's.
func (d *devProcess) secret(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, "webhook-secret"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// event is a correctly signed push event.
func (d *devProcess) event(t *testing.T, p gitlab.Push) *http.Request {
	t.Helper()
	r, err := gitlab.NewPushRequest(t.Context(), d.url+"/hooks/gitlab", d.secret(t), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// git runs git in a folder, as a user whose pushes reach the server.
func (d *devProcess) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	// The hook runs this very program.
	cmd.Env = append(os.Environ(), clitest.AsProgram+"=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada",
		"GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// clone clones one of the server's repositories.
func (d *devProcess) clone(t *testing.T, repository string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	d.git(t, ".", "clone", "--quiet", filepath.Join(d.dir, repository), dir)
	return dir
}

// push commits everything in a clone and pushes it to main.
func (d *devProcess) push(t *testing.T, clone, message string) {
	t.Helper()
	d.git(t, clone, "add", "--all")
	d.git(t, clone, "commit", "--quiet", "--message", message)
	d.git(t, clone, "push", "--quiet", "origin", "HEAD:main")
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// trigger asks the API for a run.
func (d *devProcess) trigger(t *testing.T, id string, body string) (int, string) {
	t.Helper()
	return d.do(t, d.request(t, http.MethodPost, "/api/v2/dags/"+id+"/dagRuns", "application/json", body))
}

// triggerForm asks the page for a run with a config.
func (d *devProcess) triggerForm(t *testing.T, id string, fields url.Values) (int, string) {
	t.Helper()
	fields.Set("mode", "config")
	r := d.request(t, http.MethodPost, "/dags/"+id+"/trigger", "application/x-www-form-urlencoded", fields.Encode())
	r.Header.Set("Origin", d.url)
	return d.do(t, r)
}

// pushes counts the pushes that were recorded.
func (d *devProcess) pushes(t *testing.T) int {
	t.Helper()
	_, body := d.get(t, "/models")
	return strings.Count(body, `id="push-`)
}

// peakRSS is the most memory that the server ever had resident, in bytes.
func (d *devProcess) peakRSS(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(d.pid) + "/status")
	if err != nil {
		t.Fatalf("peak memory: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// files lists the names below a folder.
func files(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		found[e.Name()] = true
	}
	return found
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
