package tasklog

import (
	"context"
	"encoding/binary"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// watchMask is the same for files and folders, as the kernel keeps one mask
// for each inode: content, mode (the seal), and names that appear or go.
const watchMask = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_CREATE | unix.IN_MOVED_TO |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_DONT_FOLLOW

// hub shares one inotify instance among all followers, since a user may have
// only 128 of them. The instance lives while somebody watches.
type hub struct {
	mu      sync.Mutex
	inotify *os.File
	fd      int // of inotify; File.Fd would make it block
	watches map[int32]map[*watch]struct{}
}

// watch tells one follower that one file or folder may have changed.
type watch struct {
	hub     *hub
	wd      int32 // -1 when inotify is unavailable
	changed chan struct{}
	timer   *time.Timer
}

// add begins to watch a path. Where inotify is unavailable the watch has
// only its timer.
func (h *hub) add(path string) *watch {
	w := &watch{hub: h, wd: -1, changed: make(chan struct{}, 1), timer: time.NewTimer(pollEvery)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open() {
		return w
	}
	wd, err := unix.InotifyAddWatch(h.fd, path, watchMask)
	if err != nil {
		h.closeIdle()
		return w
	}
	w.wd = int32(wd)
	if h.watches[w.wd] == nil {
		h.watches[w.wd] = map[*watch]struct{}{}
	}
	h.watches[w.wd][w] = struct{}{}
	return w
}

func (h *hub) open() bool {
	if h.inotify != nil {
		return true
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return false
	}
	h.fd, h.inotify = fd, os.NewFile(uintptr(fd), "inotify")
	h.watches = map[int32]map[*watch]struct{}{}
	go h.read(h.inotify)
	return true
}

// closeIdle ends the instance, and so its reader, when nobody watches.
func (h *hub) closeIdle() {
	if h.inotify != nil && len(h.watches) == 0 {
		_ = h.inotify.Close()
		h.inotify = nil
	}
}

// read passes events on until the instance is closed.
func (h *hub) read(inotify *os.File) {
	buf := make([]byte, 16<<10)
	for {
		n, err := inotify.Read(buf)
		if err != nil {
			return
		}
		h.dispatch(buf[:n])
	}
}

// dispatch wakes whom the events are about. The layout is struct inotify_event
// of inotify(7).
func (h *hub) dispatch(events []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if mask&unix.IN_Q_OVERFLOW != 0 {
			for _, set := range h.watches {
				wake(set)
			}
		}
		wake(h.watches[wd])
		events = events[min(size, len(events)):]
	}
}

func wake(set map[*watch]struct{}) {
	for w := range set {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

// wait returns nil when there may be something new, and ctx's error when ctx
// ends.
func (w *watch) wait(ctx context.Context) error {
	w.timer.Reset(pollEvery)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.changed:
	case <-w.timer.C:
	}
	return nil
}

func (w *watch) close() {
	w.timer.Stop()
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.wd < 0 {
		return
	}
	delete(h.watches[w.wd], w)
	if len(h.watches[w.wd]) == 0 {
		delete(h.watches, w.wd)
		// The file may be gone and its watch with it.
		_, _ = unix.InotifyRmWatch(h.fd, uint32(w.wd))
	}
	h.closeIdle()
}
