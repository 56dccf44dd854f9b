package process

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// firstLook and lastLook bound the growing pause between looks at a claim
	// where there is no event to wait for: a wrapper that was forked in the
	// moment in which dagwright was killed and has not said its pid, and
	// kernels without pidfd.
	firstLook = 5 * time.Millisecond
	lastLook  = time.Second
)

// watch follows an attempt to its end. announce says that its start is to be
// reported too.
func (x *Executor) watch(t *attempt, announce bool) {
	if announce {
		t.mu.Lock()
		e := x.started(t)
		t.mu.Unlock()
		x.send(e)
	}
	t.mu.Lock()
	pidfd, pid := t.pidfd, t.pid
	t.mu.Unlock()
	if pidfd == nil && !x.identify(t, pid) {
		return
	}
	t.mu.Lock()
	pidfd = t.pidfd
	t.mu.Unlock()
	if pidfd != nil && !awaitExit(pidfd) {
		return
	}
	x.send(x.conclude(t, nil))
}

// awaitExit waits until the process of a pidfd has ended. It returns false
// when the pidfd was closed.
func awaitExit(pidfd *os.File) bool {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return false
	}
	return conn.Read(hasExited) == nil
}

func hasExited(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}

// identify finds the wrapper of a claim that is held, and returns when it has
// a pidfd or the claim is free. It returns false when the executor is closed.
func (x *Executor) identify(t *attempt, pid int) bool {
	pause := firstLook
	for {
		cl, held, err := x.claims.inspect(t.name)
		if err != nil {
			x.logger(t).Error("read claim", "err", err)
		} else if !held {
			return true
		}
		if cl.pid != 0 {
			pid = cl.pid
		}
		if pid != 0 && x.openPidfd(t, pid) {
			return true
		}
		select {
		case <-x.done:
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, lastLook)
	}
}

// openPidfd takes hold of the wrapper. That the claim is still held afterwards
// proves that the pidfd is the wrapper's and no stranger's.
func (x *Executor) openPidfd(t *attempt, pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		t.known(pid, nil)
		x.pursue(t)
		return false
	}
	if err != nil {
		return false
	}
	pidfd := pollable(fd)
	if pidfd == nil {
		return false
	}
	if _, held, err := x.claims.inspect(t.name); err != nil || !held {
		_ = pidfd.Close()
		return false
	}
	t.known(pid, pidfd)
	x.pursue(t)
	return true
}

// signalGroup sends a signal to the wrapper and everything that it started.
// t.mu is held.
func (t *attempt) signalGroup(sig unix.Signal) {
	if t.pid <= 1 || t.closed {
		return
	}
	if t.pidfd == nil {
		_ = unix.Kill(-t.pid, sig)
		return
	}
	conn, err := t.pidfd.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		// An older kernel knows no groups here; the wrapper is not reaped yet,
		// so its number is still its own.
		err := unix.PidfdSendSignal(int(fd), sig, nil, signalProcessGroup)
		if errors.Is(err, unix.EINVAL) {
			_ = unix.Kill(-t.pid, sig)
		}
	})
}

// signalProcessGroup is PIDFD_SIGNAL_PROCESS_GROUP of pidfd_send_signal(2).
const signalProcessGroup = 1 << 2

// finishGroup ends what the wrapper left behind and takes its exit status if
// it is a child of this process, so that no zombie stays. t.mu is held.
func (t *attempt) finishGroup() {
	if t.pidfd == nil {
		// A number is safe to use only while an unreaped child holds it. The
		// claim is free, so the child has ended or is about to.
		if t.forked {
			_ = unix.Kill(-t.pid, unix.SIGKILL)
			_, _ = unix.Wait4(t.pid, nil, 0, nil)
		}
		return
	}
	t.signalGroup(unix.SIGKILL)
	if conn, err := t.pidfd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) {
			_ = unix.Waitid(unix.P_PIDFD, int(fd), nil, unix.WEXITED|unix.WNOHANG, nil)
		})
	}
	_ = t.pidfd.Close()
}

// hasEnded reports whether the wrapper is known to have ended. t.mu is held.
func (t *attempt) hasEnded() bool {
	if t.ended != nil || t.pidfd == nil {
		return t.ended != nil
	}
	ended := false
	if conn, err := t.pidfd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { ended = hasExited(fd) })
	}
	return ended
}
