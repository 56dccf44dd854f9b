package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dagwright/cli/clitest"
	"dagwright/gitlab/gitlabtest"
)

// instanceKey is the signing token of every test's webhook.
const instanceKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// publicURL is the public address in the configuration of tests' instances.
const publicURL = "https://dagwright.example.com"

// site is a "dagwright serve" at work beside a GitLab stand-in.
type site struct {
	*testing.T
	dir string
	url string
	log *lockedBuffer
	// kill ends the program as kill -9 does; start starts it again.
	kill    func()
	process *os.Process
}

// startInstance writes a configuration, with more lines in it, and starts "dagwright
// serve". It ends with the test.
func startInstance(t *testing.T, gl *gitlabtest.Server, dagProject, more string) *site {
	t.Helper()
	in := &site{T: t, dir: t.TempDir(), log: &lockedBuffer{}}
	in.write("token", gl.Token)
	in.write("secret", instanceKey)
	in.write("dagwright.yml", in.config(gl, dagProject, more))

	in.start()
	return in
}

// start starts the program, and ends it with the test or by kill.
func (in *site) start() {
	in.Helper()
	in.begin("warn", "")
}

// begin starts the program in a folder, with more in its environment.
func (in *site) begin(logLevel, dir string, env ...string) {
	in.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(in.Context()))
	cmd := clitest.Program(ctx, "serve", "--config", in.path("dagwright.yml"), "--log-level", logLevel)
	cmd.Dir, cmd.Env = dir, append(cmd.Env, env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = in.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		in.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		in.Fatal(err)
	}
	ended := sync.OnceFunc(func() {
		cancel()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // ended by a signal
	})
	in.Cleanup(func() {
		ended()
		if in.Failed() {
			in.Logf("log of %s:\n%.20000s", in.dir, in.log)
		}
	})
	in.kill = func() {
		_ = cmd.Process.Kill()
		ended()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, url, found := strings.Cut(line, " at ")
	if err != nil || !found {
		in.Fatalf("serve said %q, %v\n%s", line, err, in.log)
	}
	in.url = strings.TrimSpace(url)
	in.process = cmd.Process
}

func (in *site) config(gl *gitlabtest.Server, dagProject, more string) string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
auth: none
public_url: %s
database: sqlite:%s
data: %s
dag_repository: {url: %q, project: %s, username: dagwright, password_file: %s}
gitlab: {url: %q, token_file: %s, groups: [gbc], reconcile: 2s}
webhook: {secret_files: [%s]}
models: {registry: registry.example.com}
scheduler: {executor: process, poll: 1s}
%s`, publicURL, in.path("dagwright.db"), in.path("data"), gl.CloneURL(dagProject), dagProject, in.path("token"), gl.URL,
		in.path("token"), in.path("secret"), more)
}

func (in *site) path(name string) string { return filepath.Join(in.dir, name) }

func (in *site) write(name, text string) {
	in.Helper()
	if err := os.WriteFile(in.path(name), []byte(text), 0o600); err != nil {
		in.Fatal(err)
	}
}

// client runs a command of dagwright against the instance, which must succeed, and
// returns what it prints.
func (in *site) client(args ...string) string {
	in.Helper()
	out, err := clitest.Program(in.Context(), append(args, "--server", in.url)...).CombinedOutput()
	if err != nil {
		in.Fatalf("dagwright %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
