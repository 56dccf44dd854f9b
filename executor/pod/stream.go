package pod

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"dagwright/tasklog"
)

const (
	// readSize is how much of a container's output is in memory at once. A line
	// that is longer is written in pieces.
	readSize = 8 << 10
	// linger is how long a stream may go on by itself when the container of a
	// deleted pod has ended: its node may remove the output before it can be
	// asked for again.
	linger = 2 * time.Second
	// stall is how long the last reading may stand still.
	stall = time.Minute
	// patience and lostPatience bound how long the rest of the output is sought
	// when the API server answers and the node does not give it.
	patience     = 2 * time.Minute
	lostPatience = 10 * time.Second
	// longestWait bounds the pause before a stream that broke is taken up.
	longestWait = 5 * time.Second
)

// stream reads the output of one container into the log.
type stream struct {
	keeper    *keeper
	container string
	base      bool

	running bool          // guarded by keeper.mu
	done    chan struct{} // closed when run has ended
	once    sync.Once
	over    chan struct{} // closed when the container has ended

	place place
	tail  []string // the last lines; guarded by keeper.mu
	out   []byte   // whole lines that are not written yet
	line  line
	// partial is a long line that an earlier reading has begun to write.
	partial *line
	lastEnd unfinished
	// empty says that a reading came to its end and has shown nothing at all.
	empty bool
	// drained says that the last reading came to an end by itself.
	drained bool
}

// line is the line that is being read.
type line struct {
	inside  bool // more of it is to come
	skip    bool // it is in the log already
	at      time.Time
	written int64 // bytes of its text that are in the log
	seen    int64 // bytes of its text that this reading has shown
}

func newStream(k *keeper, container string) *stream {
	return &stream{
		keeper: k, container: container, base: container == k.options.Base,
		done: make(chan struct{}), over: make(chan struct{}),
	}
}

// finish says that the container has ended: what is there now is all.
func (s *stream) finish() { s.once.Do(func() { close(s.over) }) }

func (s *stream) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// run reads until the container has ended and all of its output is in the log,
// or cannot be had, which is then noted there.
func (s *stream) run(ctx context.Context) {
	defer close(s.done)
	pause := firstPause
	var refused time.Time // since when the node refuses the rest
	for ctx.Err() == nil {
		if s.keeper.isCut() {
			s.awaitEnd(ctx)
			return
		}
		over, drained := s.isOver(), s.drained
		progress, err := s.read(ctx, over)
		switch {
		case errors.Is(err, errCut):
			continue
		case over && err == nil && !progress:
			return
		case over && err == nil || errors.Is(err, errUnconfirmed):
			continue // an answer that was cut short looks like the end
		}
		if err != nil && ctx.Err() == nil {
			s.keeper.x.logger(s.keeper.key).Debug("reading of output broke off", "container", s.container, "err", err)
		}
		if progress {
			pause, refused = firstPause, time.Time{}
		}
		if over && refusal(err) {
			if refused.IsZero() {
				refused = s.keeper.x.config.Now()
			}
			if drained && s.isGone(err) {
				return // nothing had been left to read
			}
			if s.givesUp(err, refused) {
				s.keeper.note(s.keeper.x.config.Now(),
					sentence("the rest of the output of container "+s.container+" could not be read", "", plain(err)))
				return
			}
		}
		s.rest(ctx, pause, over)
		pause = min(2*pause, longestWait)
	}
}

// awaitEnd waits until the container has ended.
func (s *stream) awaitEnd(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.over:
	}
}

// rest waits before the next reading, or until the container has ended.
func (s *stream) rest(ctx context.Context, pause time.Duration, over bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	ended := s.over
	if over {
		ended = nil
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-ended:
	}
}

// refusal reports whether an error is an answer of the cluster, as opposed to
// an API server that is unavailable or a log that cannot be written: those are waited
// for.
func refusal(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !apierrors.IsTooManyRequests(err) && !apierrors.IsServiceUnavailable(err) ||
		errors.Is(err, errNoLine) || errors.Is(err, errShort)
}

// isRemoved reports whether the pod is being deleted.
func (s *stream) isRemoved() bool {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	return s.keeper.removed
}

// isGone reports whether a refusal means that the container is not there any
// more: the node removes it soon after the pod's deletion.
func (s *stream) isGone(err error) bool {
	return s.isRemoved() || apierrors.IsNotFound(err) || apierrors.IsBadRequest(err)
}

