package pod

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
	"dagwright/podspec"
	"dagwright/reason"
	"dagwright/tasklog"
)

// keeper writes the log of one attempt: the output of its containers and what
// the cluster says about the pod. Its methods are safe for concurrent use.
type keeper struct {
	x         *Executor
	key       dag.AttemptKey
	namespace string
	pod       string
	options   podspec.Options

	mu      sync.Mutex
	file    *tasklog.Appender // nil until opened
	sealed  bool              // the log is complete; nothing more is written
	notes   map[string]bool
	streams map[string]*stream
	// broken is the stream in the middle of whose line the file ends; nil when
	// it ends with a whole line.
	broken *stream
	lost   bool // the pod was lost, so its output may be out of reach
	// removed says that the pod is being deleted, whereupon its node removes the
	// containers and their output.
	removed bool
}

func newKeeper(x *Executor, t *attempt) *keeper {
	return &keeper{
		x: x, key: t.key, namespace: t.namespace, pod: t.name, options: t.options,
		notes: map[string]bool{}, streams: map[string]*stream{},
	}
}

// open opens the log, and reads what an earlier process has written of it, so
// that nothing is written twice. k.mu is held.
func (k *keeper) open() error {
	if k.file != nil || k.sealed {
		return nil
	}
	file, err := k.x.config.Logs.File(k.key)
	if errors.Is(err, dag.ErrConflict) {
		k.sealed = true
		_, err = k.recall() // for its last lines
		return err
	}
	if err != nil {
		return err
	}
	size, err := k.recall()
	if err == nil {
		// A line that was cut short by a crash is read again.
		err = file.Truncate(size)
	}
	if err == nil {
		k.file, err = k.x.config.Logs.Limits().Append(file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("take up task log: %w", err), file.Close())
	}
	return nil
}

// recall reads the log as far as it is written and returns the length of its
// whole lines.
func (k *keeper) recall() (int64, error) {
	info, err := k.x.config.Logs.Stat(k.key)
	if err != nil || info.Size == 0 {
		return 0, err
	}
	text, err := k.x.config.Logs.ReadAt(k.key, 0, math.MaxInt64)
	if err != nil {
		return 0, err
	}
	defer text.Close()
	var size, length int64
	var line []byte // the beginning of the line that is being read
	r := bufio.NewReaderSize(text, readSize)
	for {
		piece, err := r.ReadSlice('\n')
		length += int64(len(piece))
		if len(line) == 0 {
			line = append(line, piece...)
		}
		switch {
		case errors.Is(err, io.EOF):
			return size, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return 0, err
		}
		k.recallLine(line)
		line, size = line[:0], length
	}
}

// recallLine takes a line that is written already, of a long one its beginning.
func (k *keeper) recallLine(piece []byte) {
	line := tasklog.ParseLine(piece)
	if line.Own {
		k.notes[noteKey(line.Time, line.Text)] = true
		return
	}
	container := line.Container
	if container == "" {
		container = k.options.Base
	}
	k.stream(container).wrote(line.Time, line.Text)
}

// stream returns the stream of a container, which is not started by this.
// k.mu is held.
func (k *keeper) stream(container string) *stream {
	s := k.streams[container]
	if s == nil {
		s = newStream(k, container)
		k.streams[container] = s
	}
	return s
}

func noteKey(at time.Time, text string) string {
	return at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) + " " + text
}

// note writes a line of dagwright's own, once.
func (k *keeper) note(at time.Time, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.open(); err != nil || k.sealed || k.notes[noteKey(at, text)] {
		if err != nil {
			k.x.logger(k.key).Error("open task log", "err", err)
		}
		return
	}
	line := tasklog.AppendLine(nil, tasklog.Line{Time: at, Own: true, Text: text})
	if err := k.write(nil, append(line, '\n'), false); err != nil {
		k.x.logger(k.key).Error("write task log", "err", err)
		return
	}
	k.notes[noteKey(at, text)] = true
}

// errCut says that the log has reached its limit: the output need not be read.
var errCut = errors.New("the log has reached its limit")

// isCut reports whether the log takes no more output.
func (k *keeper) isCut() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file != nil && k.file.Cut()
}

