package supervisor

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
	prSetChildSubreaper = 36
	// rlimitLocks is RLIMIT_LOCKS of getrlimit(2), without effect since Linux
	// 2.4.25. Its hard limit marks what belongs together.
	rlimitLocks = 10
	// killPatience bounds how long an end waits for what was killed, such as a
	// process that hangs in a file system.
	killPatience = 10 * time.Second
	// killPause is the pause between two looks when nothing is heard of.
	killPause = 5 * time.Millisecond
)

// becomeSubreaper makes this process the parent of those that lose their own.
func becomeSubreaper() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// firstTag returns the number from which tags are counted down. It is random,
// so that no tag of an earlier supervisor is used again, and below the limit
// that this process has: only the superuser may raise one. Half of the room is
// left to a dagwright that runs as a task of this one.
func firstTag() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(rlimitLocks, &l); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	limit := min(l.Max, 1<<62)
	return limit/2 + rand.Uint64N(max(limit/4, 1)), nil
}

// setTag marks what this process forks from now on.
func setTag(tag uint64) error {
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(rlimitLocks, &syscall.Rlimit{Cur: tag, Max: tag}))
}

// tagOf reads the mark of a process, 0 when it has none or is gone.
func tagOf(pid int) uint64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	if err != nil {
		return 0
	}
	return parseTag(text)
}

func parseTag(limits []byte) uint64 {
	for line := range bytes.Lines(limits) {
		rest, ok := bytes.CutPrefix(line, []byte("Max file locks"))
		fields := bytes.Fields(rest)
		if !ok || len(fields) < 2 {
			continue
		}
		tag, err := strconv.ParseUint(string(fields[1]), 10, 64)
		if err != nil {
			return 0
		}
		return tag
	}
	return 0
}

// children lists the children of this process, also those that have ended.
// Each of its threads has a list; kernels without those lists have the parent
// of each process.
func children() []int {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return childrenByParent()
	}
	var pids []int
	listed := false
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/children")
		if err != nil {
			continue // the thread has ended, and another one has its children
		}
		listed = true
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	if !listed {
		return childrenByParent()
	}
	return pids
}

func childrenByParent() []int {
	var pids []int
	own := strconv.Itoa(os.Getpid())
	for _, pid := range processes() {
		if fields := statOf(pid); len(fields) > 1 && fields[1] == own {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes lists all processes of this machine.
func processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// statOf returns the fields of /proc/PID/stat from the state on (the parent is
// the next), nil when the process is gone. The name before them stands in
// parentheses and may hold some itself.
func statOf(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return fieldsOf(string(text))
}

func fieldsOf(stat string) []string {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return nil
	}
	return strings.Fields(stat[end+1:])
}

// killLeft ends the processes with these tags, which a supervisor that was
// killed has left behind, and returns when there are none any more. They are
// nobody's children here, so all processes are looked at.
func killLeft(tags map[uint64]bool) (gone bool) {
	for deadline := time.Now().Add(killPatience); len(tags) > 0; time.Sleep(killPause) {
		left := false
		for _, pid := range processes() {
			if !tags[tagOf(pid)] {
				continue
			}
			if fields := statOf(pid); len(fields) == 0 || fields[0] == "Z" || fields[0] == "X" {
				continue
			}
			left = true
			killMarked(pid, tags)
		}
		if !left {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// killMarked kills a process that still has one of the tags once it is held by
// a handle: its number may have gone to a stranger since it was listed.
func killMarked(pid int, tags map[uint64]bool) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = p.Release() }()
	if tags[tagOf(pid)] {
		_ = p.Signal(syscall.SIGKILL)
	}
}
