package supervisor

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"dagwright/tasklog/limit"
)

const (
	// outputPiece is how much of the output is copied at once, in bytes.
	outputPiece = 32 << 10
	// mostLeft is the most that a pipe may hold, in bytes: what is read of it
	// after the end of all who wrote. It is the default of
	// /proc/sys/fs/pipe-max-size.
	mostLeft = 1 << 20
)

// pieces are buffers for those outputs that have something to copy just now.
var pieces = sync.Pool{New: func() any { return new([outputPiece]byte) }}

// output copies what a process writes into its log.
type output struct {
	pipe   *os.File
	file   *os.File        // of the log
	log    *limit.Appender // writes it
	copied chan struct{}   // closed when the copying has stopped

	life   sync.Mutex // held by finish, and from pause to resume
	closed bool

	mu     sync.Mutex // guards the log and what follows
	failed int64      // bytes that could not be written
	why    error
}

// copyOutput begins to copy from the reading end of a pipe.
func copyOutput(pipe int, file *os.File, log *limit.Appender) *output {
	// Only the reader is made non-blocking; the writers have an end of their own.
	_ = syscall.SetNonblock(pipe, true)
	o := &output{pipe: os.NewFile(uintptr(pipe), "output"), file: file, log: log}
	o.run()
	return o
}

// run copies until the last writer is gone or finish is called.
func (o *output) run() {
	o.copied = make(chan struct{})
	go func() {
		defer close(o.copied)
		conn, err := o.pipe.SyscallConn()
		if err != nil {
			return
		}
		for more := true; more && err == nil; {
			err = conn.Read(func(fd uintptr) bool {
				n := o.copyOnce(fd)
				more = n != 0
				return n >= 0
			})
		}
	}()
}

// copyOnce copies what is there now. It returns the number of bytes, 0 at the
// end, and -1 when there is nothing yet.
func (o *output) copyOnce(fd uintptr) int {
	b := pieces.Get().(*[outputPiece]byte)
	defer pieces.Put(b)
	for {
		n, err := syscall.Read(int(fd), b[:])
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return -1
		case err != nil || n <= 0:
			return 0
		default:
			o.write(b[:n])
			return n
		}
	}
}

// write appends to the log. What the limits cut off, the Appender drops and
// counts; what fails is counted here. The process is not held up.
func (o *output) write(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed > 0 && !o.sayFailed() {
		o.failed += int64(len(b))
		return
	}
	if _, err := o.log.Write(b); err != nil && !o.log.Cut() {
		o.failed, o.why = int64(len(b)), err
	}
}

// sayFailed says in the log what is missing there. o.mu is held.
func (o *output) sayFailed() bool {
	text := fmt.Sprintf("dagwright: %d bytes of output are missing here: %v\n", o.failed, o.why)
	if err := o.log.Note([]byte(text)); err != nil {
		return false
	}
	o.failed = 0
	return true
}

// stop ends the copying and returns when nothing is copied any more.
func (o *output) stop() {
	_ = o.pipe.SetReadDeadline(time.Unix(1, 0))
	<-o.copied
}

// finish copies what the ended processes have left in the pipe, and closes it:
// a stranger that still holds its other end is not waited for.
func (o *output) finish() {
	o.life.Lock()
	defer o.life.Unlock()
	o.stop()
	o.control(func(fd uintptr) {
		for left := mostLeft; left > 0; {
			n := o.copyOnce(fd)
			if n <= 0 {
				return
			}
			left -= n
		}
	})
	o.settle()
	_ = o.pipe.Close()
	_ = o.log.Close()
	o.closed = true
}

func (o *output) control(f func(fd uintptr)) {
	if conn, err := o.pipe.SyscallConn(); err == nil {
		_ = conn.Control(f)
	}
}

// settle says what is missing in the log, if that can be written now.
func (o *output) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed > 0 {
		_ = o.sayFailed()
	}
}

// pause stops the copying until resume, and returns the descriptors of the pipe
// and the log, -1 when they are closed.
func (o *output) pause() (pipe, log int) {
	o.life.Lock()
	if o.closed {
		return -1, -1
	}
	o.stop()
	o.settle()
	o.control(func(fd uintptr) { pipe = int(fd) })
	return pipe, int(o.file.Fd())
}

// resume goes on after pause.
func (o *output) resume() {
	defer o.life.Unlock()
	if !o.closed {
		_ = o.pipe.SetReadDeadline(time.Time{})
		o.run()
	}
}
