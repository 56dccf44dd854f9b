package tasklog

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"dagwright/dag"
)

const (
	// openTimeout bounds how long Open tries to reach the bucket.
	openTimeout = 20 * time.Second
	// partSize is how much of a log is in memory while it is uploaded: the least
	// that S3 allows.
	partSize    = 5 << 20
	contentType = "text/plain; charset=utf-8"
)

// attempts is how often a request is made that fails for a reason that may pass,
// as the AWS tools have it. A test has one.
var attempts = 3

// s3 keeps objects in a bucket of S3, or of what speaks its language.
type s3 struct {
	client      *minio.Core
	credentials *credentials.Credentials
	transport   *http.Transport
	bucket      string
	prefix      string
}

// openS3 opens a bucket without asking for it.
func openS3(a address, wrap func(http.RoundTripper) http.RoundTripper) (objects, error) {
	endpoint := cmp.Or(a.endpoint, "https://s3.amazonaws.com")
	region := cmp.Or(a.region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	lookup := minio.BucketLookupAuto
	if a.endpoint != "" {
		region, lookup = cmp.Or(region, "us-east-1"), minio.BucketLookupPath
	}
	if region == "" {
		return nil, fmt.Errorf("no region: want ?region=… in the bucket's URL or AWS_REGION: %w", dag.ErrInvalid)
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	transport, err := newTransport()
	if err != nil {
		return nil, err
	}
	wrapped := http.RoundTripper(transport)
	if wrap != nil {
		wrapped = wrap(transport)
	}
	// The order is that of the AWS tools: variables, files, and what the platform
	// gives a pod or a machine.
	creds := credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Region: region},
	})
	client, err := minio.NewCore(u.Host, &minio.Options{
		Creds: creds, Secure: u.Scheme == "https", Transport: wrapped, Region: region, BucketLookup: lookup,
		MaxRetries: attempts,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket of task logs: %w", err)
	}
	return &s3{client: client, credentials: creds, transport: transport, bucket: a.bucket, prefix: a.prefix}, nil
}

// newTransport waits for no server that is silent, and trusts the certificates in
// the file that AWS_CA_BUNDLE names.
func newTransport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   16,
		DisableCompression:    true, // a log is to come as it is
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	file := os.Getenv("AWS_CA_BUNDLE")
	if file == "" {
		return t, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s has no certificate in PEM: %w", file, dag.ErrInvalid)
	}
	return t, nil
}

// checkCredentials looks for something that can sign a request.
func (s *s3) checkCredentials() error {
	value, err := s.credentials.GetWithContext(s.client.CredContext())
	if err != nil {
		return fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	if value.SignerType.IsAnonymous() {
		return errNoCredentials
	}
	return nil
}

func (s *s3) head(ctx context.Context, key string) (object, error) {
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return object{}, notFound(err)
	}
	return s.object(info), nil
}

func (s *s3) list(ctx context.Context, prefix string, fn func(object) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(askTimeout, func() { cancel(context.DeadlineExceeded) })
	defer silent.Stop()
	options := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}
	for info := range s.client.ListObjectsIter(ctx, s.bucket, options) {
		if info.Err != nil {
			return cmp.Or(context.Cause(ctx), info.Err)
		}
		silent.Stop()
		if err := fn(s.object(info)); err != nil {
			return err
		}
		silent.Reset(askTimeout)
	}
	return nil
}

// object turns what S3 says of an object into ours. Its ETag is the MD5 unless it
// was uploaded in parts.
func (s *s3) object(info minio.ObjectInfo) object {
	sum, err := hex.DecodeString(strings.Trim(info.ETag, `"`))
	if err != nil || len(sum) != 16 {
		sum = nil
	}
	return object{key: strings.TrimPrefix(info.Key, s.prefix), size: info.Size, md5: sum, modTime: info.LastModified}
}

func (s *s3) remove(ctx context.Context, key string) error {
	err := notFound(s.client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}))
	if errors.Is(err, errNoObject) {
		return nil
	}
	return err
}

func (s *s3) upload(ctx context.Context, key string, from *io.SectionReader) error {
	_, err := s.client.Client.PutObject(ctx, s.bucket, s.prefix+key, from, from.Size(), minio.PutObjectOptions{
		ContentType: contentType, PartSize: partSize, NumThreads: 1, SendContentMd5: true,
	})
	return err
}

func (s *s3) open(ctx context.Context, key string, offset, n int64) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	if err := options.SetRange(offset, offset+n-1); err != nil {
		return nil, err
	}
	body, _, _, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, options)
	return body, notFound(err)
}

func (s *s3) abortUploads(ctx context.Context, before time.Time) error {
	for upload := range s.client.ListIncompleteUploads(ctx, s.bucket, s.prefix, true) {
		if upload.Err != nil {
			return upload.Err
		}
		if upload.Initiated.IsZero() || !upload.Initiated.Before(before) {
			continue
		}
		if err := s.client.AbortMultipartUpload(ctx, s.bucket, upload.Key, upload.UploadID); err != nil {
			return err
		}
	}
	return nil
}

func (s *s3) close() { s.transport.CloseIdleConnections() }

// notFound turns what S3 says of an object that is not there into errNoObject.
func notFound(err error) error {
	var said minio.ErrorResponse
	if errors.As(err, &said) && said.Code == minio.NoSuchKey {
		return errNoObject
	}
	return err
}

// explain says in words what is wrong, where that is known and can be put
// right only by people; empty otherwise.
func explain(err error, a address) string {
	var said minio.ErrorResponse
	if !errors.As(err, &said) {
		return ""
	}
	switch said.Code {
	case "NoSuchBucket":
		return fmt.Sprintf("the bucket %q does not exist", a.bucket)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
		return "the credentials are wrong (" + said.Code +
			"): look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what stands for them"
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
		return fmt.Sprintf("the bucket is in another region than %q", a.region)
	}
	switch said.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the credentials are not allowed to do this (" + cmp.Or(said.Code, "forbidden") +
			"): reading, writing, listing and deleting objects is needed"
	case http.StatusMovedPermanently:
		return fmt.Sprintf("the bucket is in another region than %q", a.region)
	}
	return ""
}

// errNoCredentials says that nothing can sign a request.
var errNoCredentials = errors.New(
	"there are no credentials: want AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role")

// refused says whether err is of the kind that waiting does not heal.
func refused(err error) bool {
	return errors.Is(err, errNoCredentials) || err != nil && explain(err, address{}) != ""
}
