package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"dagwright/tasklog/limit"
)

// task is one process and what it is to the supervisor, until Forget. The
// server's mutex guards it.
type task struct {
	Status
	tag      uint64
	limits   limit.Limits // of the log
	forked   bool         // it was started, or is not to be
	deadline time.Time    // of Stop
	force    *time.Timer  // runs out at the deadline
	output   *output      // nil when there was none
	exited   bool         // its process was reaped
	exitCode int
}

func newTask(spec Spec, tag uint64) *task {
	return &task{Status: Status{ID: spec.ID, Note: spec.Note}, tag: tag, limits: spec.Limits}
}

// start starts a process, or finds what has its id. current says that the
// client that asks is still the newest.
func (s *server) start(spec Spec, current func() bool) (Status, *StartError) {
	// One at a time: marks must go down in the order of the forks.
	s.forking.Lock()
	defer s.forking.Unlock()
	s.mu.Lock()
	if t := s.tasks[spec.ID]; t != nil {
		defer s.mu.Unlock()
		return t.Status, nil
	}
	if !current() {
		s.mu.Unlock()
		return Status{}, &StartError{Step: StepJournal, Text: "another client has taken over"}
	}
	s.tag--
	t := newTask(spec, s.tag)
	first := []entry{{Op: opStart, ID: spec.ID, Note: spec.Note, Tag: t.tag}}
	if spec.End != nil {
		first = append(first, entry{Op: opEnd, ID: spec.ID, End: spec.End})
	}
	err := s.catchUp()
	if err == nil {
		err = s.journal.append(first...)
	}
	if err != nil {
		s.mu.Unlock()
		return Status{}, startError(StepJournal, err)
	}
	s.tasks[spec.ID] = t
	s.forks++
	s.mu.Unlock()

	pid, out, fault := s.launch(spec, t.tag)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun(t, spec, pid, out, fault)
	return t.Status, fault
}

// begun takes in how a start went. s.mu is held.
func (s *server) begun(t *task, spec Spec, pid int, out *output, fault *StartError) {
	defer s.forkDone()
	t.forked, t.output, t.PID, t.End = true, out, pid, spec.End
	if fault != nil {
		delete(s.tasks, t.ID)
		s.note(entry{Op: opForget, ID: t.ID})
		s.leaveIfIdle()
		return
	}
	if pid == 0 {
		return
	}
	s.note(entry{Op: opRun, ID: t.ID, PID: pid})
	if code, ok := s.early[pid]; ok {
		s.mainEnded(t, code)
		return
	}
	s.mains[pid] = t
	if t.Stopped {
		s.pursue(t)
	}
}

func (s *server) forkDone() {
	if s.forks--; s.forks == 0 {
		clear(s.early)
	}
}

// note appends to the journal what is true whether or not it can be written,
// now or when the disk takes it. s.mu is held.
func (s *server) note(e ...entry) {
	s.unwritten = append(s.unwritten, e...)
	_ = s.catchUp() // it tries again
}

// catchUp writes what the journal lacks, in its order. When that fails it is
// tried again from time to time, and until then the supervisor does not leave.
// s.mu is held.
func (s *server) catchUp() error {
	if len(s.unwritten) == 0 {
		return nil
	}
	err := s.journal.append(s.unwritten...)
	if err == nil {
		s.unwritten = nil
		return nil
	}
	if s.retry == nil {
		fmt.Fprintln(os.Stderr, err)
		s.retry = time.AfterFunc(journalPause, s.retryJournal)
	}
	return err
}

func (s *server) retryJournal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.catchUp() != nil {
		s.retry.Reset(journalPause)
		return
	}
	s.retry = nil
	s.leaveIfIdle()
}

// launch opens the log, and forks unless there is nothing to run.
func (s *server) launch(spec Spec, tag uint64) (pid int, out *output, fault *StartError) {
	file, err := openLog(spec.Log)
	if err != nil {
		return 0, nil, logError(err)
	}
	if spec.End != nil {
		_ = file.Close()
		return 0, nil, nil
	}
	log, err := spec.Limits.Append(file)
	if err != nil {
		_ = file.Close()
		return 0, nil, logError(err)
	}
	pid, pipe, fault := s.forkInto(spec, tag)
	if fault != nil {
		_ = file.Close()
		return 0, nil, fault
	}
	return pid, copyOutput(pipe, file, log), nil
}

// forkInto forks with a new pipe as output, and returns its reading end.
func (s *server) forkInto(spec Spec, tag uint64) (pid, pipe int, fault *StartError) {
	if err := setTag(tag); err != nil {
		return 0, 0, startError(StepMark, err)
	}
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		return 0, 0, startError(StepRun, err)
	}
	defer syscall.Close(p[1])
	pid, err := s.fork(spec, p[1])
	if err != nil {
		_ = syscall.Close(p[0])
		return 0, 0, startError(StepRun, err)
	}
	return pid, p[0], nil
}

var errSealed = errors.New("the log is complete, so the process has ended before")

func openLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&0o200 == 0 {
		err = errSealed
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func logError(err error) *StartError {
	if errors.Is(err, errSealed) || errors.Is(err, os.ErrPermission) {
		return &StartError{Step: StepSealed, Text: errSealed.Error()}
	}
	return startError(StepLog, err)
}

func startError(step Step, err error) *StartError {
	e := &StartError{Step: step, Text: err.Error()}
	errors.As(err, &e.Errno)
	return e
}

// usualUmask lets everybody read what a process writes.
const usualUmask = 0o022

// fork forks and executes. A script without a first line that names its
// interpreter is one for sh, as execvp(3) has it.
func (s *server) fork(spec Spec, out int) (int, error) {
	// The process inherits it. The supervisor gives each of its files the mode
	// that it is to have, so that it needs none of its own.
	syscall.Umask(cmp.Or(spec.Umask, usualUmask))
	attr := &syscall.ProcAttr{
		Dir: spec.Dir, Env: spec.Env,
		Files: []uintptr{s.null.Fd(), uintptr(out), uintptr(out)},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	pid, err := syscall.ForkExec(spec.Argv[0], spec.Argv, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		pid, err = syscall.ForkExec("/bin/sh", append([]string{"sh"}, spec.Argv...), attr)
	}
	return pid, err
}

// reap takes in the ends of children. Those that have lost their parent are
// nobody's main process, and only their places are given back.
func (s *server) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			break
		}
		code := exitCode(status)
		if t := s.mains[pid]; t != nil {
			delete(s.mains, pid)
			s.mainEnded(t, code)
		} else if s.forks > 0 {
			s.early[pid] = code
		}
	}
	close(s.reaped)
	s.reaped = make(chan struct{})
}

func exitCode(w syscall.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

// mainEnded takes in the exit of a task's process. s.mu is held.
func (s *server) mainEnded(t *task, code int) {
	t.exited, t.exitCode = true, code
	if t.force != nil {
		t.force.Stop()
	}
	go s.finish(t)
}

// finish ends what the process has left behind, completes the log and reports
// the end.
func (s *server) finish(t *task) {
	if !s.killOrphans(func(tag uint64) bool { return tag == t.tag }) {
		fmt.Fprintln(os.Stderr, "some processes do not end: those of", string(t.Note))
	}
	if t.output != nil {
		t.output.finish()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.End = &End{ExitCode: t.exitCode, At: time.Now()}
	s.note(entry{Op: opEnd, ID: t.ID, End: t.End})
	if s.client != nil {
		s.client.send(message{Status: new(t.Status)})
	}
	if !s.busy() {
		// What hid whose it is belongs to nobody who is still there.
		go s.killOrphans(s.nobodys)
	}
	s.leaveIfIdle()
}

// nobodys reports whether a tag is of no task that runs, while none runs.
func (s *server) nobodys(uint64) bool { return !s.busy() && s.forks == 0 }

// killOrphans kills the children that are not a task's process and that mine
// wants, and those that come to this process thereby, and returns when there
// are none any more. mine is called with s.mu held.
func (s *server) killOrphans(mine func(tag uint64) bool) (gone bool) {
	for deadline := time.Now().Add(killPatience); time.Now().Before(deadline); {
		s.mu.Lock()
		left := false
		// Children are reaped under the mutex, so none of these numbers can go to
		// a stranger meanwhile.
		for _, pid := range children() {
			if s.mains[pid] == nil && mine(tagOf(pid)) {
				left = true
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		reaped := s.reaped
		s.mu.Unlock()
		if !left {
			return true
		}
		select {
		case <-reaped:
		case <-time.After(killPause):
		}
	}
	return false
}

// stop ends a task: SIGTERM to its process group, SIGKILL at the deadline. A
// later deadline than that of an earlier stop changes nothing.
func (s *server) stop(id string, deadline time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil || t.End != nil || t.exited || t.Stopped && !deadline.Before(t.deadline) {
		return nil
	}
	// A wish that cannot be written is carried out all the same: it frees what
	// is short.
	s.note(entry{Op: opStop, ID: id, Deadline: deadline})
	t.Stopped, t.deadline = true, deadline
	s.pursue(t)
	return nil
}

// pursue carries out a stop when the process is known. s.mu is held.
func (s *server) pursue(t *task) {
	if t.PID == 0 || t.exited {
		return // begun goes on with it, or finish
	}
	if t.force != nil {
		t.force.Stop()
	}
	left := time.Until(t.deadline)
	if left <= 0 {
		_ = syscall.Kill(-t.PID, syscall.SIGKILL)
		return
	}
	_ = syscall.Kill(-t.PID, syscall.SIGTERM)
	t.force = time.AfterFunc(left, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !t.exited {
			_ = syscall.Kill(-t.PID, syscall.SIGKILL)
		}
	})
}

// forget drops what has ended.
func (s *server) forget(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil {
		return nil
	}
	if t.End == nil {
		return errors.New("it still runs")
	}
	delete(s.tasks, id)
	s.note(entry{Op: opForget, ID: id})
	if len(s.tasks) == 0 || s.journal.size > compactFrom && s.journal.size > int64(len(s.tasks))*4096 {
		if err := s.journal.rewrite(s.entries()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		} else {
			s.unwritten = nil
		}
	}
	return nil
}

// entries are what a new journal needs. s.mu is held.
func (s *server) entries() []entry {
	var all []entry
	for _, t := range s.tasks {
		all = append(all, entry{Op: opStart, ID: t.ID, Note: t.Note, Tag: t.tag})
		if t.PID != 0 {
			all = append(all, entry{Op: opRun, ID: t.ID, PID: t.PID})
		}
		if t.Stopped {
			all = append(all, entry{Op: opStop, ID: t.ID, Deadline: t.deadline})
		}
		if t.End != nil {
			all = append(all, entry{Op: opEnd, ID: t.ID, End: t.End})
		}
	}
	return all
}
