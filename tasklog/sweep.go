package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

const (
	// firstSweep is how long after Open the first sweep begins, sweepEvery how
	// often it is repeated.
	firstSweep = time.Minute
	sweepEvery = time.Hour
	// sweepBite is how many logs are removed before others get their turn for
	// sweepPause.
	sweepBite  = 200
	sweepPause = 100 * time.Millisecond
	// abandonedAfter is how long after its last line a log that nobody sealed,
	// and of which no attempt is active, is sealed.
	abandonedAfter = 24 * time.Hour
	// markKept is how long the mark of an uploaded log stays. Nobody begins an
	// attempt again that ended so long ago.
	markKept = 7 * 24 * time.Hour
)

// sweeper removes logs that are older than their retention: sealed ones only,
// so it meets no writer.
type sweeper struct {
	*Dir
	removed int // in this sweep
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	timer := time.NewTimer(firstSweep)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.config.Logger.Error("remove old task logs", "err", err)
		}
		timer.Reset(sweepEvery)
	}
}

func (s *sweeper) sweep(ctx context.Context) error {
	s.removed = 0
	err := errors.Join(s.sweepSpool(ctx), s.sweepBucket(ctx))
	if s.removed > 0 {
		s.config.Logger.Info("old task logs were removed", "logs", s.removed)
	}
	return err
}

// sweepSpool seals abandoned logs, removes old ones where there is no bucket,
// and old marks. With a bucket the shipper removes what is too old to upload.
func (s *sweeper) sweepSpool(ctx context.Context) error {
	active, err := s.activeNames(ctx)
	if err != nil {
		return err
	}
	return s.spool.walk(func(name string, info fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(name, logEnd) && !sealed(info):
			return s.sealAbandoned(name, info, active)
		case strings.HasSuffix(name, logEnd) && s.bucket == nil,
			strings.HasSuffix(name, conflictEnd):
			if s.expiredName(name, sealedAt(info)) {
				return s.removeFile(ctx, name)
			}
		case strings.HasSuffix(name, uploadedEnd) && s.config.Now().Sub(info.ModTime()) > markKept:
			return s.removeFile(ctx, name)
		}
		return nil
	})
}

// activeNames are the logs that may still be written, nil when that is not
// known.
func (s *sweeper) activeNames(ctx context.Context) (map[string]bool, error) {
	if s.config.Active == nil {
		return nil, nil
	}
	keys, err := s.config.Active(ctx)
	if err != nil {
		return nil, fmt.Errorf("list active attempts: %w", err)
	}
	names := make(map[string]bool, len(keys))
	for _, key := range keys {
		if name, err := logName(key); err == nil {
			names[name] = true
		}
	}
	return names, nil
}

// sealAbandoned seals a log that its writer left. One that was begun after the
// active attempts were listed is too young.
func (s *sweeper) sealAbandoned(name string, info fs.FileInfo, active map[string]bool) error {
	if active == nil || active[name] || s.config.Now().Sub(info.ModTime()) <= abandonedAfter {
		return nil
	}
	if err := s.spool.seal(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("seal abandoned task log: %w", err)
	}
	s.config.Logger.Warn("a log that nobody completed was sealed", "log", name)
	return nil
}

func (s *sweeper) removeFile(ctx context.Context, name string) error {
	if err := s.spool.remove(name); err != nil {
		return fmt.Errorf("remove old task log: %w", err)
	}
	s.spool.removeEmpty(name)
	return s.count(ctx)
}

// sweepBucket removes old sealed logs from the bucket, and what uploads that
// were cut short left in a folder.
func (s *sweeper) sweepBucket(ctx context.Context) error {
	if s.bucket == nil {
		return nil
	}
	if err := s.bucket.abortUploads(ctx, s.config.Now().Add(-abandonedAfter)); err != nil {
		return err
	}
	return s.bucket.list(ctx, "dag_id=", func(o object) error {
		old := strings.HasSuffix(o.key, logEnd) && s.expiredName(o.key, o.modTime) ||
			strings.HasSuffix(o.key, ".tmp") && s.config.Now().Sub(o.modTime) > abandonedAfter
		if !old {
			return nil
		}
		limit, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		if err := s.bucket.remove(limit, o.key); err != nil {
			return err
		}
		return s.count(ctx)
	})
}

// count counts a removal and makes a pause after each bite.
func (s *sweeper) count(ctx context.Context) error {
	s.removed++
	if s.removed%sweepBite != 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(sweepPause):
		return nil
	}
}
