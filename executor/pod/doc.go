// Package pod runs attempts as Kubernetes pods.
//
// A pod is named by a function of its attempt (podspec.Name), so creating it
// again finds the first one. It carries a finalizer until its result and its
// log are safe, so whoever deletes it (a person, an eviction, the end of its
// node) cannot take its end away unseen. The finalizer is the executor's whole
// memory: what has it is a trace, and [Executor.List] finds it after a restart.
//
// There is no polling. Informers watch the instance's pods and their events;
// each piece of news puts the attempt into a queue, and a worker looks at the
// attempt as a whole and does what is missing, as Kubernetes' own controllers
// do:
//
//	Start ──► create ──► waiting ──► started ──► over ──► log read to its end
//	            │           │           │                      │
//	            └───────────┴───────────┴─ Stop: delete        ▼
//	                                                   sealed, ended event
//	                                                           │
//	                              Forget: remove the finalizer, label the pod;
//	                              sweeper: delete what is labelled, many at once
//
// What a pod's status means is decided by one pure function, judge. Requests
// that fail are repeated with growing pauses for as long as it takes, so an
// API server that is unavailable fails nothing.
//
// The output is streamed from Kubernetes into the task's log with its
// timestamps. A stream that broke is taken up again at the timestamps of what
// is written already, also by the next process, so no line is lost or doubled.
package pod
