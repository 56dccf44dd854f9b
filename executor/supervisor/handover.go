package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"dagwright/tasklog/limit"
)

const handOverName = "handover"

// handOver is what a supervisor leaves in a file for the program that it
// becomes: descriptors that stay open, and what the journal does not say.
type handOver struct {
	PID   int      `json:"pid"` // of the supervisor, which does not change
	Lock  int      `json:"lock"`
	Tasks []handed `json:"tasks"`
}

// handed is a task that runs during a hand-over. Pipe and Log are -1 when its
// output is complete and only its end is not noted yet.
type handed struct {
	ID   string `json:"id"`
	Pipe int    `json:"pipe"`
	Log  int    `json:"log"`
	// Limits and State are those of the log.
	Limits   limit.Limits `json:"limits,omitzero"`
	State    limit.State  `json:"state,omitzero"`
	Exited   bool         `json:"exited,omitempty"`
	ExitCode int          `json:"exit_code,omitempty"`
}

// ownBuild tells this program from another build of it: what runs is this very
// file. It is "" when the system does not say.
func ownBuild() string {
	info, err := os.Stat("/proc/self/exe")
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d-%d-%d-%d", stat.Dev, stat.Ino, stat.Size, info.ModTime().UnixNano())
}

// handOver makes another program of this process. It returns only if that
// fails, and then everything goes on as before.
func (s *server) handOver(program string) error {
	s.forking.Lock()
	defer s.forking.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forks > 0 {
		return errors.New("a process is being started")
	}
	if err := s.catchUp(); err != nil {
		return err
	}
	h := handOver{PID: os.Getpid(), Lock: int(s.lock.Fd())}
	open := []int{h.Lock}
	for _, t := range s.tasks {
		if t.End != nil || t.output == nil {
			continue
		}
		pipe, log := t.output.pause()
		defer t.output.resume()
		h.Tasks = append(h.Tasks, handed{
			ID: t.ID, Pipe: pipe, Log: log, Limits: t.limits, State: t.output.log.State(),
			Exited: t.exited, ExitCode: t.exitCode,
		})
		if pipe >= 0 {
			open = append(open, pipe, log)
		}
	}
	return s.become(program, h, open)
}

// become writes the file and executes the program with the descriptors open.
func (s *server) become(program string, h handOver, open []int) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	name := filepath.Join(s.dir, handOverName)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return err
	}
	setCloseOnExec(open, false)
	err = syscall.Exec(program, []string{processName, s.dir}, os.Environ())
	setCloseOnExec(open, true)
	return errors.Join(fmt.Errorf("become %s: %w", program, err), os.Remove(name))
}

func setCloseOnExec(fds []int, on bool) {
	flag := 0
	if on {
		flag = syscall.FD_CLOEXEC
	}
	for _, fd := range fds {
		_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, uintptr(flag))
	}
}

// readHandOver returns what this process left for itself, nil when it is a new
// one. A file of another process is of one that was killed just then.
func readHandOver(dir string) (*handOver, error) {
	name := filepath.Join(dir, handOverName)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var h handOver
	if json.Unmarshal(text, &h) != nil || h.PID != os.Getpid() || !isLock(dir, h.Lock) {
		return nil, nil //nolint:nilerr // it is of another supervisor, or half written
	}
	return &h, os.Remove(name)
}

// isLock reports whether a descriptor is the lock of the folder: the process
// id alone may be that of an earlier supervisor, used again.
func isLock(dir string, fd int) bool {
	var own syscall.Stat_t
	info, err := os.Stat(filepath.Join(dir, lockName))
	if err != nil || syscall.Fstat(fd, &own) != nil {
		return false
	}
	want, ok := info.Sys().(*syscall.Stat_t)
	return ok && want.Dev == own.Dev && want.Ino == own.Ino
}

// output goes on with the copying.
func (h handed) output() *output {
	file := os.NewFile(uintptr(h.Log), "log")
	log, err := h.Limits.Resume(file, h.State)
	if err != nil {
		// There is no log to write to, so nobody reads.
		fmt.Fprintln(os.Stderr, err)
		_ = file.Close()
		_ = syscall.Close(h.Pipe)
		return nil
	}
	return copyOutput(h.Pipe, file, log)
}

// adopt goes on with the tasks of a hand-over, and says which those are.
func (s *server) adopt(h *handOver) map[string]bool {
	kept := map[string]bool{}
	if h == nil {
		return kept
	}
	for _, from := range h.Tasks {
		t := s.tasks[from.ID]
		if t == nil || t.End != nil {
			continue
		}
		kept[from.ID] = true
		if from.Pipe >= 0 {
			setCloseOnExec([]int{from.Pipe, from.Log}, true)
			t.limits, t.output = from.Limits, from.output()
		}
		if from.Exited {
			t.exited, t.exitCode = true, from.ExitCode
			go s.finish(t)
			continue
		}
		s.mains[t.PID] = t
		if t.Stopped {
			s.pursue(t)
		}
	}
	return kept
}
