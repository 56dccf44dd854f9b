// Package limit writes the log of one try within limits, so that no task takes
// the room of the other logs and of the database. It imports nothing but the
// standard library, since the supervisor of local processes writes with it.
package limit

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// What begins a line of dagwright's own, with a space between the two; package
// tasklog reads it.
const (
	// LineTime is RFC 3339 in UTC with all nine digits of the nanoseconds, so
	// that every timestamp has the same length and sorts as text.
	LineTime = "2006-01-02T15:04:05.000000000Z"
	// OwnMark stands before dagwright's own text.
	OwnMark = "dagwright: "
)

const (
	// shortBytes is how much a log may hold while space is short, so that one
	// large log does not take the last room of all the others.
	shortBytes = 64 << 10
	// A writer looks for space after so many bytes, or after so long.
	lookBytes = 64 << 10
	lookAfter = time.Second
)

// Limits bound what one try may write into its log, so that no task takes the
// room of the other logs and of the database. They are plain data, to be handed
// to another process that writes a log.
type Limits struct {
	// MaxBytes is the most that one log holds; 0 means no limit.
	MaxBytes int64 `json:"max_bytes,omitempty"`
	// MinFree is how many bytes of the log's file system stay free. Below it a
	// log that holds more than 64 KiB is cut, and below half of it every log; 0
	// looks at nothing.
	MinFree int64 `json:"min_free,omitempty"`
	// Full is the path of a file that exists while the logs of the instance
	// have reached their limit together; a log that holds more than 64 KiB is
	// then cut. Empty looks at nothing.
	Full string `json:"full,omitempty"`
}

// Append returns what appends to a log within the limits. The file must be
// open for appending (O_APPEND) and have no other writer. Closing the Appender
// closes the file.
func (l Limits) Append(f *os.File) (*Appender, error) { return l.Resume(f, State{}) }

// Resume is Append for a log that an earlier Appender has left in a state.
func (l Limits) Resume(f *os.File, s State) (*Appender, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("append to task log: %w", err)
	}
	a := &Appender{limits: l, file: f, size: info.Size(), now: time.Now, state: s}
	if !s.Cut && l.MaxBytes > 0 && a.size >= l.MaxBytes {
		// An earlier writer has cut it; with its mark it is longer than that.
		a.state.Cut, a.state.Marked = true, a.size > l.MaxBytes
		a.state.Why = a.atLimit()
	}
	return a, nil
}

// State is what an Appender knows beside its file: plain data, to be handed to
// another program that continues the log.
type State struct {
	// Cut says that nothing more of the task is written, Why what the log says
	// of it, and Marked that it has said so.
	Cut    bool   `json:"cut,omitempty"`
	Why    string `json:"why,omitempty"`
	Marked bool   `json:"marked,omitempty"`
	// Dropped is how many bytes were dropped since the cut.
	Dropped int64 `json:"dropped,omitempty"`
	// InLine says that what was written last did not end a line.
	InLine bool `json:"in_line,omitempty"`
}

// Appender appends to one log within Limits: where these end, the log gets a
// last line that says so, and the rest is dropped, so that the writer is not disturbed.
// It is not safe for concurrent use.
type Appender struct {
	limits Limits
	file   *os.File
	now    func() time.Time
	size   int64 // of the file

	looked time.Time // when space was looked for, and the size at that time
	atSize int64
	space  space

	state State
}

// space is what a look at the disk has found.
type space int

const (
	spaceThere space = iota
	spaceTaken       // the logs of the instance have reached their limit
	spaceShort       // the file system has less free than it should
	spaceGone        // the file system has next to nothing free
)

// Write appends p as far as the limits allow. What they cut off is dropped, and
// counts as written. On an error nothing of p is in the log.
func (a *Appender) Write(p []byte) (int, error) {
	if a.state.Cut {
		a.state.Dropped += int64(len(p))
		return len(p), a.mark()
	}
	most, why := a.most(int64(len(p)))
	fits := p
	if room := max(0, most-a.size); most >= 0 && int64(len(p)) > room {
		fits = p[:room]
	}
	n, err := a.append(fits)
	switch {
	case IsFull(err):
		why = "the disk is full"
	case err != nil:
		return 0, err
	case len(fits) == len(p):
		return len(p), nil
	}
	a.state.Cut, a.state.Why, a.state.Dropped = true, cutLine(why), int64(len(p)-n)
	return len(p), a.mark()
}

