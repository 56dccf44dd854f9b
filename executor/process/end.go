package process

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"dagwright/dag"
)

// conclude takes in the end of an attempt whose wrapper has ended: it ends
// what is left of the group, closes the log and makes the ended event.
// It may be called again after a restart. orphans are the groups that List
// found; nil has them looked for when there may be some.
func (x *Executor) conclude(t *attempt, orphans processGroups) dag.AttemptEvent {
	t.mu.Lock()
	live := t.pidfd != nil
	t.finishGroup()
	scan := !live && t.pid != 0 && orphans == nil
	t.mu.Unlock()
	var err error
	if scan {
		if orphans, err = scanGroups(); err != nil {
			x.logger(t).Error("look for left processes", "err", err)
		}
	}
	cl, err := x.claims.read(t.name)
	if err != nil {
		x.logger(t).Error("read claim", "err", err)
	}
	t.mu.Lock()
	if t.timer != nil {
		t.timer.Stop()
	}
	e := x.started(t)
	e.Phase, e.At = dag.AttemptEnded, x.endTime(cl, live)
	describeEnd(&e, cl, t.wish)
	t.mu.Unlock()

	if err := x.closeLog(t, e, orphans); err != nil {
		x.logger(t).Error("close task log", "err", err)
	}
	t.mu.Lock()
	t.ended = &e
	t.mu.Unlock()
	return e
}

func (x *Executor) logger(t *attempt) *slog.Logger {
	return x.config.Logger.With("dag", t.key.DAG, "run", t.key.Run, "task", t.key.Task, "try", t.key.Try)
}

// endTime is now for an end that was seen, and else when the claim was last
// written.
func (x *Executor) endTime(cl claim, live bool) time.Time {
	if live || !cl.exited || cl.written.Before(cl.Begun) {
		return x.config.Now()
	}
	return cl.written
}

// describeEnd fills in how the attempt ended.
func describeEnd(e *dag.AttemptEvent, cl claim, w *wish) {
	e.ExitCode = cl.exitCode
	switch {
	case cl.reason != "":
		e.Reason = cl.reason
	case cl.exited:
		e.Reason = exitReason(cl.exitCode)
	case w != nil:
		e.ExitCode = 128 + int(unix.SIGKILL)
		e.Reason = exitReason(e.ExitCode)
	default:
		e.Lost = true
		e.Reason = "process vanished without an exit code: it was killed from outside or the machine went down"
	}
	if w == nil {
		return
	}
	e.Stopped = true
	if e.Reason == "" {
		e.Reason = "ended"
	}
	e.Reason += " after stop"
}

// exitReason puts an exit code into words; a shell gives 128 and the signal
// for a process that a signal ended.
func exitReason(code int) string {
	if code == 0 {
		return ""
	}
	if name := unix.SignalName(unix.Signal(code - 128)); code > 128 && name != "" {
		return "killed by " + name
	}
	if code == codeNotFound {
		return "exit code 127: a command was not found"
	}
	return fmt.Sprintf("exit code %d", code)
}

// closeLog writes the reason of a bad end into the log and seals it. A log that
// is sealed already was closed before a restart.
func (x *Executor) closeLog(t *attempt, e dag.AttemptEvent, orphans processGroups) error {
	if e.Reason == "" && len(orphans[t.pid]) == 0 {
		return x.config.Logs.Seal(t.key)
	}
	log, err := x.config.Logs.File(t.key)
	if errors.Is(err, dag.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	defer log.Close()
	orphans.kill(t.pid, log)
	if e.Reason != "" {
		_, err = io.WriteString(log, x.lineBreak(t.key)+"dagwright: "+e.Reason+"\n")
	}
	return errors.Join(err, x.config.Logs.Seal(t.key))
}

// lineBreak is what must be written before a new line can begin.
func (x *Executor) lineBreak(key dag.AttemptKey) string {
	info, err := x.config.Logs.Stat(key)
	if err != nil || info.Size == 0 {
		return ""
	}
	r, err := x.config.Logs.ReadAt(key, info.Size-1, 1)
	if err != nil {
		return ""
	}
	defer r.Close()
	if last, err := io.ReadAll(r); err != nil || string(last) == "\n" {
		return ""
	}
	return "\n"
}
