package tasklog

import (
	"context"
	"crypto/md5" // S3 gives an object's MD5, and it is compared against damage, not against malice
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"dagwright/dag"
)

// growing stands before the names of chunks, so that all logs that were not sealed
// can be listed without the others.
const growing = "growing/"

// bucket is the object storage below a prefix. Its errors are dag.ErrNotFound
// or ErrUnavailable.
type bucket struct {
	place   address
	objects objects
}

// openBucket opens the bucket without asking for it. wrap goes around the transport of
// its requests; it may be nil.
func openBucket(text string, wrap func(http.RoundTripper) http.RoundTripper) (*bucket, error) {
	a, err := parseAddress(text)
	if err != nil {
		return nil, err
	}
	b := &bucket{place: a}
	if a.folder != "" {
		b.objects, err = openFolder(a.folder)
	} else {
		b.objects, err = openS3(a, wrap)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// close lets idle connections go; it may be called on nil, and again.
func (b *bucket) close() {
	if b != nil {
		b.objects.close()
	}
}

// errFound ends a list at its first object.
var errFound = errors.New("found")

// check asks whether the bucket may be used.
func (b *bucket) check(ctx context.Context) error {
	if s, ok := b.objects.(*s3); ok {
		if err := s.checkCredentials(); err != nil {
			return err
		}
	}
	err := b.objects.list(ctx, growing, func(object) error { return errFound })
	if errors.Is(err, errFound) {
		return nil
	}
	return b.fault("list objects", err)
}

// head asks for an object's size; the error is dag.ErrNotFound when there is
// none.
func (b *bucket) head(ctx context.Context, key string) (object, error) {
	o, err := b.objects.head(ctx, key)
	if errors.Is(err, errNoObject) {
		return object{}, fmt.Errorf("task log: %w", dag.ErrNotFound)
	}
	return o, b.fault("look for object", err)
}

// list calls fn with every object whose key begins with prefix, the chunks of one log
// in their order.
func (b *bucket) list(ctx context.Context, prefix string, fn func(object) error) error {
	var said error // what fn returned
	err := b.objects.list(ctx, prefix, func(o object) error {
		said = fn(o)
		return said
	})
	if said != nil {
		return said
	}
	return b.fault("list objects", err)
}

// remove removes an object; that there is none is not an error.
func (b *bucket) remove(ctx context.Context, key string) error {
	return b.fault("remove object", b.objects.remove(ctx, key))
}

// upload makes an object of all that from holds.
func (b *bucket) upload(ctx context.Context, key string, from *io.SectionReader) error {
	return b.fault("upload object", b.objects.upload(ctx, key, from))
}

// abortUploads removes what is left of uploads that began before then.
func (b *bucket) abortUploads(ctx context.Context, before time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return b.fault("abort old uploads", b.objects.abortUploads(ctx, before))
}

// holds says whether an object has this size and MD5. Where the bucket does
// not know the MD5 the object is read.
func (b *bucket) holds(ctx context.Context, o object, size int64, sum []byte) (bool, error) {
	if o.size != size {
		return false, nil
	}
	if o.md5 == nil {
		r := b.open(ctx, remoteLog{Info: Info{Size: size, Sealed: true}, name: o.key}, 0, size)
		defer r.Close()
		h := md5.New()
		if _, err := io.Copy(h, r); err != nil {
			return false, err
		}
		o.md5 = h.Sum(nil)
	}
	return string(o.md5) == string(sum), nil
}

// fault makes an error of a fault of the bucket.
func (b *bucket) fault(verb string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if hint := explain(err, b.place); hint != "" {
		return fmt.Errorf("%s: %s in %s: %w: %w", hint, verb, b.place, ErrUnavailable, err)
	}
	return fmt.Errorf("%s in %s: %w: %w", verb, b.place, ErrUnavailable, err)
}
