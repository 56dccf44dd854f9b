// Package registry asks an image registry whether it has an image, by the
// distribution API of the OCI: a HEAD of the manifest, with the token that the
// registry's own service gives for a user and a password, as GitLab's does. It pulls
// nothing.
//
// A client knows one registry, and never sends its credentials elsewhere: people who are
// not trusted with them choose the images.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"dagwright/dag"
)

// timeout bounds one question, with the request for a token.
const timeout = 20 * time.Second

// Config names a registry.
type Config struct {
	// Host is the registry, perhaps with a path that all its images begin with:
	// "registry.example.com" or "registry.example.com/gbc".
	Host string
	// Username and PasswordFile are those of a user or a deploy token that may read;
	// anonymous when Username is empty. The file is read for each question, so that
	// a new password counts at once.
	Username     string
	PasswordFile string
	// Transport makes the requests; one like http.DefaultTransport when nil.
	Transport http.RoundTripper
}

// Client asks one registry.
type Client struct {
	Config
	host string // without the path
}

// New returns a client. Nothing is asked yet. The error is dag.ErrInvalid for what
// is not a registry.
func New(c Config) (*Client, error) {
	host, _, _ := strings.Cut(c.Host, "/")
	r, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil || host == "" || strings.HasSuffix(host, ":") {
		return nil, fmt.Errorf("registry %.200q: want a host such as registry.example.com: %w", c.Host,
			errors.Join(err, dag.ErrInvalid))
	}
	if c.Transport == nil {
		c.Transport = remote.DefaultTransport
	}
	return &Client{Config: c, host: r.RegistryStr()}, nil
}

// Knows reports whether an image is one of the client's registry. Others are not
// asked for.
func (c *Client) Knows(image string) bool {
	prefix := strings.TrimSuffix(c.Host, "/") + "/"
	ref, err := name.ParseReference(image)
	return err == nil && strings.HasPrefix(image, prefix) && ref.Context().RegistryStr() == c.host
}

// Has reports whether the registry has an image, by tag or by digest. The error is
// dag.ErrInvalid for an image that the client does not know; any other error says
// that the registry gave no answer to go by, in words.
func (c *Client) Has(ctx context.Context, image string) (bool, error) {
	if !c.Knows(image) {
		return false, fmt.Errorf("image %.300q is none of %s: %w", image, c.Host, dag.ErrInvalid)
	}
	ref, err := name.ParseReference(image)
	if err != nil {
		return false, fmt.Errorf("image %.300q: %w: %w", image, err, dag.ErrInvalid)
	}
	who, err := c.auth()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err = remote.Head(ref, remote.WithContext(ctx), remote.WithAuth(who), remote.WithUserAgent("dagwright"),
		remote.WithTransport(c.Transport),
		// Whoever asks tries again, and says meanwhile what is the matter.
		remote.WithRetryPredicate(func(error) bool { return false }), remote.WithRetryStatusCodes())
	return err == nil, c.explain(image, err)
}

func (c *Client) auth() (authn.Authenticator, error) {
	if c.Username == "" {
		return authn.Anonymous, nil
	}
	password, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("read the registry's password: %w", err)
	}
	return &authn.Basic{Username: c.Username, Password: strings.TrimSpace(string(password))}, nil
}

// explain tells "there is no such image" from what went wrong.
func (c *Client) explain(image string, err error) error {
	var answer *transport.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &answer):
		return fmt.Errorf("ask %s for %s: %w", c.host, image, err)
	case answer.StatusCode == http.StatusNotFound:
		return nil
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s answers %d for %s: its user may not read the image, or its password is wrong", c.host,
			answer.StatusCode, image)
	}
	return fmt.Errorf("%s answers %d for %s", c.host, answer.StatusCode, image)
}
