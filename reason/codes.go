package reason

import (
	"maps"
	"slices"
)

// The codes. The catalogue below has the sentence of each; the pages have it in Russian.
const (
	// Words that are not dagwright's.
	Text Code = "text"

	// Why a run or a task has not started.
	AboutToStart     Code = "about_to_start"
	WaitsForRunSlot  Code = "waits_for_run_slot"
	WaitsForTaskSlot Code = "waits_for_task_slot"
	WaitsForBackfill Code = "waits_for_backfill"
	WaitsForRun      Code = "waits_for_run"
	WaitsForTasks    Code = "waits_for_tasks"
	WaitsForLogSpace Code = "waits_for_log_space"
	WaitsForLease    Code = "waits_for_lease"
	UnknownTask      Code = "unknown_task"

	// What a trigger rule says.
	NoUpstream      Code = "no_upstream"
	RuleAlways      Code = "rule_always"
	RuleMet         Code = "rule_met"
	RuleFailed      Code = "rule_failed"
	UpstreamRemoved Code = "upstream_removed"
	NoneSucceeded   Code = "none_succeeded"
	NoneFailed      Code = "none_failed"
	NoneDone        Code = "none_done"
	TaskIs          Code = "task_is"
	TaskNotStarted  Code = "task_not_started"
	Both            Code = "both"
	AndMore         Code = "and_more"

	// How an attempt ended.
	ExitCode       Code = "exit_code"
	ExitCodeSkips  Code = "exit_code_skips"
	CommandMissing Code = "command_missing"
	KilledBy       Code = "killed_by"
	KilledByCode   Code = "killed_by_code"
	LogEnds        Code = "log_ends"
	Ended          Code = "ended"
	AfterStop      Code = "after_stop"
	Lost           Code = "lost"
	Vanished       Code = "vanished"

	// How a run ended.
	TaskFailed Code = "task_failed"
	RunTimeout Code = "run_timeout"

	// What people did.
	TaskMarkedSuccess Code = "task_marked_success"
	TaskMarkedFailed  Code = "task_marked_failed"
	TaskMarkedSkipped Code = "task_marked_skipped"
	RunMarkedSuccess  Code = "run_marked_success"
	RunMarkedFailed   Code = "run_marked_failed"
	WithRunSuccess    Code = "with_run_success"
	WithRunFailed     Code = "with_run_failed"
	Cancelled         Code = "cancelled"
	Cleared           Code = "cleared"
	BackfillCancelled Code = "backfill_cancelled"
	IDTaken           Code = "id_taken"

	// How an attempt was stopped.
	Stopped              Code = "stopped"
	TaskTimeout          Code = "task_timeout"
	RunEnded             Code = "run_ended"
	StoppedBeforeStart   Code = "stopped_before_start"
	StoppedBeforePod     Code = "stopped_before_pod"
	StoppedBeforeProcess Code = "stopped_before_process"

	// Why an attempt could not start.
	NotStarted      Code = "not_started"
	NeverStarts     Code = "never_starts"
	TriedAgain      Code = "tried_again"
	CommandNotFound Code = "command_not_found"
	CommandNoPath   Code = "command_no_path"
	NotExecutable   Code = "not_executable"
	CannotRun       Code = "cannot_run"

	// What a local process waits for.
	WaitsForRepository Code = "waits_for_repository"
	WaitsForDisk       Code = "waits_for_disk"
	WaitsForMemory     Code = "waits_for_memory"
	WaitsForDescriptor Code = "waits_for_descriptor"

	// What a pod waits for.
	WaitsForNode       Code = "waits_for_node"
	WaitsForKubelet    Code = "waits_for_kubelet"
	WaitsForKubernetes Code = "waits_for_kubernetes"
	WaitsForQuota      Code = "waits_for_quota"
	WaitsInLine        Code = "waits_in_line"
	NoNode             Code = "no_node"
	ContainerCreating  Code = "container_creating"
	ContainerWaiting   Code = "container_waiting"
	ContainerConfig    Code = "container_config"
	ImagePull          Code = "image_pull"
	ImageNeverPulled   Code = "image_never_pulled"
	ImageName          Code = "image_name"
	InitRunning        Code = "init_running"
	InInit             Code = "in_init"
	NotScheduledWithin Code = "not_scheduled_within"
	NotStartedWithin   Code = "not_started_within"
	PodDeleting        Code = "pod_deleting"

	// How a pod ended.
	OutOfMemory     Code = "out_of_memory"
	OutOfMemoryOf   Code = "out_of_memory_of"
	InitOutOfMemory Code = "init_out_of_memory"
	ContainerFailed Code = "container_failed"
	Deadline        Code = "deadline"
	DeadlineOf      Code = "deadline_of"
	Evicted         Code = "evicted"
	Preempted       Code = "preempted"
	Tainted         Code = "tainted"
	NodeGone        Code = "node_gone"
	NodeLost        Code = "node_lost"
	NodeShutDown    Code = "node_shut_down"
	EndedByNode     Code = "ended_by_node"
	Unschedulable   Code = "unschedulable"
	NodeUnfit       Code = "node_unfit"
	NodeRefused     Code = "node_refused"
	NodeFull        Code = "node_full"
	NodeSilent      Code = "node_silent"
	Disrupted       Code = "disrupted"
	PodDeleted      Code = "pod_deleted"
	PodGone         Code = "pod_gone"
	PodNeverRan     Code = "pod_never_ran"
	EndedBefore     Code = "ended_before"
	PodIsForeign    Code = "pod_is_foreign"
	PodRefused      Code = "pod_refused"
	PodForbidden    Code = "pod_forbidden"

	// What of the instance does not work.
	KubernetesNeverAnswered Code = "kubernetes_never_answered"
	KubernetesAway          Code = "kubernetes_away"
	PodsOfAnotherDatabase   Code = "pods_of_another_database"
	NoAnswer                Code = "no_answer"
	LogSpaceUnknown         Code = "log_space_unknown"
	LogSpaceShort           Code = "log_space_short"
	LogsCut                 Code = "logs_cut"
)

