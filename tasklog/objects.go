package tasklog

import (
	"context"
	"errors"
	"io"
	"time"
)

// objects is a place that keeps objects: a bucket of S3, or a folder. Its errors
// are errNoObject, or whatever the place says.
type objects interface {
	// head asks for one object.
	head(ctx context.Context, key string) (object, error)
	// list calls fn with every object whose key begins with prefix, those below one
	// prefix that ends with a slash in the order of their keys. An error of fn ends it.
	list(ctx context.Context, prefix string, fn func(object) error) error
	// remove removes an object; that there is none is not an error.
	remove(ctx context.Context, key string) error
	// upload makes an object of size bytes, all of it or none.
	upload(ctx context.Context, key string, from *io.SectionReader) error
	// open reads n bytes, one or more, from offset on.
	open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error)
	// abortUploads removes what uploads that began before then and never ended left.
	abortUploads(ctx context.Context, before time.Time) error
	// close lets idle connections go.
	close()
}

// errNoObject says that there is no object of a key.
var errNoObject = errors.New("no such object")

// object is one object in the bucket.
type object struct {
	key     string
	size    int64
	md5     []byte // nil where the bucket does not know it
	modTime time.Time
}
