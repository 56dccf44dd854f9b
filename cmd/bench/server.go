package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// server is a running "dagwright dev".
type server struct {
	cmd  *exec.Cmd
	home string
	url  string
}

var greeting = regexp.MustCompile(`(?:Pages +|dagwright serves .* at )(http://\S+)`)

// start starts the program on a folder and returns once it has printed where
// it listens.
func (b *bench) start(home string) (*server, error) {
	return b.startServer(home, exec.Command(b.program, "dev", "--dir", home, "--listen", "127.0.0.1:0"))
}

func (b *bench) startServer(home string, cmd *exec.Cmd) (*server, error) {
	s := &server{home: home, cmd: cmd}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := greeting.FindStringSubmatch(lines.Text()); m != nil {
			s.url = m[1]
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s, nil
		}
	}
	return nil, errors.Join(errors.New("no greeting"), s.cmd.Wait())
}

func (s *server) stop() error {
	return errors.Join(s.cmd.Process.Signal(os.Interrupt), s.cmd.Wait())
}

// client keeps as many connections as the bursts use, so that opening them is
// not measured.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: triggerers}}

// call sends a request and decodes the answer into out, unless that is nil.
func (s *server) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v2"+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// until calls ok again with each change that the server reports, until it
// returns true.
func (s *server) until(ctx context.Context, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/events", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		for line := "x"; !strings.HasPrefix(line, "data:"); {
			if line, err = lines.ReadString('\n'); err != nil {
				return fmt.Errorf("wait for a change: %w", err)
			}
		}
	}
}

// awaitDAGs waits until there are at least n DAGs.
func (s *server) awaitDAGs(ctx context.Context, n int) error {
	return s.until(ctx, func() (bool, error) {
		var list struct {
			Total int `json:"total_entries"`
		}
		err := s.call(ctx, http.MethodGet, "/dags?limit=1", nil, &list)
		return list.Total >= n, err
	})
}

// awaitEnded waits until no run is queued or running.
func (s *server) awaitEnded(ctx context.Context) error {
	return s.until(ctx, func() (bool, error) {
		var list struct {
			Total int `json:"total_entries"`
		}
		err := s.call(ctx, http.MethodGet, "/dags/~/dagRuns?limit=1&state=queued&state=running", nil, &list)
		return list.Total == 0, err
	})
}

// pss is the proportional memory of the process in MB.
func (s *server) pss() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb / 1000, err
		}
	}
	return 0, errors.New("no Pss in smaps_rollup")
}

// cpu is the time that the process itself, without its children, has used.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// git runs git in a folder below the bench's own.
func git(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git",
		append([]string{"-c", "user.name=bench", "-c", "user.email=bench@localhost"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}

// pushSpecs commits spec files to the server's DAG repository.
func pushSpecs(ctx context.Context, work, repository string, files map[string]string) error {
	if err := git(ctx, ".", "clone", "--quiet", repository, work); err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"checkout", "--quiet", "-B", "main"}, {"add", "--all"},
		{"commit", "--quiet", "--message=Bench"}, {"push", "--quiet", "origin", "main"}} {
		if err := git(ctx, work, args...); err != nil {
			return err
		}
	}
	return nil
}
