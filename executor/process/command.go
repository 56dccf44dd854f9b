package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/supervisor"
)

// The exit codes of a command that cannot be run, as shells and container
// runtimes give them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// unrunnable says why a command cannot be run: an end, not an error.
type unrunnable struct {
	code   int
	reason string
}

func (u *unrunnable) end(at time.Time) *supervisor.End {
	return &supervisor.End{ExitCode: u.code, Reason: u.reason, At: at}
}

// argvOf is the attempt's command line.
func argvOf(a executor.Attempt) ([]string, error) {
	argv := append(append([]string(nil), a.Task.Cmds...), a.Task.Arguments...)
	if len(argv) == 0 || argv[0] == "" {
		return nil, fmt.Errorf("a local process needs cmds: %w", dag.ErrInvalid)
	}
	for _, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			return nil, fmt.Errorf("command line holds a NUL character: %w", dag.ErrInvalid)
		}
	}
	return argv, nil
}

// mergeEnv makes one environment; later lists and later entries win. Values
// are never part of an error.
func mergeEnv(lists ...[]dag.EnvVar) (map[string]string, error) {
	env := map[string]string{}
	for _, list := range lists {
		for _, v := range list {
			if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") {
				return nil, fmt.Errorf("environment variable %q: illegal name: %w", v.Name, dag.ErrInvalid)
			}
			if strings.ContainsRune(v.Value, 0) {
				return nil, fmt.Errorf("environment variable %q: value holds a NUL character: %w", v.Name, dag.ErrInvalid)
			}
			env[v.Name] = v.Value
		}
	}
	return env, nil
}

// listEnv is an environment as a process is given it.
func listEnv(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// refusedBySystem is the end of a command that is there and that the system
// does not execute, such as a script whose interpreter is missing.
func refusedBySystem(name string, errno syscall.Errno) *unrunnable {
	code := codeNotExecutable
	if errno == syscall.ENOENT {
		code = codeNotFound
	}
	return &unrunnable{code, fmt.Sprintf("command cannot be run: %s: %s", printable(name), errno)}
}

// lookUp finds the program as execvp does, but in the given PATH.
func lookUp(name, dir, path string) (string, *unrunnable) {
	if strings.Contains(name, "/") {
		return name, checkProgram(name, within(dir, name))
	}
	denied := false
	for _, folder := range filepath.SplitList(path) {
		// An empty entry is the working folder, as for execvp.
		file := within(dir, folder) + "/" + name
		bad := checkProgram(name, file)
		if bad == nil {
			return file, nil
		}
		denied = denied || bad.code == codeNotExecutable
	}
	switch {
	case denied:
		return "", &unrunnable{codeNotExecutable, "command is not executable: " + printable(name)}
	case path == "":
		return "", &unrunnable{codeNotFound, "command not found: " + printable(name) + " (no PATH is set)"}
	}
	return "", &unrunnable{codeNotFound, "command not found: " + printable(name)}
}

func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func checkProgram(name, file string) *unrunnable {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrPermission) {
		return &unrunnable{codeNotExecutable, "command is not executable: " + printable(name)}
	}
	if err != nil {
		return &unrunnable{codeNotFound, "command not found: " + printable(name)}
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return &unrunnable{codeNotExecutable, "command is not executable: " + printable(name)}
	}
	return nil
}

// printable makes a name fit for one line of a log.
func printable(name string) string {
	if len(name) > 200 {
		name = name[:200] + "…"
	}
	q := fmt.Sprintf("%q", name)
	if q == `"`+name+`"` {
		return name
	}
	return q
}
