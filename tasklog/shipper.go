package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"dagwright/dag"
)

const (
	// shipEvery is how often growing logs are looked at.
	shipEvery = time.Second
	// shipWorkers is how many logs are uploaded at the same time, and
	// largeWorkers how many of them may be larger than one part.
	shipWorkers  = 4
	largeWorkers = 1
	// maxBackoff is the longest pause after a fault of the bucket.
	maxBackoff = time.Minute
)

// shipper brings logs from the spool to the bucket. It knows every log of the
// spool that is not there; a second later at most it has seen what changed.
type shipper struct {
	spool   *spool
	bucket  *bucket
	logger  *slog.Logger
	expired func(name string, sealed time.Time) bool
	large   chan struct{} // holds a token for each large upload

	mu      sync.Mutex
	logs    map[string]*shipment
	failing bool // the last step failed
}

// shipment is what is known of one log that is not in the bucket yet. Only the
// worker that has it (busy) reads and writes what stands below busy.
type shipment struct {
	name string
	busy bool
	// made says that this process made the log: chunks of that name are not
	// of this log.
	made   bool
	listed bool // chunks are known
	chunks []chunk
	faults int
	next   time.Time // not before; on the machine's clock, as all pauses are
}

func (l *shipment) shipped() int64 {
	if len(l.chunks) == 0 {
		return 0
	}
	return l.chunks[len(l.chunks)-1].end()
}

// openShipper looks at what an earlier process left. Where the spool is new the
// bucket must be reachable (its state is unreachable): the logs that were
// growing are taken back from it.
func openShipper(ctx context.Context, d *Dir, unreachable error) (*shipper, error) {
	s := &shipper{
		spool: d.spool, bucket: d.bucket, logger: d.config.Logger, expired: d.expiredName,
		large: make(chan struct{}, largeWorkers), logs: map[string]*shipment{},
	}
	if d.spool.isNew() {
		if unreachable != nil {
			return nil, fmt.Errorf("the folder of task logs is new, so logs in progress must be looked for in the bucket: %w",
				unreachable)
		}
		if err := s.takeBack(ctx); err != nil {
			return nil, fmt.Errorf("take back logs in progress: %w", err)
		}
		if err := d.spool.setUsed(); err != nil {
			return nil, fmt.Errorf("mark task log folder: %w", err)
		}
	}
	err := d.spool.walk(func(name string, _ fs.FileInfo) error {
		if strings.HasSuffix(name, logEnd) {
			s.add(name, false)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for task logs: %w", err)
	}
	return s, nil
}

// add adds a log in the spool; made says that it was made just now.
func (s *shipper) add(name string, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logs[name] == nil {
		s.logs[name] = &shipment{name: name, made: made}
	}
}

// run works until stop is closed, then uploads once more all that it can, and
// returns. When ctx ends it returns at once.
func (s *shipper) run(ctx context.Context, stop <-chan struct{}) {
	jobs := make(chan *shipment)
	var workers sync.WaitGroup
	for range shipWorkers {
		workers.Go(func() {
			for l := range jobs {
				s.done(l, s.step(ctx, l))
			}
		})
	}
	defer workers.Wait()
	defer close(jobs)
	tick := time.NewTicker(shipEvery)
	defer tick.Stop()
	for cleaned := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-stop:
			s.flush(ctx, jobs)
			return
		case <-tick.C:
		}
		if !cleaned && !s.isFailing() {
			cleaned = s.note(s.takeBack(ctx)) == nil
		}
		s.hand(ctx, jobs, s.due(time.Now()))
	}
}

// flush hands out every log once, unless the bucket fails.
func (s *shipper) flush(ctx context.Context, jobs chan<- *shipment) {
	for _, l := range s.due(time.Time{}) {
		if s.isFailing() {
			s.done(l, nil)
			continue
		}
		s.hand(ctx, jobs, []*shipment{l})
	}
}

// hand gives logs to workers. Those that are left when ctx ends stay busy,
// which nobody minds then.
func (s *shipper) hand(ctx context.Context, jobs chan<- *shipment, logs []*shipment) {
	for _, l := range logs {
		select {
		case <-ctx.Done():
			return
		case jobs <- l:
		}
	}
}

// due takes the logs that have something to upload now; the zero time means
// that no pause counts.
func (s *shipper) due(now time.Time) []*shipment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*shipment
	for _, l := range s.logs {
		if l.busy || !now.IsZero() && now.Before(l.next) {
			continue
		}
		info, err := s.spool.stat(l.name)
		if err != nil || info.Sealed || info.Size != l.shipped() {
			l.busy = true
			due = append(due, l)
		}
	}
	return due
}

// done takes a log back from a worker.
func (s *shipper) done(l *shipment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.busy = false
	if err == nil {
		l.faults, l.next = 0, time.Time{}
		return
	}
	l.next = time.Now().Add(min(shipEvery<<min(l.faults, 10), maxBackoff))
	l.faults++
}

// forget ends the care for a log.
func (s *shipper) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.logs, name)
}

// backlog returns how many logs wait, and since when the sealed one that has waited
// longest; zero when none is sealed.
func (s *shipper) backlog() (waiting int, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.logs {
		info, err := s.spool.root.Stat(name)
		if err != nil || !sealed(info) {
			continue
		}
		if at := sealedAt(info); since.IsZero() || at.Before(since) {
			since = at
		}
	}
	return len(s.logs), since
}

func (s *shipper) isFailing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing
}

// note logs that the bucket begins or ceases to fail, and returns err.
func (s *shipper) note(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	s.mu.Lock()
	was := s.failing
	s.failing = err != nil
	waiting := len(s.logs)
	s.mu.Unlock()
	switch {
	case err != nil && !was:
		s.logger.Error("task logs cannot be uploaded; they wait in the folder", "err", err)
	case err == nil && was:
		s.logger.Info("task logs are uploaded again", "waiting", waiting)
	}
	return err
}

// takeBack looks at the chunks in the bucket whose log is not in the spool.
// Those of a log that is sealed in the bucket are leftovers of a crash and go.
// The others are of a log whose spool was lost: it is made again from them.
func (s *shipper) takeBack(ctx context.Context) error {
	names := map[string]bool{}
	err := s.bucket.list(ctx, growing, func(o object) error {
		if name, ok := logOfChunk(o.key); ok && !s.spool.has(name) {
			names[name] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name := range names {
		if err := s.takeBackOne(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// logOfChunk is the name of the log to which a chunk belongs.
func logOfChunk(key string) (string, bool) {
	name, ok := strings.CutPrefix(key, growing)
	end := strings.LastIndexByte(name, '/')
	if !ok || end < 0 || !strings.HasSuffix(name[:end], logEnd) {
		return "", false
	}
	return name[:end], true
}

func (s *shipper) takeBackOne(ctx context.Context, name string) error {
	log, err := s.bucket.findFor(ctx, name)
	if errors.Is(err, dag.ErrNotFound) || err == nil && (log.Sealed || s.spool.isUploaded(name)) {
		return s.removeChunks(ctx, name)
	}
	if err != nil {
		return err
	}
	made, err := s.spool.restore(name, s.bucket.open(ctx, log, 0, log.Size))
	if err != nil || !made {
		return err
	}
	s.logger.Warn("a log in progress was taken back from the bucket", "log", name, "bytes", log.Size)
	s.add(name, false)
	return nil
}

func (s *shipper) removeChunks(ctx context.Context, name string) error {
	return s.bucket.list(ctx, growing+name+"/", func(o object) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return s.bucket.remove(ctx, o.key)
	})
}
