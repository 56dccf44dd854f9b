package tasklog

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"dagwright/tasklog/limit"
)

const (
	// The limits of an instance that names none.
	defaultMaxBytesPerTry = 256 << 20
	defaultMinFree        = 512 << 20
	// measureEvery is how often the logs that grow are measured, and recountEvery
	// how often all of them are.
	measureEvery = time.Second
	recountEvery = time.Hour
	// fullMark is a file in the folder that exists while the logs have reached
	// their limit together: other processes that write logs look for it.
	fullMark = ".full"
)

// Limits bound what one try may write into its log.
type Limits = limit.Limits

// Appender appends to one log within Limits.
type Appender = limit.Appender

// Limits are the limits of the logs in this folder.
func (d *Dir) Limits() Limits { return d.limits }

// newLimits turns the configuration into limits of one log and of the folder.
// What is left out depends on the size of the file system.
func newLimits(c Config, s *spool, size int64) (Limits, int64) {
	or := func(n, otherwise int64) int64 {
		if n == 0 {
			return otherwise
		}
		return max(n, 0) // a negative one is not a limit
	}
	l := Limits{
		MaxBytes: or(c.MaxBytesPerTry, defaultMaxBytesPerTry),
		MinFree:  or(c.MinFree, min(defaultMinFree, size/20)),
	}
	all := or(c.MaxBytes, size/10*8)
	if all > 0 {
		l.Full = s.full(fullMark)
	}
	return l, all
}

// Space is how much room there is for logs.
type Space struct {
	// Used is what the logs in the folder take in bytes, and Most what they may
	// take; 0 means no limit. Used is 0 until they have been counted after Open.
	Used, Most int64
	// Free is what the folder's file system has left in bytes, and MinFree what
	// it should have.
	Free, MinFree int64
}

// Full says that the logs have reached their limit: those of more than 64 KiB
// are cut.
func (s Space) Full() bool { return s.Most > 0 && s.Used >= s.Most }

// Short says that the file system has less free than it should: nothing that
// writes to it should begin.
func (s Space) Short() bool { return s.Free < s.MinFree }

// Space looks how much room there is for logs.
func (d *Dir) Space() (Space, error) {
	free, _, err := d.spool.disk()
	return Space{Used: d.spool.usage.total(), Most: d.mostBytes, Free: free, MinFree: d.limits.MinFree}, err
}

// Short reports whether the folder's file system has less free than it should; false
// while it cannot be asked.
func (d *Dir) Short() bool {
	space, err := d.Space()
	return err == nil && space.Short()
}

// disk gives the free bytes and the size of the folder's file system.
func (s *spool) disk() (free, size int64, err error) {
	f, err := s.root.Open(".")
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	return limit.Disk(f)
}

// usage counts the bytes of a spool: those of logs that do not change any more,
// and the last measure of those that grow.
type usage struct {
	mu      sync.Mutex
	settled int64
	growing map[string]int64
	counted bool // the folder has been counted since Open
}

func (u *usage) total() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.counted {
		return 0
	}
	n := u.settled
	for _, size := range u.growing {
		n += size
	}
	return n
}

// opened counts a log that may grow from now on.
func (u *usage) opened(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.growing == nil {
		u.growing = map[string]int64{}
	}
	if _, known := u.growing[name]; !known {
		u.growing[name] = 0
	}
}

// closed records that a log has its last size.
func (u *usage) closed(name string, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, growing := u.growing[name]; growing {
		delete(u.growing, name)
		u.settled += size
	}
}

// removed records that a file of that size is gone.
func (u *usage) removed(name string, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, growing := u.growing[name]; growing {
		delete(u.growing, name)
	} else {
		u.settled = max(0, u.settled-size)
	}
}

func (u *usage) names() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	names := make([]string, 0, len(u.growing))
	for name := range u.growing {
		names = append(names, name)
	}
	return names
}

// count counts every file of the spool.
func (s *spool) count() error {
	fresh := usage{growing: map[string]int64{}, counted: true}
	err := s.walk(func(name string, info fs.FileInfo) error {
		if strings.HasSuffix(name, logEnd) && !sealed(info) {
			fresh.growing[name] = info.Size()
		} else {
			fresh.settled += info.Size()
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range s.usage.names() {
		// Its folder may have been passed before it was made.
		if info, err := s.root.Stat(name); err == nil && !sealed(info) {
			fresh.growing[name] = info.Size()
		}
	}
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	s.usage.settled, s.usage.growing, s.usage.counted = fresh.settled, fresh.growing, true
	return nil
}

// measure looks at the logs that grow.
func (s *spool) measure() {
	for _, name := range s.usage.names() {
		info, err := s.root.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.usage.removed(name, 0)
		case err == nil && sealed(info):
			s.usage.closed(name, info.Size())
		case err == nil:
			s.usage.mu.Lock()
			s.usage.growing[name] = info.Size()
			s.usage.mu.Unlock()
		}
	}
}

// Guard measures the folder until ctx ends, and sets or takes away the mark by
// which writers know that it is full: without it MaxBytes has no effect. It
// returns nil.
func (d *Dir) Guard(ctx context.Context) error {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	var counted time.Time
	for full := false; ; {
		if counted.IsZero() || time.Since(counted) > recountEvery {
			if err := d.spool.count(); err != nil {
				d.config.Logger.Error("count task logs", "err", err)
			}
			counted = time.Now()
		}
		d.spool.measure()
		full = d.setFull(full)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// setFull makes the mark tell the truth, and logs a change of was.
func (d *Dir) setFull(was bool) bool {
	used := d.spool.usage.total()
	full := d.mostBytes > 0 && used >= d.mostBytes
	if !full {
		if err := d.spool.remove(fullMark); err != nil {
			d.config.Logger.Error("remove mark of task logs", "err", err)
		}
	} else if err := d.spool.touch(fullMark); err != nil && !limit.IsFull(err) {
		d.config.Logger.Error("write mark of task logs", "err", err)
	}
	switch {
	case full && !was:
		d.config.Logger.Error("the task logs have reached their limit; large logs are cut until some are removed",
			"bytes", used, "limit", d.mostBytes)
	case !full && was:
		d.config.Logger.Info("the task logs are below their limit again", "bytes", used, "limit", d.mostBytes)
	}
	return full
}

func (s *spool) touch(name string) error {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, openMode)
	if err != nil {
		return err
	}
	return f.Close()
}
