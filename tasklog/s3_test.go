package tasklog_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The credentials are those of test/s3; servers of single tests have them too
// unless a test is about wrong ones.
const (
	s3Access = "dagwright"
	s3Secret = "dagwright-test"
)

// setCredentials gives the whole test program the credentials, in the way in
// which dagwright gets them.
func setCredentials() {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": s3Access, "AWS_SECRET_ACCESS_KEY": s3Secret,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
}

// sharedS3 is the endpoint of the server that test/s3 started.
func sharedS3(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(os.Getenv("DAGWRIGHT_TEST_S3"))
	if err != nil || u.Host == "" {
		t.Fatal(`this test needs an S3 server: export DAGWRIGHT_TEST_S3="$(test/s3 up)"`)
	}
	return "http://" + u.Host
}

var buckets atomic.Int64

// newBucket makes a bucket and returns its URL for a Config.
func newBucket(t testing.TB, endpoint string) string {
	t.Helper()
	name := fmt.Sprintf("t%d-%d", os.Getpid(), buckets.Add(1))
	client, done := s3Client(t, endpoint)
	defer done()
	if err := client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return "s3://" + name + "/some/prefix?region=us-east-1&endpoint=" + endpoint
}

// objectsIn lists the keys in a bucket that newBucket made, below its prefix.
func objectsIn(t testing.TB, bucketURL string) []string {
	t.Helper()
	u, err := url.Parse(bucketURL)
	if err != nil {
		t.Fatal(err)
	}
	client, done := s3Client(t, u.Query().Get("endpoint"))
	defer done()
	var keys []string
	for o := range client.ListObjectsIter(t.Context(), u.Host, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		keys = append(keys, strings.TrimPrefix(o.Key, "some/prefix/"))
	}
	return keys
}

func s3Client(t testing.TB, endpoint string) (*minio.Client, func()) {
	t.Helper()
	transport := &http.Transport{}
	client, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s3Access, s3Secret, ""), Region: "us-east-1",
		BucketLookup: minio.BucketLookupPath, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, transport.CloseIdleConnections
}

// s3Server is a server of one test, which may kill it.
type s3Server struct {
	program, data, addr, secret string
	cmd                         *exec.Cmd
}

// startS3 starts a server with a folder of its own.
func startS3(t testing.TB, secret string) *s3Server {
	t.Helper()
	program, err := exec.CommandContext(t.Context(), "../test/s3", "server").Output()
	if err != nil {
		t.Fatalf("build S3 server: %v", err)
	}
	s := &s3Server{program: strings.TrimSpace(string(program)), data: filepath.Join(t.TempDir(), "s3"), secret: secret}
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	// The address stays the same over restarts.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	l.Close()
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *s3Server) endpoint() string { return "http://" + s.addr }

// start returns when the server answers.
func (s *s3Server) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.program, "--quiet", "--port", s.addr, "posix", s.data) //nolint:noctx // kill ends it
	s.cmd.Env = []string{"ROOT_ACCESS_KEY=" + s3Access, "ROOT_SECRET_KEY=" + s.secret, "PATH=" + os.Getenv("PATH")}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the S3 server does not answer: %v", err)
		case <-tick.C:
		}
	}
}

func (s *s3Server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
}
