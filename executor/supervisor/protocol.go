package supervisor

import (
	"encoding/json"
	"fmt"
	"syscall"
	"time"

	"dagwright/tasklog/limit"
)

// protocol is the version that this build speaks.
const protocol = 1

// Spec is a process to run.
type Spec struct {
	// ID names the process; it is free for another one after Forget.
	ID string `json:"id"`
	// Note is kept for the caller and returned with each Status.
	Note json.RawMessage `json:"note,omitempty"`
	// Argv is the command line; its first word is the path of the program.
	Argv []string `json:"argv,omitempty"`
	// Env is the whole environment, as NAME=value.
	Env []string `json:"env,omitempty"`
	// Dir is the working folder.
	Dir string `json:"dir,omitempty"`
	// Log is the absolute path of a file to which the output is appended. It
	// must exist, and somebody must have the right to write to it: a log that
	// is read-only is complete and refused.
	Log string `json:"log"`
	// Limits bound what is appended to Log.
	Limits limit.Limits `json:"limits,omitzero"`
	// Umask is the process's (umask(2)); 0 stands for 022.
	Umask int `json:"umask,omitempty"`
	// End says that nothing is to be run and how that counts.
	End *End `json:"end,omitempty"`
}

// End is how a process ended.
type End struct {
	// ExitCode is the exit status; 128 and the number of the signal for a process
	// that a signal ended.
	ExitCode int `json:"exit_code"`
	// Reason is what the Spec gave for a command that was not run.
	Reason string `json:"reason,omitempty"`
	// Lost says that the supervisor was killed, so nobody knows.
	Lost bool      `json:"lost,omitempty"`
	At   time.Time `json:"at"`
}

// Status is what the supervisor knows about a process.
type Status struct {
	ID   string          `json:"id"`
	Note json.RawMessage `json:"note,omitempty"`
	PID  int             `json:"pid,omitempty"` // 0 where none was started
	// Stopped says that Stop was called before the end.
	Stopped bool `json:"stopped,omitempty"`
	End     *End `json:"end,omitempty"` // nil while it runs
}

// Step is what a start was doing when it failed.
type Step string

// The steps of a start. After an error nothing runs.
const (
	StepJournal Step = "journal"
	StepLog     Step = "log"
	// StepSealed is a log that is complete: the process has ended before.
	StepSealed Step = "sealed"
	// StepMark is the mark by which the children of the process are known.
	StepMark Step = "mark"
	// StepRun is the fork, the change of the folder and the exec.
	StepRun Step = "run"
)

// StartError says why a process was not started. It unwraps to the system's
// error number where there is one.
type StartError struct {
	Step  Step          `json:"step"`
	Errno syscall.Errno `json:"errno,omitempty"`
	Text  string        `json:"text"`
}

func (e *StartError) Error() string { return fmt.Sprintf("start process: %s", e.Text) }

// Unwrap returns the system's error number, nil without one.
func (e *StartError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// request is what a client sends, one JSON object each.
type request struct {
	Op  string `json:"op"`
	Seq uint64 `json:"seq,omitempty"`
	// Protocol and Build are of hello.
	Protocol int    `json:"protocol,omitempty"`
	Build    string `json:"build,omitempty"`
	// Spec is of start.
	Spec *Spec `json:"spec,omitempty"`
	// ID is of stop and forget.
	ID string `json:"id,omitempty"`
	// Deadline is when a stop uses force.
	Deadline time.Time `json:"deadline,omitzero"`
}

// The operations.
const (
	opHello  = "hello"
	opStart  = "start"
	opStop   = "stop"
	opForget = "forget"
	// opHandOver asks the supervisor to become the program at Build.
	opHandOver = "hand over"
)

// message is what the supervisor sends: the answer to the request with the same
// Seq, or, with Seq 0, the end of a process.
type message struct {
	Seq      uint64      `json:"seq,omitempty"`
	Protocol int         `json:"protocol,omitempty"` // of hello
	Build    string      `json:"build,omitempty"`    // of hello
	List     []Status    `json:"list,omitempty"`     // of hello
	Status   *Status     `json:"status,omitempty"`
	Fault    *StartError `json:"fault,omitempty"`
	Error    string      `json:"error,omitempty"`
}
