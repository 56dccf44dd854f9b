package podspec

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// Options are what an executor must know of a pod beyond the pod itself. Build
// writes them on the pod, so that they survive a restart.
type Options struct {
	// OnFinish says what happens to the pod when its task has ended: delete_pod
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

// defaultTimeout is Airflow's startup_timeout_seconds.
const defaultTimeout = 2 * time.Minute

// readOptions reads the arguments that are about a pod and not in it. pod is the
// task's merged pod.
func (c Config) readOptions(d decoder, t dag.Task, pod *corev1.Pod) Options {
	o := Options{OnFinish: "delete_pod", Base: base(pod).Name, Events: true, StartupTimeout: defaultTimeout}
	if c.StartupTimeout > 0 {
		o.StartupTimeout = c.StartupTimeout
	}
	var schedule, startup int64
	var onKill string
	logs := true
	for _, f := range []struct {
		argument string
		target   any
	}{
		{"on_finish_action", &o.OnFinish}, {"on_kill_action", &onKill}, {"log_events_on_startup", &o.Events},
		{"get_logs", &logs}, {"schedule_timeout_seconds", &schedule}, {"startup_timeout_seconds", &startup},
	} {
		if v, ok := t.Pod[f.argument]; ok {
			d.decode(f.argument, v, f.target)
		}
	}
	if startup > 0 {
		o.StartupTimeout = seconds(startup)
	}
	// As in Airflow: schedule_timeout_seconds or startup_timeout_seconds.
	o.ScheduleTimeout = o.StartupTimeout
	if schedule > 0 {
		o.ScheduleTimeout = seconds(schedule)
	}
	o.KeepOnKill = onKill == "keep_pod"
	o.ExplicitGrace = pod.Spec.TerminationGracePeriodSeconds != nil
	if logs {
		o.Logs = readContainers(d, t, "container_logs", pod.Spec.Containers)
		o.Logs = append([]string{o.Base}, without(o.Logs, o.Base)...)
	}
	o.InitLogs = readContainers(d, t, "init_container_logs", pod.Spec.InitContainers)
	return o
}

// seconds is a duration that cannot overflow.
func seconds(n int64) time.Duration {
	return time.Duration(min(n, int64(365*24*time.Hour/time.Second))) * time.Second
}

// readContainers reads which containers are meant: true for all of them, a name
// or a list of names.
func readContainers(d decoder, t dag.Task, argument string, containers []corev1.Container) []string {
	all := make([]string, len(containers))
	for i, c := range containers {
		all[i] = c.Name
	}
	var names []string
	switch v := t.Pod[argument].(type) {
	case nil:
		return nil
	case bool:
		if v {
			return all
		}
		return nil
	case string:
		names = []string{v}
	default:
		d.decode(argument, v, &names)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			d.faults.add(argument, "names container %s twice", clip(name))
		}
		if !slices.Contains(all, name) && !(d.templates && isTemplate(strings.Join(all, ""))) {
			d.faults.add(argument, "there is no container %s; the pod's are %s", clip(name), listed(all))
		}
	}
	return names
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

// attemptJSON is the annotation that holds an attempt's key.
type attemptJSON struct {
	DAG   dag.ID     `json:"dag"`
	Run   dag.RunID  `json:"run"`
	Task  dag.TaskID `json:"task"`
	Try   int        `json:"try"`
	Epoch int        `json:"epoch,omitempty"`
}

// Selector selects the pods of this instance by their labels.
func (c Config) Selector() string {
	return labelManagedBy + "=" + managedBy + "," + labelInstance + "=" + c.Instance
}

// marksToRead are the labels and annotations that Read looks at, and DoneLabel.
var marksToRead = []string{labelManagedBy, labelInstance, labelDatabase, DoneLabel, annotationAttempt, annotationOptions}

// Marks returns of a pod's labels or annotations those that Read looks at, and DoneLabel.
func Marks(all map[string]string) map[string]string {
	marks := make(map[string]string, 3)
	for _, name := range marksToRead {
		if value, ok := all[name]; ok {
			marks[name] = value
		}
	}
	return marks
}

// Foreign reports whether a pod of this instance's name was made for another database. One
// that names none was made before pods named theirs.
func (c Config) Foreign(pod *corev1.Pod) bool {
	of := pod.Labels[labelDatabase]
	return pod.Labels[labelInstance] == c.Instance && pod.Labels[labelManagedBy] == managedBy &&
		of != "" && c.Database != "" && of != c.Database
}

// Read returns what Build wrote on a pod. ok is false for a pod that is not of
// this instance and its database, or whose marks have been changed: its name must be that of its
// attempt.
func (c Config) Read(pod *corev1.Pod) (key dag.AttemptKey, o Options, ok bool) {
	if pod.Labels[labelInstance] != c.Instance || pod.Labels[labelManagedBy] != managedBy || c.Foreign(pod) {
		return dag.AttemptKey{}, Options{}, false
	}
	var a attemptJSON
	if json.Unmarshal([]byte(pod.Annotations[annotationAttempt]), &a) != nil {
		return dag.AttemptKey{}, Options{}, false
	}
	key = dag.AttemptKey(a)
	if json.Unmarshal([]byte(pod.Annotations[annotationOptions]), &o) != nil ||
		!strings.HasSuffix(pod.Name, "-"+hash(key)) {
		return dag.AttemptKey{}, Options{}, false
	}
	return key, o, true
}