// english is the sentence of each code: the place of each argument is %s.
var english = map[Code]string{
	Text: "%s",

	AboutToStart:     "is about to start, or waits for a free slot of the instance",
	WaitsForRunSlot:  "waiting for an active run to end (limit %s)",
	WaitsForTaskSlot: "waiting for a running task of its run to end (limit %s)",
	WaitsForBackfill: "waits for its turn in its backfill",
	WaitsForRun:      "waits for its run to start",
	WaitsForTasks:    "waits for %s",
	WaitsForLogSpace: "waits for space: little is left on the disk of the task logs",
	WaitsForLease:    "waits until the database confirms that no other dagwright has taken over",
	UnknownTask:      "the DAG has no such task",

	NoUpstream:      "has no upstream task",
	RuleAlways:      "trigger rule always asks for nothing",
	RuleMet:         "trigger rule %s is met",
	RuleFailed:      "trigger rule %s cannot be met: %s",
	UpstreamRemoved: "upstream tasks were removed",
	NoneSucceeded:   "no upstream task succeeded",
	NoneFailed:      "no upstream task failed",
	NoneDone:        "no upstream task succeeded or failed",
	TaskIs:          "%s (%s)",
	TaskNotStarted:  "%s (not started)",
	Both:            "%s, %s",
	AndMore:         "%s and %s more",

	ExitCode:       "exit code %s",
	ExitCodeSkips:  "exit code %s is a skip_on_exit_code",
	CommandMissing: "exit code 127: a command was not found",
	KilledBy:       "killed by %s",
	KilledByCode:   "killed by %s (exit code %s)",
	LogEnds:        "%s; the log ends: %s",
	Ended:          "ended",
	AfterStop:      "%s after it was stopped",
	Lost:           "lost: no trace of the attempt was left after a restart",
	Vanished:       "process vanished without an exit code: it was killed from outside or the machine went down",

	TaskFailed: "task %s failed: %s",
	RunTimeout: "the run took longer than its dagrun_timeout of %s",

	TaskMarkedSuccess: "marked success by %s",
	TaskMarkedFailed:  "marked failed by %s",
	TaskMarkedSkipped: "marked skipped by %s",
	RunMarkedSuccess:  "marked success by %s",
	RunMarkedFailed:   "marked failed by %s",
	WithRunSuccess:    "run was marked success by %s",
	WithRunFailed:     "run was marked failed by %s",
	Cancelled:         "cancelled by %s",
	Cleared:           "cleared by %s",
	BackfillCancelled: "its backfill was cancelled by %s",
	IDTaken:           "the DAG's id went to another project or file",

	Stopped:              "stopped",
	TaskTimeout:          "ran longer than its execution_timeout of %s",
	RunEnded:             "stopped, since the run had ended as %s",
	StoppedBeforeStart:   "stopped before it was started",
	StoppedBeforePod:     "stopped before its pod was created",
	StoppedBeforeProcess: "stopped before its process was started",

	NotStarted:      "not started: %s",
	NeverStarts:     "not started and not retried, because every try would fail the same way: %s",
	TriedAgain:      "is tried again: %s",
	CommandNotFound: "command not found: %s",
	CommandNoPath:   "command not found: %s (no PATH is set)",
	NotExecutable:   "command is not executable: %s",
	CannotRun:       "command cannot be run: %s: %s",

	WaitsForRepository: "waits for the model's repository, which cannot be fetched",
	WaitsForDisk:       "waits for space on dagwright's disk",
	WaitsForMemory:     "waits for memory or a free process on dagwright's machine",
	WaitsForDescriptor: "waits for a free file descriptor on dagwright's machine",

	WaitsForNode:       "waits for a node",
	WaitsForKubelet:    "waits for its node to take it up",
	WaitsForKubernetes: "waits for Kubernetes",
	WaitsForQuota:      "waits for quota",
	WaitsInLine:        "waits for quota: others wait before it",
	NoNode:             "no node can take the pod: %s",
	ContainerCreating:  "the container is being created",
	ContainerWaiting:   "the container is not started",
	ContainerConfig:    "the container's configuration is not complete",
	ImagePull:          "the image cannot be pulled",
	ImageNeverPulled:   "the image is not on the node, and image_pull_policy is Never",
	ImageName:          "the image name is not valid",
	InitRunning:        "init container %s is running",
	InInit:             "init container %s: %s",
	NotScheduledWithin: "not scheduled within %s: %s",
	NotStartedWithin:   "not started within %s: %s",
	PodDeleting:        "the pod is being deleted",

	OutOfMemory:     "out of memory: the container was killed at its limit",
	OutOfMemoryOf:   "out of memory: the container was killed at its limit of %s",
	InitOutOfMemory: "out of memory: it was killed at its limit",
	ContainerFailed: "the container cannot be started",
	Deadline:        "ran longer than its active_deadline_seconds",
	DeadlineOf:      "ran longer than its active_deadline_seconds of %s",
	Evicted:         "evicted",
	Preempted:       "preempted by a pod of higher priority",
	Tainted:         "deleted because of a taint of its node, which may be lost",
	NodeGone:        "its node is gone",
	NodeLost:        "its node is lost",
	NodeShutDown:    "its node was shut down",
	EndedByNode:     "ended by its node",
	Unschedulable:   "cannot be scheduled",
	NodeUnfit:       "the node did not fit the pod",
	NodeRefused:     "the node could not take the pod",
	NodeFull:        "the node had no room for the pod",
	NodeSilent:      "node %s is lost: it did not confirm the end of the deleted pod",
	Disrupted:       "ended by Kubernetes",
	PodDeleted:      "the pod was deleted from outside dagwright",
	PodGone:         "the pod is gone: somebody has deleted it and removed the finalizer that keeps its result",
	PodNeverRan:     "the pod ended before its container ran",
	EndedBefore:     "it has ended before: its log is complete, and its pod is gone",
	PodIsForeign:    "pod %s/%s exists, and dagwright did not create it; delete it and clear the task",
	PodRefused:      "Kubernetes refuses the pod",
	PodForbidden:    "dagwright may not create the pod",

	KubernetesNeverAnswered: "no task is started or followed: Kubernetes has not answered since dagwright started",
	KubernetesAway:          "no task is started or followed: Kubernetes has not answered since %s: %s",
	PodsOfAnotherDatabase:   "%s pods of the same kubernetes.instance, such as %s/%s, are of another database and are left alone",
	NoAnswer:                "no answer within %s s",
	LogSpaceUnknown:         "the free space of the task logs' disk cannot be read",
	LogSpaceShort:           "no task is started: the disk of the task logs has %s MiB left, and %s MiB are to stay free (logs.min_free)",
	LogsCut:                 "large logs are cut: the task logs have %s MiB, and %s MiB are allowed (logs.max_bytes)",
}

// Codes lists every code, in no order.
func Codes() []Code { return slices.Collect(maps.Keys(english)) }
