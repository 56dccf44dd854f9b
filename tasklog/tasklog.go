// Package tasklog keeps the log of each try of each task: what the container
// wrote, line by line, readable while it grows, from any offset, and still
// there when the process or pod is gone.
//
// A log is a file named as Airflow names it:
// dag_id=D/run_id=R/task_id=T/attempt=N.log under one folder. It is complete
// ("sealed") when its owner's right to write is taken away: the mode of the
// file is the mark. So the mark costs one system call and no second file, it
// is read together with the size, it survives a restart and a copy, and it
// wakes followers as a write does.
//
// With a bucket the folder is only where logs are written (the spool), and
// everything else happens beside the writers, who never wait for it:
//
//	writing ──► spool file ──────────► sealed spool file ──► removed
//	               │ each second          │ verified upload      (D/…/attempt=N.log.uploaded
//	               ▼                      ▼                       stays as a mark)
//	            growing/D/…/<offset>   D/…/attempt=N.log
//	            (chunks, for readers   (then the chunks go)
//	            in other processes)
//
// At any moment the spool file is the truth if there is one, then the sealed
// object, then the chunks. Each step may be repeated, so a crash between two
// of them loses and doubles nothing.
package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"dagwright/dag"
)

// ErrUnavailable says that a log is, or may be, in the bucket, and that the
// bucket does not answer, or not as it should.
var ErrUnavailable = errors.New("the storage of the logs does not answer")

const (
	// askTimeout bounds a question to the bucket about one log.
	askTimeout = 15 * time.Second
	// closeTimeout bounds how long Close brings logs to the bucket.
	closeTimeout = 10 * time.Second
)