// Note appends whole lines of dagwright's own, whatever the limits say. On an
// error nothing of them is in the log.
func (a *Appender) Note(lines []byte) error {
	if a.state.InLine {
		lines = append([]byte("\n"), lines...)
	}
	n, err := a.append(lines)
	if n > 0 && err != nil {
		err = errors.Join(err, a.undo(n))
	}
	return err
}

// Cut reports whether the log was cut: nothing more that a task writes comes
// into it.
func (a *Appender) Cut() bool { return a.state.Cut }

// State is the state of the log, for Resume.
func (a *Appender) State() State { return a.state }

// StopCounting leaves out of the log how much was dropped: for a writer that does
// not read on after the log was cut.
func (a *Appender) StopCounting() { a.state.Dropped = 0 }

// Size is the length of the log in bytes.
func (a *Appender) Size() int64 { return a.size }

// Close says in the log how much was dropped, and closes the file.
func (a *Appender) Close() error {
	err := a.mark()
	if err == nil && a.state.Dropped > 0 {
		err = a.own(fmt.Sprintf("%d bytes of output were dropped", a.state.Dropped))
	}
	if IsFull(err) {
		err = nil // there is no room to say so
	}
	return errors.Join(err, a.file.Close())
}

// append writes to the file. When the disk is full it keeps what was written of
// p, on another error it takes that back.
func (a *Appender) append(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := a.file.Write(p)
	a.size += int64(n)
	if n > 0 {
		a.state.InLine = p[n-1] != '\n'
	}
	if err == nil {
		return n, nil
	}
	err = fmt.Errorf("write task log: %w", err)
	if n > 0 && !IsFull(err) {
		return 0, errors.Join(err, a.undo(n))
	}
	return n, err
}

// undo takes back the last n bytes.
func (a *Appender) undo(n int) error {
	a.size -= int64(n)
	return a.file.Truncate(a.size)
}

// mark writes the last line of a log that was cut, once.
func (a *Appender) mark() error {
	if !a.state.Cut || a.state.Marked {
		return nil
	}
	err := a.own(a.state.Why)
	if IsFull(err) {
		return nil // it is written when there is room again, or not at all
	}
	a.state.Marked = err == nil
	return err
}

func (a *Appender) own(text string) error {
	line := a.now().UTC().AppendFormat(nil, LineTime)
	return a.Note(append(line, " "+OwnMark+text+"\n"...))
}

// most is how long the log may become now, -1 for no limit, and why.
func (a *Appender) most(coming int64) (int64, string) {
	most, why := int64(-1), ""
	if a.limits.MaxBytes > 0 {
		most, why = a.limits.MaxBytes, a.atLimit()
	}
	short := int64(shortBytes)
	switch a.look(coming) {
	case spaceTaken:
		why = "the logs of this instance have reached their limit together"
	case spaceShort:
		why = "little space is left on the disk"
	case spaceGone:
		short, why = 0, "little space is left on the disk"
	case spaceThere:
		return most, why
	}
	if most >= 0 {
		short = min(short, most)
	}
	return short, why
}

func (a *Appender) atLimit() string {
	return fmt.Sprintf("a log has %s at most", bytesText(a.limits.MaxBytes))
}

// bytesText writes a number of bytes in the largest unit that divides it.
func bytesText(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if size := int64(1) << (30 - 10*i); n > 0 && n%size == 0 {
			return fmt.Sprintf("%d %s", n/size, unit)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

func cutLine(why string) string {
	return "the log is cut here: " + why + "; the task goes on, and what it writes from here on is dropped"
}

// look says whether there is space, from the last look while that is fresh.
func (a *Appender) look(coming int64) space {
	now := a.now()
	if a.size+coming-a.atSize < lookBytes && now.Sub(a.looked) < lookAfter && !a.looked.IsZero() {
		return a.space
	}
	a.looked, a.atSize = now, a.size+coming
	a.space = a.limits.look(a.file)
	return a.space
}

func (l Limits) look(f *os.File) space {
	if l.MinFree > 0 {
		if free, _, err := Disk(f); err == nil && free < l.MinFree {
			if free < l.MinFree/2 {
				return spaceGone
			}
			return spaceShort
		}
	}
	if l.Full != "" {
		if _, err := os.Lstat(l.Full); err == nil {
			return spaceTaken
		}
	}
	return spaceThere
}

// Disk gives the free bytes and the size of a file's file system.
func Disk(f *os.File) (free, size int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0, 0, fmt.Errorf("look for space: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// IsFull says whether an error is that of a disk or a quota of a disk that is
// full.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
