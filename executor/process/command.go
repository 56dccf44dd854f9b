package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dagwright/dag"
	"dagwright/executor"
)

// script is the wrapper. It uses builtins only, so that it costs one fork, and
// no variables, since those that are exported reach the command. The trap
// lets it outlive a signal to the group; unlike an ignored signal a trapped one
// has its default effect in the command. Descriptor 3 is the claim.
const script = `trap : HUP INT QUIT TERM USR1 USR2
unset PWD OLDPWD SHLVL
echo "pid $$" >&3 || exit
"$@" 3>&-
echo "exit $?" >&3`

// The exit codes of a command that cannot be run, as shells and container
// runtimes give them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// command is what is forked.
type command struct {
	argv []string
	env  []string
	dir  string
}

// unrunnable says why a command cannot be run: an end, not an error.
type unrunnable struct {
	code   int
	reason string
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

// newCommand puts the wrapper around argv. vars are in rising order of rank.
func newCommand(shell, dir string, argv []string, vars ...[]dag.EnvVar) (command, *unrunnable, error) {
	env, err := mergeEnv(vars...)
	if err != nil {
		return command{}, nil, err
	}
	path, bad := lookUp(argv[0], dir, env["PATH"])
	if bad != nil {
		return command{}, bad, nil
	}
	c := command{argv: []string{shell, "-c", script, "sh"}, dir: dir}
	var odd []string
	for name, value := range env {
		if passesShell(name) {
			c.env = append(c.env, name+"="+value)
		} else {
			odd = append(odd, name+"="+value)
		}
	}
	if len(odd) > 0 {
		if strings.Contains(path, "=") {
			return command{}, nil, fmt.Errorf("env(1) cannot run a command whose path holds \"=\": %w", dag.ErrInvalid)
		}
		c.argv = append(append(c.argv, "/usr/bin/env", "--"), odd...)
	}
	c.argv = append(append(c.argv, path), argv[1:]...)
	return c, nil, nil
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

// passesShell reports whether every sh hands a variable on as it was given.
func passesShell(name string) bool {
	switch name {
	case "PWD", "OLDPWD", "SHLVL", "IFS", "OPTIND", "OPTARG", "OPTERR", "PPID", "LINENO", "_", "UID", "EUID", "ENV",
		"PS1", "PS2", "PS4", "SHELLOPTS", "POSIXLY_CORRECT", "GROUPS", "DIRSTACK", "RANDOM", "SECONDS", "FUNCNAME":
		return false
	}
	if strings.HasPrefix(name, "BASH") {
		return false
	}
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
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

// printable makes a name fit for one line of a claim or log.
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
