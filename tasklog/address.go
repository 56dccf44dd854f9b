package tasklog

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"unicode"

	"dagwright/dag"
)

// address is a bucket's URL taken apart.
type address struct {
	folder string // of file:///, empty otherwise

	bucket   string // of s3://
	prefix   string // empty, or ends with a slash
	endpoint string
	region   string
}

// maxPrefix leaves room for the longest name of a chunk: a key of S3 has at
// most 1,024 bytes.
const maxPrefix = 150

// parseAddress takes a bucket's URL apart. The error says what would be right
// and shows nothing that may be a secret.
func parseAddress(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the text: it may hold a secret
		}
		return address{}, badAddress("is not a URL (%v)", err)
	}
	switch {
	case u.User != nil:
		return address{}, badAddress(
			"holds credentials, which belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the files of the AWS tools")
	case u.Fragment != "" || u.Opaque != "":
		return address{}, badAddress("has more than bucket, prefix and parameters")
	case strings.ContainsFunc(u.Path+u.Host, unicode.IsControl):
		return address{}, badAddress("has a control character")
	case u.Scheme == "file":
		return parseFolder(u)
	case u.Scheme == "s3":
		return parseS3(u)
	}
	return address{}, badAddress("begins with %q", u.Scheme+":")
}

func badAddress(format string, args ...any) error {
	return fmt.Errorf("bucket URL %s; want s3://bucket/prefix?region=…&endpoint=https://… or file:///folder: %w",
		fmt.Sprintf(format, args...), dag.ErrInvalid)
}

func parseFolder(u *url.URL) (address, error) {
	if u.Host != "" || !filepath.IsAbs(u.Path) {
		return address{}, badAddress("names no absolute folder (mind the three slashes)")
	}
	if u.RawQuery != "" {
		return address{}, badAddress("has parameters, which file:/// does not take")
	}
	return address{folder: filepath.Clean(u.Path)}, nil
}

func parseS3(u *url.URL) (address, error) {
	a := address{bucket: u.Host}
	if u.Host == "" || u.Port() != "" {
		return address{}, badAddress("names no bucket")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, badAddress("has parameters that cannot be read")
	}
	for name, values := range q {
		switch {
		case len(values) > 1:
			return address{}, badAddress("has the parameter %q twice", name)
		case name == "endpoint":
			a.endpoint = values[0]
		case name == "region":
			a.region = values[0]
		default:
			return address{}, badAddress("has the unknown parameter %q", name)
		}
	}
	if err := checkEndpoint(a.endpoint); err != nil {
		return address{}, err
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		a.prefix = prefix + "/"
	}
	if len(a.prefix) > maxPrefix || strings.Contains(a.prefix, "//") {
		return address{}, badAddress("has a prefix with an empty part or of more than %d bytes", maxPrefix)
	}
	return a, nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	plain := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		u.RawQuery == "" && strings.Trim(u.Path, "/") == ""
	if !plain {
		return badAddress("has an endpoint that is not a plain http:// or https:// address")
	}
	return nil
}

// String is the place for people, without parameters.
func (a address) String() string {
	if a.folder != "" {
		return "file://" + a.folder
	}
	return "s3://" + a.bucket + "/" + a.prefix
}
