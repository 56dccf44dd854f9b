// Package clitest runs the program in tests as a person does: as a process of its own,
// which is the test's binary once more, on a workstation with settings of its own. A
// package that uses it has a TestMain that asks [IsProgram].
package clitest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// AsProgram is the variable that makes a test binary behave as the program itself. Its
// TestMain calls [IsProgram] first.
const AsProgram = "DAGWRIGHT_TEST_AS_PROGRAM"

// IsProgram reports whether this process is to be the program, as [Program] starts it,
// or as the hooks of a test's repositories call it.
func IsProgram() bool {
	return os.Getenv(AsProgram) != "" || len(os.Args) > 1 && os.Args[1] == "post-receive"
}

// Isolate keeps what the one who runs the tests has set from the program and from this
// process.
func Isolate() {
	for _, name := range []string{"DAGWRIGHT_SERVER", "DAGWRIGHT_CONTEXT", "DAGWRIGHT_TOKEN", "DAGWRIGHT_TOKEN_FILE"} {
		os.Unsetenv(name)
	}
	os.Setenv("XDG_CONFIG_HOME", "/nonexistent")
}

// Program is this very program with arguments.
func Program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), AsProgram+"=1")
	return cmd
}

// Workstation runs the program with settings of their own.
type Workstation struct {
	*testing.T
	// Shown is all that the program ever wrote.
	Shown strings.Builder
	// Dir is the folder in which the program runs, the test's own when empty.
	Dir string

	settings string
	env      []string
}

// NewWorkstation returns a workstation on which env is set, each as "NAME=value".
func NewWorkstation(t *testing.T, env ...string) *Workstation {
	return &Workstation{T: t, settings: t.TempDir(), env: env}
}

// Command is the program with arguments.
func (p *Workstation) Command(args ...string) *exec.Cmd {
	cmd := Program(p.Context(), args...)
	cmd.Dir = p.Dir
	cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+p.settings)
	cmd.Env = append(cmd.Env, p.env...)
	return cmd
}

// Run runs a command line, and wants an exit code and words in what it writes.
func (p *Workstation) Run(stdin string, code int, words string, args ...string) {
	p.Helper()
	cmd := p.Command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	p.Shown.Write(out)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		p.Fatal(err)
	}
	if got != code || !strings.Contains(string(out), words) {
		p.Errorf("dagwright %s: exit %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, words, out)
	}
}

// File is the path of one of the program's own files, such as its credentials.
func (p *Workstation) File(name string) string { return filepath.Join(p.settings, "dagwright", name) }

var expires = regexp.MustCompile(`expires: \S+`)

// credentialsFile is where the program keeps what it signs in with.
const credentialsFile = "credentials.yml"

// Tokens are all secrets that are in the file of credentials.
func (p *Workstation) Tokens() (secrets []string) {
	text, err := os.ReadFile(p.File(credentialsFile))
	if err != nil {
		p.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "token" || name == "refresh" {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// Age writes into the file that the tokens have ended.
func (p *Workstation) Age() {
	p.Helper()
	text, err := os.ReadFile(p.File(credentialsFile))
	if err != nil {
		p.Fatal(err)
	}
	old := expires.ReplaceAll(text, []byte("expires: 2000-01-01T00:00:00Z"))
	if bytes.Equal(old, text) {
		p.Fatal("the tokens have no end")
	}
	if err := os.WriteFile(p.File(credentialsFile), old, 0o600); err != nil {
		p.Fatal(err)
	}
}

// Screen is what a command wrote, readable while it runs.
type Screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

// NewScreen returns an empty screen.
func NewScreen() *Screen { return &Screen{news: make(chan struct{}, 1)} }

// Write adds text.
func (o *Screen) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.news <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

// String is all that was written.
func (o *Screen) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Await returns when the output contains a text.
func (o *Screen) Await(t testing.TB, text string) {
	t.Helper()
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.news:
		case <-t.Context().Done():
			t.Fatalf("%q never came: %s", text, o)
		}
	}
}
