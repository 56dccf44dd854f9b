package tasklog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/s3blob"

	"dagwright/dag"
)

// openTimeout bounds how long Open tries to reach the bucket.
const openTimeout = 20 * time.Second

// openFolder opens a folder as a bucket: a network file system, or a test.
func openFolder(a address) (*bucket, error) {
	// The files are named as the logs are, with nothing beside them.
	objects, err := fileblob.OpenBucket(a.folder, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("folder %s does not exist; make it or mount it first: %w", a.folder, dag.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return &bucket{place: a, objects: objects, release: func() {}}, nil
}

// openS3 opens a bucket of S3 or of what speaks its language.
func openS3(ctx context.Context, a address) (*bucket, error) {
	var options []func(*config.LoadOptions) error
	if a.region != "" {
		options = append(options, config.WithRegion(a.region))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of the AWS tools: %w", err)
	}
	if c.Region == "" && a.endpoint == "" {
		return nil, fmt.Errorf("no region: want ?region=… in the bucket's URL or AWS_REGION: %w", dag.ErrInvalid)
	}
	// Others than AWS do not know its newer checksums, or not all of them; what
	// was uploaded is compared in any case.
	checksums := c.RequestChecksumCalculation
	if a.endpoint != "" {
		c.Region = cmp.Or(c.Region, "us-east-1")
		checksums = aws.RequestChecksumCalculationWhenRequired
		c.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	c.RequestChecksumCalculation = checksums
	web, release := webClient(c)
	client := s3.NewFromConfig(c, func(o *s3.Options) {
		o.HTTPClient = web
		if a.endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = &a.endpoint, true
		}
	})
	objects, err := s3blob.OpenBucket(ctx, client, a.bucket, &s3blob.Options{RequestChecksumCalculation: checksums})
	if err != nil {
		return nil, err
	}
	if a.prefix != "" {
		objects = blob.PrefixedBucket(objects, a.prefix)
	}
	manager := func() *transfermanager.Client {
		return transfermanager.New(client, func(o *transfermanager.Options) {
			o.PartSizeBytes, o.MultipartUploadThreshold, o.Concurrency = partSize, partSize, 1
			o.RequestChecksumCalculation = checksums
		})
	}
	return &bucket{
		place: a, objects: objects, release: release, manager: manager, credentials: c.Credentials,
		abort: func(ctx context.Context, before time.Time) error { return abortUploads(ctx, client, a, before) },
	}, nil
}

// webClient makes the client through which the bucket is reached, with the
// certificates that the configuration names, and a function that closes its
// idle connections.
func webClient(c aws.Config) (aws.HTTPClient, func()) {
	buildable, ok := c.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	web := buildable.WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = 5 * time.Second
			t.ResponseHeaderTimeout = 30 * time.Second
		}).Freeze()
	if h, ok := web.(*http.Client); ok {
		return web, h.CloseIdleConnections
	}
	return web, func() {}
}

// abortUploads removes the parts of uploads that a crash cut short: they are no
// objects, but are paid for.
func abortUploads(ctx context.Context, client *s3.Client, a address, before time.Time) error {
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: &a.bucket, Prefix: &a.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) {
				continue
			}
			_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &a.bucket, Key: u.Key, UploadId: u.UploadId})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// explain says in words what is wrong, where that is known and can be put
// right only by people; empty otherwise.
func explain(err error, a address) string {
	var api smithy.APIError
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	switch code {
	case "NoSuchBucket":
		return fmt.Sprintf("the bucket %q does not exist", a.bucket)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
		return "the credentials are wrong (" + code + "): look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what stands for them"
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
		return fmt.Sprintf("the bucket is in another region than %q", a.region)
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		switch response.HTTPStatusCode() {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "the credentials are not allowed to do this (" + cmp.Or(code, "forbidden") + "): reading, writing, listing and deleting objects is needed"
		case http.StatusMovedPermanently:
			return fmt.Sprintf("the bucket is in another region than %q", a.region)
		}
		return ""
	}
	return ""
}

// errNoCredentials says that nothing can sign a request.
var errNoCredentials = errors.New("there are no credentials: want AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role")

// refused says whether err is of the kind that waiting does not heal.
func refused(err error) bool {
	return errors.Is(err, errNoCredentials) || err != nil && explain(err, address{}) != ""
}
