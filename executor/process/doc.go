// Package process runs attempts as processes of this machine, for development
// and for installations without a cluster. It needs Linux (pidfd, flock on a
// local file system) and a POSIX sh.
//
// # One file an attempt
//
// dagwright may be killed at any moment and must then neither lose an attempt
// nor run it twice. All that it needs for that is one file an attempt, the
// claim, named by a hash of the attempt's key:
//
//	{"key":{"DAG":"churn-model",…},"begun":"…"}   written by dagwright
//	pid 4711                                      written by the wrapper
//	exit 0                                        written by the wrapper
//
// and a lock (flock) on it. dagwright makes the claim with O_EXCL, locks it,
// writes the first line, and starts a small sh, the wrapper, that inherits the
// open file and with it the lock. dagwright then closes its own copy. The
// wrapper does not pass the file on to the command, so
//
//	the lock is held  ⇔  the wrapper lives (or a process is just being forked).
//
//	   dagwright                     wrapper (sh)              command
//	       │ create, lock, key line
//	       │ fork ───────────────────►│ pid line
//	       │ close (lock stays)       │ fork ─────────────────►│
//	       │                          │                        │ stdout and stderr
//	       │                          │                        │ go into the task log
//	       │                          │ exit line ◄────────────┘
//	       │ pidfd readable ◄─────────┘ lock free
//	       │ read exit line, seal the log, report the end
//	       │ … Forget: remove the claim
//
// So what a claim says after a restart is never in doubt, whatever was killed
// between which two lines:
//
//	lock   last line   what happened                                what is done
//	held   pid, exit   the wrapper lives                            watch it
//	held   none, key   a fork was under way                         look again
//	free   exit        the command ended                            report the end
//	free   pid         the wrapper was killed, or the machine died  report Lost
//	free   key         the command never ran                        remove, start anew
//	free   (none)      dagwright died before the fork               remove, start anew
//
// A line counts when its newline is there. A process number alone proves
// nothing, since numbers are used again; but a held lock proves that the
// wrapper lives and hence that the pid of the claim is its own. This holds
// across reboots, in which every lock is gone, and needs no start times. No
// wrapper can be late either: one that exists holds the lock, so a second
// Start finds it and adopts it.
//
// The tombstone of a forgotten attempt is its sealed log: Start refuses an
// attempt whose log is complete.
//
// # Ends
//
// The wrapper leads a session of its own; what the command starts is in its
// process group unless it leaves it on purpose. When the wrapper has ended, by
// itself or not, what is left of the group is killed, as in a container whose
// first process ended. The group is signalled through the wrapper's pidfd, so
// a stranger that was given the same number is never hit (kernels before 6.9:
// by number; there the wrapper's number is free for others only after it was
// reaped).
//
// When the wrapper alone is killed while dagwright is down, the command may
// live on. Members of the group are then recognised by having the attempt's
// log open, and killed; the attempt is Lost.
//
// Stop keeps its wish in a file beside the claim, so that the grace time goes
// on after a restart. SIGTERM goes to the whole group; the wrapper survives it
// to write the exit line. A SIGTERM that arrives within the microseconds
// between the wrapper's start and the command's reaches only the wrapper; then
// the end comes by force after the grace time.
//
// # The environment
//
// The wrapper is given the command's environment and uses builtins only.
// Shells drop or change some variables (names with dots, PWD, IFS …); these
// few are set by env(1) in front of the command and so are visible in its
// command line. Where sh is bash, it adds the variable "_".
package process
