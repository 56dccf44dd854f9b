// Package supervisor runs processes that outlive the program that asks for
// them. It needs Linux, and it and what it imports use nothing but the standard
// library, so that its process is up before the rest of dagwright is.
//
//	dagwright ──socket──► supervisor ──fork──► process ──► its children …
//	                         │  ▲                  │
//	                  journal│  └──────pipe────────┘ stdout and stderr
//	                         ▼
//	                       log file
//
// # One process for all
//
// The first Dial on a folder starts the supervisor: the same binary again, in a
// session of its own, under another name (argv[0]), which init takes up before
// main runs. A lock (flock) on a file of the folder says that it lives and lets
// no second one begin. It ends when no client is connected and nothing runs.
//
// What it knows stands in a journal, one JSON object a line, appended before the act that
// it records:
//
//	{"op":"start","id":"…","note":{…},"tag":…}   before the fork
//	{"op":"run","id":"…","pid":4711}             after it
//	{"op":"stop","id":"…"}                       before the first signal
//	{"op":"end","id":"…","end":{…}}              when the output is in the log
//	{"op":"forget","id":"…"}
//
// What the disk does not take is kept and written as soon as it does; until then
// nothing new is started and the supervisor does not leave. So a full disk loses
// no end.
//
// An id is started once: a second start finds the first, also one that has
// ended, until it is forgotten. Should the supervisor itself be killed, the next
// one finds in the journal what had begun and not ended; it ends what is left of
// it and reports it as lost, whether or not the command had begun to run.
//
// # Output
//
// The process writes into a pipe, and the supervisor appends to the log. So a
// process that opens /dev/stderr again cannot truncate the log, and nothing is
// written into it after the end: by then the supervisor has closed its end of
// the pipe, whoever holds the other. Where the limits of the log end, or the
// disk is full, the log gets a last line that says so, and the rest is read,
// dropped and counted (package tasklog/limit): the process itself is not held up,
// and the limits hold whether or not a client is connected.
//
// # Everything that a process started
//
// The supervisor is a subreaper (prctl(2)): whatever loses its parent becomes
// its child, whatever session or process group it went to. Whose it was tells a
// number that no fork and no exec changes: before each fork the supervisor sets
// its own limit RLIMIT_LOCKS, which Linux has not used since 2.4.25, to the next
// lower value, and the process and all that come from it inherit it. Unlike a
// variable of the environment it cannot be lost by cleaning up, and it is read
// from /proc/PID/limits of any process. When the process of an id has ended, the
// supervisor kills its children with that number until there are none: those of
// a killed one come to the supervisor in turn. A process that lowers the limit
// on purpose is killed when nothing else runs.
//
// # Versions
//
// The client says its version of the protocol, and the supervisor its own, which
// may be older: it lives as long as its processes. A newer client must speak
// every older version; there is one so far. A supervisor of another build is
// asked to hand over: it becomes the client's binary (execve(2)), and so keeps
// its process id, its children, the pipes and the lock.
package supervisor
