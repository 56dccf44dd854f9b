package supervisor

import (
	"os"
	"slices"
	"strconv"
	"syscall"
)

// closeInherited closes the descriptors that this process was started with, but the
// standard ones and those to keep. What dagwright was started with, such as the lock of
// the script that starts it, is not the supervisor's, which outlives it, and not a
// task's. A descriptor of this program's own is closed on exec, and an inherited one
// is not.
func closeInherited(keep ...int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= syscall.Stderr || slices.Contains(keep, fd) {
			continue
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
			_ = syscall.Close(fd)
		}
	}
	return nil
}

// descriptors are those that stay open for the next program.
func (h *handOver) descriptors() []int {
	fds := []int{h.Lock}
	for _, t := range h.Tasks {
		if t.Pipe >= 0 {
			fds = append(fds, t.Pipe, t.Log)
		}
	}
	return fds
}
