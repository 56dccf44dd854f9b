package instance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/checkout"
	"dagwright/executor/process"
	"dagwright/tasklog"
	"dagwright/usage"
)

// NewLogger writes text lines at the given level and above.
func NewLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage.New(fmt.Errorf("log level %q: want debug, info, warn or error", level))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// PrivateUmask is the umask of an instance (umask(2)): what it writes is its own
// user's alone, and so is what local processes write unless they set another.
const PrivateUmask = 0o077

// MakePrivate makes the data folder if need be, and takes away what others may do
// there, also with files that an earlier version has made. A folder that belongs
// to another user, such as a volume's, keeps its mode.
func MakePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// OpenProcesses runs attempts as processes of this machine, with what they need
// below the folder data.
func OpenProcesses(data string, work *checkout.Workspaces, logs *tasklog.Dir,
	logger *slog.Logger) (executor.Executor, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	return process.Open(process.Config{
		StateDir: filepath.Join(data, "attempts"), Logs: logs, Workdir: work.Open,
		Env: localEnv(filepath.Join(data, "bin")), Umask: PrivateUmask, Logger: logger,
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