func (s *stream) givesUp(err error, since time.Time) bool {
	waited := s.keeper.x.config.Now().Sub(since)
	s.keeper.mu.Lock()
	lost := s.keeper.lost || s.keeper.removed
	s.keeper.mu.Unlock()
	switch {
	case apierrors.IsNotFound(err):
		return true // the pod is gone, and with it its output
	case lost || apierrors.IsBadRequest(err) || errors.Is(err, errShort):
		return waited > lostPatience
	}
	return waited > patience
}

// read reads once from where the log ends; over says that the container has
// ended, so there is an end. It reports whether it made progress.
func (s *stream) read(ctx context.Context, over bool) (progress bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(stall, cancel)
	defer watchdog.Stop()
	if !over {
		watchdog.Stop()
		stop := s.cancelAfterEnd(ctx, cancel)
		defer stop()
	}
	options := &corev1.PodLogOptions{Container: s.container, Follow: !over, Timestamps: true, SinceTime: s.place.since()}
	body, err := s.keeper.x.pods(s.keeper.namespace).log(ctx, s.keeper.pod, options)
	if err != nil {
		return false, err
	}
	defer body.Close()
	before := s.place.count
	s.drained = false
	err = s.copy(body, over, func() {
		if over {
			watchdog.Reset(stall)
		}
	})
	s.drained = err == nil
	return s.place.count > before, err
}

// cancelAfterEnd ends a reading when its container has ended. The kubelet itself
// takes up to a second to notice, and what is left is had by asking once more.
func (s *stream) cancelAfterEnd(ctx context.Context, cancel func()) (stop func()) {
	timer := time.AfterFunc(time.Hour, cancel)
	timer.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.over:
			if s.isRemoved() {
				timer.Reset(linger)
			} else {
				cancel()
			}
		case <-ctx.Done():
		}
	}()
	return func() {
		cancel()
		<-ended
		timer.Stop()
	}
}

// errNoLine is what comes instead of a line when the kubelet cannot read the
// log: it then writes its fault into the answer.
var errNoLine = errors.New("the kubelet answers with no log line")

