package podspec

import (
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// Options are what an executor must know of a pod beyond the pod itself. Build
// writes them on the pod, so that they survive a restart.
type Options struct {
	// OnFinish says what becomes of the pod when its task has ended: delete_pod
	// (the default), keep_pod, delete_succeeded_pod or delete_active_pod.
	OnFinish string `json:"on_finish"`
	// KeepOnKill leaves the pod when the attempt is killed (on_kill_action:
	// keep_pod).
	KeepOnKill bool `json:"keep_on_kill,omitempty"`
	// Base is the name of the container that the task runs in.
	Base string `json:"base"`
	// Logs are the containers whose output is the task's log, the base container
	// first. It is empty with get_logs: false.
	Logs []string `json:"logs,omitempty"`
	// InitLogs are the init containers whose output is kept, too.
	InitLogs []string `json:"init_logs,omitempty"`
	// Events says that the pod's events belong into the log while it starts.
	Events bool `json:"events,omitempty"`
	// ScheduleTimeout bounds the time until the pod is on a node, StartupTimeout
	// the time from there until its containers have started. Both are above 0
	// and, in JSON, in nanoseconds.
	ScheduleTimeout time.Duration `json:"schedule_timeout_ns"`
	StartupTimeout  time.Duration `json:"startup_timeout_ns"`
	// ExplicitGrace says that the task itself has set the pod's grace period.
	ExplicitGrace bool `json:"explicit_grace,omitempty"`
}

// attemptJSON is the annotation that holds an attempt's key.
type attemptJSON struct {
	DAG  dag.ID     `json:"dag"`
	Run  dag.RunID  `json:"run"`
	Task dag.TaskID `json:"task"`
	Try  int        `json:"try"`
}

// Selector selects the pods of this instance by their labels.
func (c Config) Selector() string {
	return labelManagedBy + "=" + managedBy + "," + labelInstance + "=" + c.Instance
}

// Read returns what Build wrote on a pod. ok is false for a pod that is not of
// this instance, or whose marks have been changed: its name must be that of its
// attempt.
func (c Config) Read(pod *corev1.Pod) (key dag.AttemptKey, o Options, ok bool) {
	if pod.Labels[labelInstance] != c.Instance || pod.Labels[labelManagedBy] != managedBy {
		return dag.AttemptKey{}, Options{}, false
	}
	var a attemptJSON
	if json.Unmarshal([]byte(pod.Annotations[annotationAttempt]), &a) != nil {
		return dag.AttemptKey{}, Options{}, false
	}
	key = dag.AttemptKey(a)
	if json.Unmarshal([]byte(pod.Annotations[annotationOptions]), &o) != nil || !strings.HasSuffix(pod.Name, "-"+hash(key)) {
		return dag.AttemptKey{}, Options{}, false
	}
	return key, o, true
}
