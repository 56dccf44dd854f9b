package tasklog

import (
	"context"
	"crypto/md5" // S3 gives an object's MD5, and it is compared against damage, not against malice
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"dagwright/dag"
)

const (
	// growing stands before the names of chunks, so that all logs that were
	// not sealed can be listed without the others.
	growing = "growing/"
	// partSize is how much of a log is in memory while it is uploaded, about
	// twice over: the least that S3 allows.
	partSize    = 5 << 20
	contentType = "text/plain; charset=utf-8"
)

// bucket is the object storage below a prefix. Its errors are dag.ErrNotFound
// or ErrUnavailable.
type bucket struct {
	place   address
	objects *blob.Bucket
	release func() // closes idle connections
	// manager, where it is set, sets up the uploads of an S3 client.
	manager     func() *transfermanager.Client
	credentials aws.CredentialsProvider // nil where none are needed
	// abort, where it is set, removes what uploads that began before then and
	// never ended left.
	abort func(ctx context.Context, before time.Time) error
}

// object is one object in the bucket.
type object struct {
	key     string
	size    int64
	md5     []byte // nil where the bucket does not know it
	modTime time.Time
}

// openBucket opens the bucket without asking for it.
func openBucket(ctx context.Context, text string) (*bucket, error) {
	a, err := parseAddress(text)
	if err != nil {
		return nil, err
	}
	if a.folder != "" {
		return openFolder(a)
	}
	return openS3(ctx, a)
}

func (b *bucket) close() error {
	if b == nil {
		return nil
	}
	err := b.objects.Close()
	b.release()
	if err != nil && gcerrors.Code(err) != gcerrors.FailedPrecondition { // closed before
		return fmt.Errorf("close bucket of task logs: %w", err)
	}
	return nil
}

// check asks whether the bucket may be used.
func (b *bucket) check(ctx context.Context) error {
	if b.credentials != nil {
		if _, err := b.credentials.Retrieve(ctx); err != nil {
			return fmt.Errorf("%w: %w", errNoCredentials, err)
		}
	}
	_, _, err := b.objects.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: growing})
	return b.fault("list objects", err)
}

// head asks for an object's size; the error is dag.ErrNotFound when there is
// none.
func (b *bucket) head(ctx context.Context, key string) (object, error) {
	attrs, err := b.objects.Attributes(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return object{}, fmt.Errorf("task log: %w", dag.ErrNotFound)
	}
	if err != nil {
		return object{}, b.fault("look for object", err)
	}
	return object{key: key, size: attrs.Size, md5: attrs.MD5, modTime: attrs.ModTime}, nil
}

// list calls fn with every object whose key begins with prefix, in the order
// of their keys.
func (b *bucket) list(ctx context.Context, prefix string, fn func(object) error) error {
	const page = 1000
	for token := blob.FirstPageToken; len(token) > 0; {
		limit, cancel := context.WithTimeout(ctx, askTimeout)
		objects, next, err := b.objects.ListPage(limit, token, page, &blob.ListOptions{Prefix: prefix})
		cancel()
		if err != nil {
			return b.fault("list objects", err)
		}
		for _, o := range objects {
			if err := fn(object{o.Key, o.Size, o.MD5, o.ModTime}); err != nil {
				return err
			}
		}
		token = next
	}
	return nil
}

// remove removes an object; that there is none is no error.
func (b *bucket) remove(ctx context.Context, key string) error {
	err := b.objects.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		err = nil
	}
	if err == nil && b.place.folder != "" {
		b.removeEmpty(key)
	}
	return b.fault("remove object", err)
}

// removeEmpty removes the folders above an object as far as they are empty: in
// a folder they are real and stay behind.
func (b *bucket) removeEmpty(key string) {
	for dir := filepath.Dir(filepath.FromSlash(key)); dir != "."; dir = filepath.Dir(dir) {
		if os.Remove(filepath.Join(b.place.folder, dir)) != nil {
			return
		}
	}
}

// upload makes an object of all that from holds.
func (b *bucket) upload(ctx context.Context, key string, from io.Reader) error {
	err := b.objects.Upload(ctx, key, from, &blob.WriterOptions{
		ContentType: contentType, BufferSize: partSize, MaxConcurrency: 1, BeforeWrite: b.beforeWrite,
	})
	return b.fault("upload object", err)
}

// beforeWrite makes uploads small in memory: without it 16 MiB are gathered
// before the first part is sent.
func (b *bucket) beforeWrite(as func(any) bool) error {
	var m *transfermanager.Client
	if b.manager != nil && as(&m) {
		*m = *b.manager()
	}
	return nil
}

// abortUploads removes what is left of uploads that began before then.
func (b *bucket) abortUploads(ctx context.Context, before time.Time) error {
	if b.abort == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return b.fault("abort old uploads", b.abort(ctx, before))
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
