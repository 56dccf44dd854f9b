package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dagwright/cli/clitest"
	"dagwright/test/cluster/clustertest"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPatience bounds each wait of a script. It is not a speed target: a script that
// reaches it is broken.
const scriptPatience = 5 * time.Minute

func TestMain(m *testing.M) {
	if clitest.IsProgram() {
		main()
	}
	if filepath.Base(os.Args[0]) != "dagwright" { // not the program in a script
		clitest.Isolate()
		clustertest.SideBySide(4)
	}
	testscript.Main(m, map[string]func(){"dagwright": main})
}

// TestScript runs the end-to-end scenarios of testdata/script: the real
// program, real git, real processes.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			e.Setenv("GIT_AUTHOR_NAME", "Ada")
			e.Setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
			e.Setenv("GIT_COMMITTER_NAME", "Ada")
			e.Setenv("GIT_COMMITTER_EMAIL", "ada@example.com")
			d := &devServer{}
			e.Values[devKey{}] = d
			e.Defer(d.end)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"dev":   cmdDev,
			"await": cmdAwait,
			"get":   cmdGet,
			"hook":  cmdHook,
			"count": cmdCount,
		},
	})
}

type devKey struct{}

// devServer is the "dagwright dev" of one script.
type devServer struct {
	cmd *exec.Cmd
	url string
}

func (d *devServer) end() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

func server(ts *testscript.TestScript) *devServer {
	d, _ := ts.Value(devKey{}).(*devServer)
	return d
}

// cmdDev starts, stops or kills the script's server:
//
//	dev start   starts "dagwright dev --dir dev" and waits for its greeting
//	dev stop    sends SIGINT and wants exit code 0
//	dev kill    sends SIGKILL
func cmdDev(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: dev start|stop|kill")
	}
	d := server(ts)
	switch args[0] {
	case "start":
		ts.Check(d.start(ts))
	case "stop":
		ts.Check(d.cmd.Process.Signal(os.Interrupt))
		err := d.cmd.Wait()
		d.cmd = nil
		ts.Check(err)
	case "kill":
		ts.Check(d.cmd.Process.Signal(syscall.SIGKILL))
		_ = d.cmd.Wait() // it says that it was killed
		d.cmd = nil
	default:
		ts.Fatalf("usage: dev start|stop|kill")
	}
}

var greeting = regexp.MustCompile(`(?:Pages +|dagwright serves .* at )(http://\S+)`)

func (d *devServer) start(ts *testscript.TestScript) error {
	d.cmd = exec.Command("dagwright", "dev", "--dir", ts.MkAbs("dev"), "--listen", "127.0.0.1:0")
	if path, err := lookPath(ts, "dagwright"); err == nil {
		d.cmd.Path = path
		d.cmd.Err = nil
	}
	d.cmd.Dir = ts.MkAbs(".")
	d.cmd.Env = scriptEnv(ts)
	d.cmd.Stderr = ts.Stderr()
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := greeting.FindStringSubmatch(lines.Text()); m != nil {
			d.url = m[1]
			ts.Setenv("DAGWRIGHT_SERVER", d.url)
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return nil
		}
	}
	return errors.New("dagwright dev ended without a greeting")
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "DAGWRIGHT_SERVER", "GIT_CONFIG_NOSYSTEM",
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// cmdAwait runs a command again with each change that the server reports, until
// its output matches:
//
//	await PATTERN COMMAND ARG…
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND ARG…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	changes, err := openEvents(ctx, server(ts).url)
	ts.Check(err)
	defer changes.Close()
	lines := bufio.NewReader(changes)
	for {
		out, runErr := output(ts, args[1:])
		if runErr == nil && pattern.MatchString(out) {
			return
		}
		if _, err := lines.ReadString('\n'); err != nil {
			ts.Fatalf("no match for %q before the end (%v) in: %v\n%s", args[0], err, runErr, out)
		}
	}
}

func output(ts *testscript.TestScript, args []string) (string, error) {
	if args[0] == "get" {
		return fetch(ts, http.MethodGet, args[1], nil)
	}
	err := ts.Exec(args[0], args[1:]...)
	return ts.ReadFile("stdout"), err
}

// openEvents opens the server's change feed.
func openEvents(ctx context.Context, url string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// cmdGet prints what the server answers to GET, for stdout; with "!" an error
// status is wanted:
//
//	get /models
func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get PATH")
	}
	body, err := fetch(ts, http.MethodGet, args[0], nil)
	report(ts, neg, body, err)
}

// cmdHook posts a file to the webhook with the given headers:
//
//	hook FILE [NAME=VALUE …]
func cmdHook(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: hook FILE [NAME=VALUE …]")
	}
	header := http.Header{}
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		header.Set(name, value)
	}
	body, err := send(ts, http.MethodPost, "/hooks/gitlab", header, strings.NewReader(ts.ReadFile(args[0])))
	report(ts, neg, body, err)
}

func fetch(ts *testscript.TestScript, method, path string, body io.Reader) (string, error) {
	return send(ts, method, path, nil, body)
}

func send(ts *testscript.TestScript, method, path string, header http.Header, body io.Reader) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, server(ts).url+path, body)
	if err != nil {
		return "", err
	}
	if header != nil {
		r.Header = header
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 400 {
		err = errors.New(response.Status)
	}
	return string(content), err
}

func report(ts *testscript.TestScript, neg bool, body string, err error) {
	_, _ = io.WriteString(ts.Stdout(), body)
	if err != nil {
		_, _ = io.WriteString(ts.Stderr(), err.Error()+"\n")
	}
	if (err != nil) != neg {
		ts.Fatalf("status: %v\n%s", err, body)
	}
}

// cmdCount wants a pattern to be found in a file exactly so often:
//
//	count N PATTERN FILE
func cmdCount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: count N PATTERN FILE")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	n := len(pattern.FindAllString(ts.ReadFile(args[2]), -1))
	if got := strconv.Itoa(n); got != args[0] {
		ts.Fatalf("%s matches of %q in %s, want %s", got, args[1], args[2], args[0])
	}
}
