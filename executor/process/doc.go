// Package process runs attempts as processes of this machine, for development
// and for installations without a cluster. It needs Linux, and a state folder
// on a local file system.
//
// dagwright may be killed at any moment and must then neither lose an attempt
// nor run it twice. So it is not dagwright that starts them but a supervisor,
// which outlives it (package supervisor): the state folder is the supervisor's,
// with its journal, and this package translates. An attempt is named there by a
// hash of its key, and its first lines, key and time, are kept as its note.
//
//	dagwright                      supervisor            command
//	    │ working folder, log
//	    │ start ────────────────────►│ journal
//	    │                            │ fork ───────────────►│
//	    │ started ◄──────────────────┤                      │ output
//	    │                            │◄─────── pipe ────────┘
//	    │                            │ appends to the log
//	    │                            │ ends what is left, journal
//	    │ ended ◄────────────────────┘
//	    │ reason into the log, seal, event
//	    │ … Forget ─────────────────►│ journal
//
// After a restart the supervisor, or else its journal, tells what runs and how
// the rest ended. The tombstone of a forgotten attempt is its sealed log: Start
// refuses an attempt whose log is complete.
//
// # Starts
//
// Start returns at once. What may take long, such as the fetch of a model's
// repository, happens beside the caller, so that a repository that does not
// answer holds up nobody but its own attempts. Where the machine is short of
// something (disk, processes, memory, descriptors) the attempt waits, says what
// for, and is tried again until there is enough or it is stopped; that uses up
// no try.
//
// # Ends
//
// The command leads a session of its own. When it has ended, everything that it
// started is killed, whatever session or process group it went to, as in a
// container whose first process ended. Stop sends SIGTERM to the command's
// process group, and SIGKILL when the grace time is over, also when dagwright is
// away meanwhile. When the supervisor itself is killed its attempts are lost,
// and what is left of them is ended by the next one.
package process