// Config says where logs are and for how long.
type Config struct {
	// Dir is the folder of the logs, or of those that are not yet in Bucket.
	// It is made if need be.
	Dir string
	// Bucket is where logs go, such as
	// "s3://bucket/prefix?region=eu-central-1&endpoint=https://s3.example.com"
	// or "file:///srv/logs". Endpoint and region may be left out for S3 of AWS
	// where the environment names the region. Credentials come from the
	// environment and the files that the AWS tools read, never from here.
	// Empty keeps the logs in Dir. No two instances may share a prefix.
	Bucket string
	// ReadOnly is for a process that only shows logs: it uploads and removes
	// nothing, and File, Seal and Remove give dag.ErrInvalid.
	ReadOnly bool
	// Retention is how long sealed logs are kept.
	Retention Retention
	// MaxBytesPerTry is the most that the log of one try holds; 0 stands for 256
	// MiB, a negative number for no limit. What comes behind it is dropped.
	MaxBytesPerTry int64
	// MaxBytes is the most that all logs in Dir hold together; 0 stands for 80 %
	// of the file system, a negative number for no limit. Then logs of more than
	// 64 KiB are cut.
	MaxBytes int64
	// MinFree is how many bytes logs leave free on the file system; 0 stands for
	// 512 MiB or 5 % of the file system, whichever is less, a negative number for
	// nothing. Below it logs of more than 64 KiB are cut, below half of it all.
	MinFree int64
	// Active lists the attempts that may still write. It is asked before a log
	// that nobody sealed is sealed a day after its last line; without it such
	// logs stay as they are.
	Active func(context.Context) ([]dag.AttemptKey, error)
	// Mask are values that no reader may see: in what is read, each byte of theirs
	// is a star. Values of fewer than 8 bytes are not masked. The files keep what
	// was written.
	Mask []string
	// Wrap goes around the transport of the requests to the bucket; may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Logger gets the faults that no caller gets; nil discards them.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Check says what is wrong with the configuration, without looking at the
// folder or the bucket. The error is a dag.SpecErrors, whose paths are keys of the
// configuration's section.
func (c Config) Check() error {
	var faults dag.SpecErrors
	if c.Dir == "" {
		faults = append(faults, &dag.SpecError{Path: "dir", Reason: "no folder"})
	}
	if c.Bucket != "" {
		if _, err := parseAddress(c.Bucket); err != nil {
			faults = append(faults,
				&dag.SpecError{Path: "bucket", Reason: strings.TrimSuffix(err.Error(), ": "+dag.ErrInvalid.Error())})
		}
	}
	return append(faults, c.Retention.check()...).Err()
}

// Dir is a folder of task logs, and a bucket if there is one. Its methods are
// safe for concurrent use. Ids of a key that could lead out of the folder give
// dag.ErrInvalid.
type Dir struct {
	config  Config
	mask    mask
	spool   *spool
	bucket  *bucket  // nil without one
	shipper *shipper // nil without a bucket, and in a process that only reads

	limits    Limits
	mostBytes int64 // of all logs in the folder; 0 for no limit

	// ctx is of what runs beside the callers and of reading from the bucket;
	// stopping ends before it, when there is only the rest to upload.
	ctx      context.Context
	cancel   context.CancelFunc
	stopping context.Context
	stop     context.CancelFunc
	beside   sync.WaitGroup
}

// Open makes the folder if need be and returns it. It looks whether the bucket
// can be used: a bucket that refuses is an error; one that does not answer is
// an error only where Dir is new, because logs that the last folder held may
// be in the bucket. It waits for an answer for 20 seconds at most; taking back
// such logs lasts as long as they are large. The caller closes what is returned.
//
//nolint:contextcheck // what runs beside the callers ends with Close
func Open(c Config) (*Dir, error) {
	d, err := open(c)
	if err == nil {
		d.start()
	}
	return d, err
}

// open is Open without anything that runs beside the callers.
func open(c Config) (*Dir, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("open task logs: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s, err := openSpool(c.Dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Dir{config: c, mask: newMask(c.Mask), spool: s, ctx: ctx, cancel: cancel}
	d.stopping, d.stop = context.WithCancel(ctx)
	_, size, err := s.disk()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open task logs: %w", err), d.Close())
	}
	d.limits, d.mostBytes = newLimits(c, s, size)
	if err := d.openBucket(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// openBucket opens the bucket and the shipper, if there are to be any.
func (d *Dir) openBucket() (err error) {
	if d.config.Bucket == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(d.ctx, openTimeout)
	defer cancel()
	if d.bucket, err = openBucket(d.config.Bucket, d.config.Wrap); err != nil {
		return fmt.Errorf("open bucket of task logs: %w", err)
	}
	err = d.bucket.check(ctx)
	if refused(err) {
		return fmt.Errorf("open bucket of task logs: %w", err)
	}
	if err != nil {
		d.config.Logger.Warn("the bucket of task logs does not answer", "err", err)
	}
	if d.config.ReadOnly {
		return nil
	}
	d.shipper, err = openShipper(d.ctx, d, err)
	return err
}

// start begins what runs beside the callers.
func (d *Dir) start() {
	if d.shipper != nil {
		d.beside.Go(func() { d.shipper.run(d.ctx, d.stopping.Done()) })
	}
	if !d.config.ReadOnly && (d.bucket != nil || d.config.Active != nil || d.config.Retention.some()) {
		d.beside.Go(func() { (&sweeper{Dir: d}).run(d.stopping) })
	}
}

// Close brings what was written to the bucket, as far as that is done in ten
// seconds; the rest is done after the next Open. It returns when nothing runs
// any more. Followers, and readers of logs in the bucket, end. Closing again is
// not an error.
func (d *Dir) Close() error {
	d.stop()
	limit := time.AfterFunc(closeTimeout, d.cancel)
	d.beside.Wait()
	limit.Stop()
	d.cancel()
	d.bucket.close()
	return nil
}

// Info is the present size of a log in bytes and whether it is complete.
type Info struct {
	Size   int64
	Sealed bool
}

// Backlog returns how many logs are not in the bucket yet, those of attempts that run
// included, and since when the one that has ended longest ago waits, the zero time when
// none has. ships is false where this process uploads nothing.
func (d *Dir) Backlog() (waiting int, since time.Time, ships bool) {
	if d.shipper == nil {
		return 0, time.Time{}, false
	}
	waiting, since = d.shipper.backlog()
	return waiting, since, true
}

// Lag is how long after the end of an attempt its log may become complete
// here: 0 where it is written, and some seconds in a process that sees it
// through the bucket. Only an outage makes it longer.
func (d *Dir) Lag() time.Duration {
	if d.bucket == nil || !d.config.ReadOnly {
		return 0
	}
	return 15 * time.Second
}

// Stat tells how long the log is and whether it is sealed. Of a log that
// another process writes it tells what is in the bucket. The error is
// dag.ErrNotFound when there is none, ErrUnavailable when the bucket must be
// asked and does not answer.
//
//nolint:contextcheck // a log that is written here is never asked for over the network
func (d *Dir) Stat(key dag.AttemptKey) (Info, error) {
	name, err := logName(key)
	if err != nil {
		return Info{}, err
	}
	info, err := d.spool.stat(name)
	if d.bucket == nil || !errors.Is(err, dag.ErrNotFound) {
		return info, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, askTimeout)
	defer cancel()
	found, err := d.bucket.find(ctx, name)
	return found.Info, err
}

// ReadAt returns a reader of at most n bytes of the log from offset on, which
// the caller closes. It reads nothing ahead. The error is dag.ErrNotFound when
// there is no log, dag.ErrInvalid when offset or n is negative, and
// ErrUnavailable as Stat has it.
//
//nolint:contextcheck // the reader outlives the call, and Close ends it
func (d *Dir) ReadAt(key dag.AttemptKey, offset, n int64) (io.ReadCloser, error) {
	if offset < 0 || n < 0 {
		return nil, fmt.Errorf("read task log: offset %d, length %d: %w", offset, n, dag.ErrInvalid)
	}
	if d.mask.none() {
		return d.readAt(key, offset, n)
	}
	return d.maskedAt(key, offset, n)
}

// readAt reads what was written.
//
//nolint:contextcheck // the reader outlives the call, and Close ends it
func (d *Dir) readAt(key dag.AttemptKey, offset, n int64) (io.ReadCloser, error) {
	name, err := logName(key)
	if err != nil {
		return nil, err
	}
	f, err := d.spool.open(name)
	if err == nil {
		return section{io.NewSectionReader(f, offset, n), f}, nil
	}
	if d.bucket == nil || !errors.Is(err, dag.ErrNotFound) {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, askTimeout)
	defer cancel()
	found, err := d.bucket.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.bucket.open(d.ctx, found, offset, n), nil
}

// section is a part of a file that closes the file.
type section struct {
	*io.SectionReader
	io.Closer
}
