package podspec

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// BaseContainer is the name of the container that a task runs in, unless it
// sets base_container_name.
const BaseContainer = "base"

// Finalizer is on every pod that Build makes. Whoever watches the pod removes it
// when its result and its log are safe; until then Kubernetes keeps the pod,
// whoever deletes it.
const Finalizer = "dagwright/result"

// DoneLabel is set on a pod when its finalizer is removed and the pod is to be deleted. A
// spec cannot set it.
const DoneLabel = ownPrefix + "done"

// Config is what an instance adds to every pod and what it allows.
type Config struct {
	// Instance tells the pods of several installations apart; it is the value of
	// the label dagwright/instance and must be a valid one.
	Instance string
	// Database is the identity of the instance's database (store.Store.ID): a pod that
	// names another one is not this instance's, though it has the same Instance. Empty
	// where none is known: pods are then told by Instance alone.
	Database string
	// Namespace is that of pods whose task names none.
	Namespace string
	// StartupTimeout bounds how long a pod may take to start when its task does
	// not say (see Options); zero means Airflow's 2 minutes.
	StartupTimeout time.Duration
	// Grace is how long a pod has between TERM and KILL when its task does not
	// say, in whole seconds; zero means Kubernetes' 30 seconds.
	Grace  time.Duration
	Policy Policy
}

// Input is what a pod is built from.
type Input struct {
	Key dag.AttemptKey
	// Task has been rendered: there are no templates left in it.
	Task dag.Task
	// Env is the base container's whole environment, no name twice: the task's
	// own variables, the run's conf and Airflow's context.
	Env []dag.EnvVar
	// Source is the model's commit; it may be zero.
	Source dag.Source
	// Version of the DAG, counted from 1; 0 when it is not known.
	Version int
}

// Build returns the pod of an attempt, complete and within the policy. The error
// is dag.SpecErrors, so that errors.Is(err, dag.ErrInvalid); each fault's Path
// begins with the task's own field, as in
// "pod_template_dict.spec.containers[0].imagee".
func (c Config) Build(in Input) (*corev1.Pod, error) {
	k, pod, options := c.assemble(in.Task, false)
	if pod != nil {
		k.checkSource(pod, in.Source)
		k.checkGivenEnv(in.Env)
	}
	if err := k.err(); err != nil {
		return nil, err
	}
	pod.Name = Name(in)
	setEnv(pod, in.Task.Env, in.Env)
	if err := c.mark(pod, in, options); err != nil {
		return nil, err
	}
	return pod, nil
}

// Check does for a task as it stands in a spec what Build does for a rendered
// one, except that a string with a template in it passes wherever only rendering
// can tell. The error is that of Build.
func (c Config) Check(t dag.Task) error {
	k, _, _ := c.assemble(t, true)
	return k.err()
}

// assemble makes the part of a task's pod that does not depend on the attempt.
// The pod is nil when the task cannot even be read.
func (c Config) assemble(t dag.Task, templates bool) (checker, *corev1.Pod, Options) {
	f := &faults{}
	d := decoder{faults: f, templates: templates}

	// 1. Read strictly what the task says.
	l := readLayers(d, t)
	k := checker{faults: f, policy: c.Policy, namespace: c.Namespace, place: l.place, templates: templates}
	if len(f.list) > 0 {
		return k, nil, Options{}
	}
	// 2. Lay the layers over each other.
	pod := l.merged()
	options := c.readOptions(d, t, pod)
	// 3. Fill in what is open, and 4. check the whole against the policy.
	c.fill(pod)
	k.check(pod)
	return k, pod, options
}
