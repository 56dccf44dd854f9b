package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/process"
	"dagwright/tasklog"
)

// newLogger writes text lines at the given level and above.
func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("log level %q: want debug, info, warn or error", level)}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// privateUmask is the umask of an instance (umask(2)): what it writes is its own
// user's alone, and so is what local processes write unless they set another.
const privateUmask = 0o077

// makePrivate makes the data folder if need be, and takes away what others may do
// there, also with files that an earlier version has made. A folder that belongs
// to another user, such as a volume's, keeps its mode.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// openProcesses runs attempts as processes of this machine, with what they need
// below the folder data.
func openProcesses(data string, work *workspaces, logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	return process.Open(process.Config{
		StateDir: filepath.Join(data, "attempts"), Logs: logs, Workdir: work.open,
		Env: localEnv(filepath.Join(data, "bin")), Umask: privateUmask, Logger: logger,
	})
}

// localEnv is the environment that every local process gets beside its own:
// where programs are, and that Python shows each line at once.
func localEnv(bin string) []dag.EnvVar {
	return []dag.EnvVar{
		{Name: "PATH", Value: bin + string(filepath.ListSeparator) + os.Getenv("PATH")},
		{Name: "LANG", Value: "C.UTF-8"},
		{Name: "PYTHONUNBUFFERED", Value: "1"},
		{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"},
	}
}

// linkPython makes bin/python stand for python3, since images of models call
// it python and Debian does not.
func (h *devHome) linkPython() error {
	python3, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("python3 is not installed; the example models need it: %w", err)
	}
	if err := os.MkdirAll(h.path("bin"), 0o700); err != nil {
		return err
	}
	// A shim and not a link: a link would hide from Python where it is
	// installed.
	script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", shellQuote(python3))
	return os.WriteFile(h.path("bin", "python"), []byte(script), 0o700)
}

// shellQuote quotes a word for sh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
