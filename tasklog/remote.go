package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"time"

	"dagwright/dag"
)

// stallTimeout is how long the bucket may be silent while it sends a log.
const stallTimeout = 30 * time.Second

// chunk is a part of a growing log that is an object of its own.
type chunk struct{ offset, size int64 }

func (c chunk) end() int64 { return c.offset + c.size }

// chunkKey has the offset with all digits, so that keys sort as chunks do.
func chunkKey(name string, offset int64) string {
	return fmt.Sprintf("%s%s/%020d", growing, name, offset)
}

// remoteLog is a log in the bucket: one object when it is sealed, chunks
// without a gap otherwise.
type remoteLog struct {
	Info
	name   string
	chunks []chunk
}

// find looks for a log; the error is dag.ErrNotFound when there is none. The
// sealed object is looked for once more when the chunks are gone: it replaced
// them meanwhile.
func (b *bucket) find(ctx context.Context, name string) (remoteLog, error) {
	sealed, err := b.findSealed(ctx, name)
	if !errors.Is(err, dag.ErrNotFound) {
		return sealed, err
	}
	chunks, err := b.chunks(ctx, name)
	if err != nil {
		return remoteLog{}, err
	}
	if chunks = unbroken(chunks); len(chunks) > 0 {
		return remoteLog{Info{Size: chunks[len(chunks)-1].end()}, name, chunks}, nil
	}
	return b.findSealed(ctx, name)
}

func (b *bucket) findSealed(ctx context.Context, name string) (remoteLog, error) {
	o, err := b.head(ctx, name)
	if err != nil {
		return remoteLog{}, err
	}
	return remoteLog{Info: Info{Size: o.size, Sealed: true}, name: name}, nil
}

// chunks lists the chunks of a log in their order.
func (b *bucket) chunks(ctx context.Context, name string) ([]chunk, error) {
	var found []chunk
	err := b.list(ctx, growing+name+"/", func(o object) error {
		if offset, err := strconv.ParseInt(path.Base(o.key), 10, 64); err == nil {
			found = append(found, chunk{offset, o.size})
		}
		return nil
	})
	return found, err
}

// unbroken is the part of the chunks that follow each other from the start.
func unbroken(chunks []chunk) []chunk {
	var end int64
	for i, c := range chunks {
		if c.offset != end {
			return chunks[:i]
		}
		end = c.end()
	}
	return chunks
}

// open reads at most n bytes of a log from offset on. It asks for them when
// they are read.
func (b *bucket) open(ctx context.Context, log remoteLog, offset, n int64) io.ReadCloser {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &remoteReader{bucket: b, ctx: ctx, cancel: cancel, log: log, at: offset, left: max(0, min(n, log.Size-offset))}
	r.stall = time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	r.stall.Stop()
	return r
}

var errStalled = fmt.Errorf("nothing came for %v: %w", stallTimeout, ErrUnavailable)

// remoteReader reads a log object by object.
type remoteReader struct {
	bucket *bucket
	ctx    context.Context // of the reading; Close ends it
	cancel context.CancelCauseFunc
	stall  *time.Timer
	log    remoteLog
	at     int64
	left   int64
	object io.ReadCloser // nil between two objects
	end    int64         // where the log goes on in another object
}

func (r *remoteReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.stall.Reset(stallTimeout)
	defer r.stall.Stop()
	if r.object == nil {
		if err := r.next(); err != nil {
			return 0, r.fault(err)
		}
	}
	n, err := r.object.Read(p[:min(int64(len(p)), r.left)])
	r.at += int64(n)
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = r.endObject()
	}
	if err != nil {
		return n, r.fault(err)
	}
	return n, nil
}

// endObject goes on to the next object.
func (r *remoteReader) endObject() error {
	err := r.object.Close()
	r.object = nil
	if err == nil && r.at < r.end {
		return io.ErrUnexpectedEOF // an object is shorter than it was said to be
	}
	return err
}

// next opens the object in which the reading goes on. Chunks that are gone
// were replaced by the sealed object.
func (r *remoteReader) next() error {
	err := r.openAt()
	if !errors.Is(err, errNoObject) {
		return err
	}
	if r.log, err = r.bucket.find(r.ctx, r.log.name); err != nil {
		return err
	}
	return r.openAt()
}

func (r *remoteReader) openAt() (err error) {
	if r.log.Sealed {
		r.end = r.at + r.left
		r.object, err = r.bucket.objects.open(r.ctx, r.log.name, r.at, r.left)
		return err
	}
	for _, c := range r.log.chunks {
		if r.at < c.end() {
			r.end = min(r.at+r.left, c.end())
			r.object, err = r.bucket.objects.open(r.ctx, chunkKey(r.log.name, c.offset), r.at-c.offset, r.end-r.at)
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

func (r *remoteReader) fault(err error) error {
	if cause := context.Cause(r.ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, errNoObject) || errors.Is(err, dag.ErrNotFound) {
		return fmt.Errorf("task log was removed: %w", dag.ErrNotFound)
	}
	return r.bucket.fault("read task log", err)
}

func (r *remoteReader) Close() error {
	r.stall.Stop()
	r.cancel(context.Canceled)
	if r.object == nil {
		return nil
	}
	return r.object.Close()
}
