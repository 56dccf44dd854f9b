package dag

import (
	"fmt"
	"time"

	"dagwright/reason"
)

// RunType says what created a run.
type RunType string

// The run types that dagwright makes, named as in Airflow.
const (
	RunScheduled RunType = "scheduled"
	RunManual    RunType = "manual"
	RunBackfill  RunType = "backfill"
)

// RunState is the state of a run.
type RunState string

// The states of a run, named as in Airflow.
const (
	RunQueued  RunState = "queued"
	RunRunning RunState = "running"
	RunSuccess RunState = "success"
	RunFailed  RunState = "failed"
)

// RunStates lists every run state in the order in which they are shown.
var RunStates = []RunState{RunQueued, RunRunning, RunSuccess, RunFailed}

// Ended reports whether no further task of the run will start.
func (s RunState) Ended() bool { return s == RunSuccess || s == RunFailed }

// TaskState is the state of a task instance.
type TaskState string

// The states of a task instance, named as in Airflow. TaskNone is the empty
// string, Airflow's null.
const (
	TaskNone           TaskState = ""
	TaskScheduled      TaskState = "scheduled"
	TaskQueued         TaskState = "queued"
	TaskRunning        TaskState = "running"
	TaskSuccess        TaskState = "success"
	TaskFailed         TaskState = "failed"
	TaskUpForRetry     TaskState = "up_for_retry"
	TaskUpstreamFailed TaskState = "upstream_failed"
	TaskSkipped        TaskState = "skipped"
	TaskRemoved        TaskState = "removed"
)

// Ended reports whether the task instance will not change again by itself.
func (s TaskState) Ended() bool {
	switch s {
	case TaskSuccess, TaskFailed, TaskUpstreamFailed, TaskSkipped, TaskRemoved:
		return true
	}
	return false
}

// Active reports whether an attempt of the task instance holds a slot: it was
// handed to an executor and has not ended.
func (s TaskState) Active() bool { return s == TaskQueued || s == TaskRunning }

// Run is one execution of a DAG (Airflow's DagRun), bound to the version of the
// DAG with which it was created.
type Run struct {
	DAG         ID
	ID          RunID
	Type        RunType
	State       RunState
	Version     int // of the DAG, counted from 1
	LogicalDate time.Time
	Interval    DataInterval
	RunAfter    time.Time
	QueuedAt    time.Time
	StartedAt   time.Time // zero until running
	EndedAt     time.Time // zero until ended
	Conf        map[string]any
	Note        string
	// TriggeredBy is what asked for the run (timetable, rest_api, ui, cli,
	// backfill) and User who.
	TriggeredBy string
	User        string
	// Reason says why an ended run failed, or why a queued one waits.
	Reason reason.Reason
	// Cleared says that a queued run was cleared: it has its task instances already, and
	// goes on from them.
	Cleared bool
	// Epoch counts the owners that the DAG's id had before the one for whom the run
	// was made.
	Epoch int
}

// Place is the DAG's name in what lies on disk of the run: its logs and folders.
func (r Run) Place() ID { return AttemptKey{DAG: r.DAG.Taken(), Epoch: r.Epoch}.Place() }

// TaskInstance is one task of one run. Try counts from 1 and is 0 before the
// first attempt.
type TaskInstance struct {
	DAG      ID
	Run      RunID
	Task     TaskID
	State    TaskState
	Try      int
	MaxTries int // Retries + 1, grows when the task is cleared; lost attempts come on top
	// Lost counts the attempts that were lost through no fault of the task since it
	// was first started or last cleared.
	Lost      int
	QueuedAt  time.Time
	StartedAt time.Time
	EndedAt   time.Time
	// RetryAt is when an up_for_retry instance may be tried again.
	RetryAt time.Time
	// ExitCode of the last ended try; meaningful when HasExitCode.
	ExitCode    int
	HasExitCode bool
	// Reason says why the state is what it is.
	Reason reason.Reason
	// Hostname and PID tell where the current try runs, for people.
	Hostname string
	PID      int
	// SkippedWithRun says that the instance was skipped since its run ended before its
	// turn: it gets its turn when the run goes on.
	SkippedWithRun bool
	// Stopping says that the attempt of an active instance is being stopped; Reason
	// says why.
	Stopping bool
	// Wish is what happens to an active instance once its attempt, which is being
	// stopped for it, has ended.
	Wish TaskWish
	// Epoch is that of the run.
	Epoch int
}

