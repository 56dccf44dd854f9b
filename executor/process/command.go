package process

import (
	"encoding/json"
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
	"dagwright/reason"
)

// The exit codes of a command that cannot be run, as shells and container
// runtimes give them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// unrunnable says why a command cannot be run: an end, not an error.
type unrunnable struct {
	code int
	why  reason.Reason
}

func (u *unrunnable) end(at time.Time) *supervisor.End {
	why, _ := json.Marshal(u.why) // it can always be written
	return &supervisor.End{ExitCode: u.code, Reason: string(why), At: at}
}

// readReason reads what unrunnable.end told the supervisor; an older dagwright told it
// a sentence.
func readReason(text string) reason.Reason {
	var why reason.Reason
	if json.Unmarshal([]byte(text), &why) != nil {
		return reason.Of(text)
	}
	return why
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
	return &unrunnable{code, reason.New(reason.CannotRun, printable(name), errno)}
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
		return "", &unrunnable{codeNotExecutable, reason.New(reason.NotExecutable, printable(name))}
	case path == "":
		return "", &unrunnable{codeNotFound, reason.New(reason.CommandNoPath, printable(name))}
	}
	return "", &unrunnable{codeNotFound, reason.New(reason.CommandNotFound, printable(name))}
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
		return &unrunnable{codeNotExecutable, reason.New(reason.NotExecutable, printable(name))}
	}
	if err != nil {
		return &unrunnable{codeNotFound, reason.New(reason.CommandNotFound, printable(name))}
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return &unrunnable{codeNotExecutable, reason.New(reason.NotExecutable, printable(name))}
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
