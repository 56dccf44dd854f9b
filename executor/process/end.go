package process

import (
	"cmp"
	"errors"
	"io"
	"log/slog"

	"golang.org/x/sys/unix"

	"dagwright/dag"
	"dagwright/executor/supervisor"
	"dagwright/reason"
)

// end takes in how an attempt ended and reports it.
func (x *Executor) end(t *attempt, s supervisor.Status) {
	if x.conclude(t, s) {
		x.send(x.event(t))
	}
}

// conclude takes in how an attempt ended, and closes its log. It is false when
// that is known already.
func (x *Executor) conclude(t *attempt, s supervisor.Status) (first bool) {
	t.ending.Do(func() {
		first = true
		t.mu.Lock()
		e := x.started(t)
		t.mu.Unlock()
		e.Phase, e.At = dag.AttemptEnded, s.End.At
		describeEnd(&e, s)
		if err := x.closeLog(t, e); err != nil {
			x.logger(t).Error("close task log", "err", err)
		}
		t.mu.Lock()
		t.ended = &e
		t.mu.Unlock()
	})
	return first
}

func (x *Executor) logger(t *attempt) *slog.Logger {
	return x.config.Logger.With("dag", t.key.DAG, "run", t.key.Run, "task", t.key.Task, "try", t.key.Try)
}

// describeEnd fills in how the attempt ended.
func describeEnd(e *dag.AttemptEvent, s supervisor.Status) {
	e.ExitCode = s.End.ExitCode
	switch {
	case s.End.Reason != "":
		e.Reason = readReason(s.End.Reason)
	case !s.End.Lost:
		e.Reason = exitReason(s.End.ExitCode)
	case s.Stopped:
		e.ExitCode = 128 + int(unix.SIGKILL)
		e.Reason = exitReason(e.ExitCode)
	default:
		e.Lost = true
		e.Reason = reason.New(reason.Vanished)
	}
	if !s.Stopped {
		return
	}
	e.Stopped = true
	e.Reason = reason.New(reason.AfterStop, cmp.Or(e.Reason, reason.New(reason.Ended)))
}

// exitReason is the reason of an exit code; a shell gives 128 and the signal
// for a process that a signal ended.
func exitReason(code int) reason.Reason {
	if code == 0 {
		return reason.Reason{}
	}
	if name := unix.SignalName(unix.Signal(code - 128)); code > 128 && name != "" {
		return reason.New(reason.KilledBy, name)
	}
	if code == codeNotFound {
		return reason.New(reason.CommandMissing)
	}
	return reason.New(reason.ExitCode, code)
}

// closeLog writes the reason of a bad end into the log and seals it. A log that
// is sealed already was closed before a restart.
func (x *Executor) closeLog(t *attempt, e dag.AttemptEvent) error {
	if e.Reason.IsZero() {
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
	_, err = io.WriteString(log, x.lineBreak(t.key)+"dagwright: "+e.Reason.String()+"\n")
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