// Key names the present try.
func (ti TaskInstance) Key() AttemptKey {
	return AttemptKey{DAG: ti.DAG.Taken(), Run: ti.Run, Task: ti.Task, Try: ti.Try, Epoch: ti.Epoch}
}

// SkipWithRun skips a task instance that waits when its run ends before its turn. One
// whose last try has ended, and that waits for its retry, keeps the end of that try.
func (ti *TaskInstance) SkipWithRun(why reason.Reason, now time.Time) {
	ti.State, ti.SkippedWithRun, ti.Reason = TaskSkipped, true, why
	if ti.EndedAt.IsZero() {
		ti.EndedAt = now
	}
}

// GivenUp reports whether the task instance did not come to its end because of
// something else: something before it failed, or its run was ended by hand or by its
// time limit.
func (ti TaskInstance) GivenUp() bool { return ti.State == TaskUpstreamFailed || ti.SkippedWithRun }

// MostTries is how many tries there may be, as people count them: a lost attempt is a
// try, and uses up none of MaxTries.
func (ti TaskInstance) MostTries() int { return ti.MaxTries + ti.Lost }

// TaskWish is what somebody wants of a task instance whose attempt is active.
type TaskWish string

// The wishes. WishNone is not a wish: the attempt's own end decides.
const (
	WishNone    TaskWish = ""
	WishCancel  TaskWish = "cancel"  // failed without another try, unless it succeeded meanwhile
	WishFailed  TaskWish = "failed"  // failed without another try, whatever it did
	WishSuccess TaskWish = "success" // success, whatever it did
	WishSkipped TaskWish = "skipped" // skipped, whatever it did
	WishClear   TaskWish = "clear"   // run once more
)

// AttemptKey identifies one try of one task of one run. Whatever an executor
// creates for it is named by a function of this key.
type AttemptKey struct {
	DAG  ID
	Run  RunID
	Task TaskID
	Try  int
	// Epoch tells runs of one name apart that were made for different owners of the
	// DAG's id: it is that of the run.
	Epoch int `json:",omitempty"`
}

// Place is the DAG's name in what lies on disk of the attempt. It is the id itself
// for the first owner of an id, and no two owners of an id share one.
func (k AttemptKey) Place() ID {
	if k.Epoch == 0 {
		return k.DAG
	}
	return FormerID(k.DAG, k.Epoch)
}

// ScheduledRunID names the scheduled run that may start after runAfter, as
// Airflow names it: "scheduled__2026-01-31T03:00:00+00:00", with microseconds
// only where there are some.
func ScheduledRunID(runAfter time.Time) RunID {
	return RunID(string(RunScheduled) + "__" + isoTime(runAfter))
}

// BackfillRunID names the run that a backfill makes for runAfter.
func BackfillRunID(runAfter time.Time) RunID {
	return RunID(string(RunBackfill) + "__" + isoTime(runAfter))
}

// ManualRunID names a manual run asked for at runAfter.
func ManualRunID(runAfter time.Time) RunID {
	return RunID(string(RunManual) + "__" + isoTime(runAfter))
}

// isoTime writes a time as Python's datetime.isoformat does.
func isoTime(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05") + "+00:00"
	}
	return t.Format("2006-01-02T15:04:05.000000") + "+00:00"
}

// CheckLogicalDate says what is wrong with a date that somebody gives: that it is not
// within the years 1 to 9999 in UTC, which is what RFC 3339 and Python can write. The
// very first moment of year 1 stands for no date. The error is an [ErrInvalid].
func CheckLogicalDate(t time.Time) error {
	if year := t.UTC().Year(); year < 1 || year > 9999 || t.IsZero() {
		return fmt.Errorf("%w logical date: it is not within the years 1 to 9999 in UTC", ErrInvalid)
	}
	return nil
}