// copy takes lines from the API server's answer until it ends.
func (s *stream) copy(body io.Reader, over bool, alive func()) error {
	s.place.rewind()
	if s.line.written > 0 {
		begun := s.line
		s.partial = &begun
	}
	s.line = line{}
	r := bufio.NewReaderSize(body, readSize)
	for {
		piece, err := r.ReadSlice('\n')
		alive()
		if errors.Is(err, io.EOF) {
			return s.ended(piece, over)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return errors.Join(err, s.flush())
		}
		if err := s.take(piece); err != nil {
			return err
		}
		if r.Buffered() == 0 || len(s.out) > readSize {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
}

// unfinished is where a log ends that does not end with a newline: behind so
// many lines and bytes.
type unfinished struct{ lines, bytes int64 }

// errUnconfirmed says that the log ends without a newline, if it really does.
var errUnconfirmed = errors.New("the last line is not complete")

// errShort says that an answer ends before the last line that is known. The API server
// ends its answer in good order, too, when its connection to the node breaks. A node
// that rotated the file after that line does not show it either, so this is asked again
// for a while only.
var errShort = errors.New(
	"the answer ends before the last line that is known: it was cut short, or the node has rotated the file")

// ended takes the end of an answer. It is the end of the output when the container has
// ended and the answer shows all that is known; two answers must agree that there is no
// output, and on a last line without a newline.
func (s *stream) ended(piece []byte, over bool) error {
	if !over {
		s.empty = s.empty || s.place.count == 0 && len(piece) == 0
		return s.flush()
	}
	inLine := len(piece) > 0 || s.line.inside
	if end := (unfinished{s.place.count, s.line.seen + int64(len(piece))}); inLine && end != s.lastEnd {
		s.lastEnd = end
		return errors.Join(errUnconfirmed, s.flush())
	}
	if inLine {
		if err := s.take(append(piece, '\n')); err != nil {
			return err
		}
	}
	switch {
	case !s.place.caughtUp():
		return errors.Join(errShort, s.flush())
	case s.place.count == 0 && !s.empty && !inLine:
		s.empty = true
		return errUnconfirmed
	}
	return s.flush()
}

// take takes a piece of the answer: a line, or a part of a long one.
func (s *stream) take(piece []byte) error {
	if !s.line.inside {
		at, text, ok := cutTimestamp(piece)
		if !ok {
			return errors.Join(fmt.Errorf("%w: %s", errNoLine, clip(string(piece))), s.flush())
		}
		s.begin(at)
		piece = text
	}
	whole := len(piece) > 0 && piece[len(piece)-1] == '\n'
	var err error
	if !s.line.skip {
		err = s.put(piece, whole)
	}
	s.line.seen += int64(len(piece))
	s.line.inside = !whole
	return err
}

// begin begins a line, which may be one that the log has, or has a part of.
func (s *stream) begin(at time.Time) {
	s.line = line{at: at, skip: s.place.passed(at)}
	if !s.line.skip && s.partial != nil {
		if s.partial.at.Equal(at) {
			s.line.written = s.partial.written
		}
		s.partial = nil
	}
}

// put adds a piece of the present line to the log. Whole lines are gathered, so
// that many of them cost one write; a line that does not fit is written as it
// comes.
func (s *stream) put(piece []byte, whole bool) error {
	if known := s.line.written - s.line.seen; known > 0 {
		piece = piece[min(known, int64(len(piece))):]
	}
	if len(piece) == 0 && !whole {
		return nil
	}
	if whole && s.line.written == 0 {
		s.out = append(s.prefix(s.out, piece), '\n')
		s.place.reached(s.line.at)
		s.remember(piece)
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.putPart(piece); err != nil {
		return err
	}
	s.line.written += int64(len(piece))
	if whole {
		s.line.written = 0
		s.place.reached(s.line.at)
		s.place.settle(true)
		s.remember(piece)
	}
	return nil
}

// prefix appends a line without its newline.
func (s *stream) prefix(dst, text []byte) []byte {
	l := tasklog.Line{Time: s.line.at, Text: string(bytes.TrimSuffix(text, []byte("\n")))}
	if !s.base {
		l.Container = s.container
	}
	return tasklog.AppendLine(dst, l)
}

// putPart writes a part of a long line: its beginning with the timestamp, and
// again where another writer came in between.
func (s *stream) putPart(piece []byte) error {
	k := s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	goesOn := s.line.written > 0 && k.broken == s
	text := piece
	if !goesOn {
		text = s.prefix(nil, piece)
		if bytes.HasSuffix(piece, []byte("\n")) {
			text = append(text, '\n')
		}
	}
	if len(text) == 0 {
		return nil
	}
	return k.write(s, text, goesOn)
}

// flush writes the lines that were gathered. On an error they are read again.
func (s *stream) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	s.keeper.mu.Lock()
	err := s.keeper.write(s, s.out, false)
	s.keeper.mu.Unlock()
	s.out = s.out[:0]
	s.place.settle(err == nil)
	return err
}

// remember keeps the last lines for the reason of a failure.
func (s *stream) remember(text []byte) {
	if shown := s.shown(text); shown != "" {
		s.keeper.mu.Lock()
		defer s.keeper.mu.Unlock()
		s.keep(shown)
	}
}

// keep adds to the last lines. keeper.mu is held.
func (s *stream) keep(shown string) {
	const lines = 3
	s.tail = append(s.tail[max(0, len(s.tail)-lines+1):], shown)
}

// shown is what a reason quotes of a line: its beginning, without known secrets; and
// nothing of a container beside the base one.
func (s *stream) shown(text []byte) string {
	const length = 300
	if !s.base {
		return ""
	}
	text = text[:min(len(text), readSize)]
	masked := s.keeper.x.config.Logs.Mask(string(text))
	return strings.TrimSpace(masked[:min(len(masked), length)])
}

// wrote takes a line that is in the log already. keeper.mu is held.
func (s *stream) wrote(at time.Time, text string) {
	s.place.reached(at)
	s.place.settle(true)
	if shown := s.shown([]byte(text)); shown != "" {
		s.keep(shown)
	}
}

// cutTimestamp takes the timestamp, which Kubernetes writes as RFC 3339 with
// nanoseconds, and the space behind it from a line.
func cutTimestamp(line []byte) (at time.Time, text []byte, ok bool) {
	var err error
	end := bytes.IndexByte(line[:min(len(line), 64)], ' ')
	if end < 0 {
		return time.Time{}, nil, false
	}
	at, err = time.Parse(time.RFC3339Nano, string(line[:end]))
	return at.UTC(), line[end+1:], err == nil
}