// write appends text of a stream, or whole lines of dagwright's own (s is nil).
// goesOn says that the text continues the line with which the log ends. On an
// error the log is as it was before, or, with errCut, at its limit. k.mu is held.
func (k *keeper) write(s *stream, text []byte, goesOn bool) error {
	if err := k.open(); err != nil {
		return err
	}
	if k.sealed {
		return nil
	}
	broken := k.broken
	k.broken = nil
	if s == nil {
		return k.file.Note(text)
	}
	if broken != nil && !goesOn {
		// That line is not complete; what is left of it becomes one of its own.
		text = append([]byte("\n"), text...)
	}
	if _, err := k.file.Write(text); err != nil {
		k.broken = broken
		return err
	}
	if k.file.Cut() {
		k.file.StopCounting() // nobody reads what is left
		return errCut
	}
	if text[len(text)-1] != '\n' {
		k.broken = s
	}
	return nil
}

// follow starts to read the output of the containers that have some, and tells
// the streams of those that have ended.
func (x *Executor) follow(t *attempt) {
	k := t.log
	if t.pod.DeletionTimestamp != nil {
		k.mu.Lock()
		k.removed = true
		k.mu.Unlock()
	}
	all := append(append([]corev1.ContainerStatus(nil), t.pod.Status.InitContainerStatuses...),
		t.pod.Status.ContainerStatuses...)
	for i := range all {
		if s := &all[i]; k.wants(s.Name) && hasOutput(s) {
			k.followOne(s.Name, s.State.Terminated != nil)
		}
	}
}

func (k *keeper) wants(container string) bool {
	for _, name := range append(append([]string(nil), k.options.Logs...), k.options.InitLogs...) {
		if name == container {
			return true
		}
	}
	return false
}

// hasOutput reports whether a container has run, so that there is a log of it.
func hasOutput(s *corev1.ContainerStatus) bool {
	return s.State.Running != nil || s.State.Terminated != nil && s.State.Terminated.ContainerID != "" &&
		s.State.Terminated.Reason != "StartError" && s.State.Terminated.Reason != "ContainerStatusUnknown"
}

func (k *keeper) followOne(container string, over bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.open(); err != nil || k.sealed {
		if err != nil {
			k.x.logger(k.key).Error("open task log", "err", err)
		}
		return
	}
	s := k.stream(container)
	if over {
		s.finish() // before the first reading, which then need not follow
	}
	if !s.running {
		s.running = true
		k.x.work.Go(func() { s.run(k.x.ctx) })
	}
}

// closeLog reads the output to its end, seals the log and then reports the end
// of the attempt, beside the worker.
func (x *Executor) closeLog(t *attempt, out outcome, stopped bool) {
	if t.closing {
		return
	}
	t.closing = true
	x.work.Go(func() {
		if k := t.log; k.complete(&out) && k.seal() {
			x.end(t, out, stopped)
		}
	})
}

// complete waits until the output has been read to its end and writes the
// reason of a failure behind it. It returns false when the executor is closed
// before.
func (k *keeper) complete(out *outcome) bool {
	k.mu.Lock()
	k.lost = out.lost
	if err := k.open(); err != nil {
		k.x.logger(k.key).Error("open task log", "err", err)
	}
	var streams []*stream
	for _, s := range k.streams {
		if s.running {
			s.finish()
			streams = append(streams, s)
		}
	}
	k.mu.Unlock()
	for _, s := range streams {
		<-s.done
	}
	if k.x.ctx.Err() != nil {
		return false
	}
	if last := k.lastLines(); out.bare && last != "" && !k.isCut() {
		out.reason = reason.New(reason.LogEnds, out.reason, clip(last))
	}
	if !out.reason.IsZero() {
		k.note(k.x.config.Now(), out.reason.String())
	}
	return true
}

// lastLines are the last lines of the base container.
func (k *keeper) lastLines() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.streams[k.options.Base]; s != nil {
		return strings.Join(s.tail, " ⏎ ")
	}
	return ""
}

// seal marks the log as complete, trying until it can. It returns false when
// the executor is closed before.
func (k *keeper) seal() bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := k.sealOnce()
		if err == nil {
			return true
		}
		k.x.logger(k.key).Error("seal task log, trying again", "err", err)
		select {
		case <-k.x.ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

func (k *keeper) sealOnce() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file != nil {
		if err := k.file.Close(); err != nil {
			return err
		}
		k.file = nil
	}
	if err := k.x.config.Logs.Seal(k.key); err != nil {
		return err
	}
	k.sealed = true
	return nil
}
