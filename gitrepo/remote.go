package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/client"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"dagwright/dag"
	"dagwright/redact"
)

// remote opens sessions with the remote repository. It speaks git's protocol
// through go-git's transports and not through its Remote: that would walk the
// whole tree of the old head at each push, keep the URL with its password in
// the clone's configuration, and call a push of nothing a success.
type remote struct {
	endpoint transport.Endpoint
	auth     *githttp.BasicAuth // nil for none
	branch   plumbing.ReferenceName
}

// ErrNoRepository is the error of a remote that is not there, or that whoever asks may not see.
var ErrNoRepository = transport.ErrRepositoryNotFound

// Where is the remote's URL without what proves who asks.
func (r *Repo) Where() string {
	endpoint := r.remote.endpoint
	endpoint.Password = ""
	where, _, _ := strings.Cut(endpoint.String(), "?")
	return where
}

func newRemote(c Config) (remote, error) {
	if c.URL == "" {
		return remote{}, fmt.Errorf("no URL of a remote given: %w", dag.ErrInvalid)
	}
	address := c.URL
	if helper, _, found := strings.Cut(address, "::"); found && !strings.ContainsAny(helper, "/[") {
		// git runs a helper program of that name; go-git would take it for a host.
		return remote{}, fmt.Errorf("remote of protocol %q: want https, http, ssh or a path: %w", helper, dag.ErrInvalid)
	}
	if strings.HasPrefix(address, "-") {
		return remote{}, fmt.Errorf("remote %.80q looks like an option: %w", address, dag.ErrInvalid)
	}
	if !strings.Contains(address, ":") {
		abs, err := filepath.Abs(address)
		if err != nil {
			return remote{}, fmt.Errorf("remote %s: %w", address, err)
		}
		address = abs
	}
	ep, err := transport.NewEndpoint(address)
	if err != nil {
		// The URL may hold a password, and the error would quote it.
		return remote{}, fmt.Errorf("the remote's URL cannot be read: %w", dag.ErrInvalid)
	}
	switch {
	case ep.Protocol == "file" && filepath.IsAbs(ep.Path): // else git-upload-pack might take it for an option
	case ep.Protocol == "http", ep.Protocol == "https", ep.Protocol == "ssh":
	default:
		return remote{}, fmt.Errorf("remote of protocol %q: want https, http, ssh or a path: %w", ep.Protocol, dag.ErrInvalid)
	}
	r := remote{branch: branchRef(c.Branch)}
	if ep.Protocol == "http" || ep.Protocol == "https" {
		user, password := c.Username, c.Password
		if user == "" && password == "" {
			user, password = ep.User, ep.Password
		}
		if user != "" || password != "" {
			r.auth = &githttp.BasicAuth{Username: user, Password: password}
		}
		ep.User, ep.Password = "", "" // or errors would quote them
	}
	r.endpoint = *ep
	return r, nil
}

// uploadPack opens a session to fetch. It returns the branch's head, the zero
// hash when there is none; the session is then nil.
func (r *remote) uploadPack(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, plumbing.Hash, error) {
	t, endpoint, auth := r.transport(&drain{})
	session, err := connect(ctx,
		func() (transport.UploadPackSession, error) { return t.NewUploadPackSession(endpoint, auth) })
	if err != nil {
		return nil, nil, plumbing.ZeroHash, remoteError("connect", err)
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		closeQuietly(session)
		return nil, nil, plumbing.ZeroHash, nil
	}
	if err != nil {
		closeQuietly(session)
		return nil, nil, plumbing.ZeroHash, remoteError("list branches", err)
	}
	return session, refs, refs.References[r.branch.String()], nil
}

// receivePack opens a session to push and returns the branch's head, the zero
// hash when there is none.
func (r *remote) receivePack(ctx context.Context, replies *drain) (transport.ReceivePackSession, *packp.AdvRefs,
	plumbing.Hash, error) {
	t, endpoint, auth := r.transport(replies)
	session, err := connect(ctx,
		func() (transport.ReceivePackSession, error) { return t.NewReceivePackSession(endpoint, auth) })
	if err != nil {
		return nil, nil, plumbing.ZeroHash, remoteError("connect", err)
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		closeQuietly(session)
		return nil, nil, plumbing.ZeroHash, remoteError("list branches", err)
	}
	return session, refs, refs.References[r.branch.String()], nil
}

// connect opens a session, and waits no longer than ctx: go-git's handshake over ssh
// has no deadline of its own.
func connect[S io.Closer](ctx context.Context, open func() (S, error)) (S, error) {
	type opened struct {
		session S
		err     error
	}
	ready := make(chan opened, 1)
	go func() {
		s, err := open()
		ready <- opened{s, err}
	}()
	select {
	case o := <-ready:
		return o.session, o.err
	case <-ctx.Done():
		go func() { // whenever the remote gives in
			if o := <-ready; o.err == nil {
				closeQuietly(o.session)
			}
		}()
		var none S
		return none, ctx.Err()
	}
}

// transport returns a transport for one session. The endpoint is a copy, since
// go-git writes redirects into it.
func (r *remote) transport(replies *drain) (transport.Transport, *transport.Endpoint, transport.AuthMethod) {
	endpoint := r.endpoint
	if r.isHTTP() {
		var auth transport.AuthMethod
		if r.auth != nil {
			auth = r.auth
		}
		return githttp.NewClient(&http.Client{Transport: replies, CheckRedirect: sameHost}), &endpoint, auth
	}
	t, err := client.NewClient(&endpoint)
	if err != nil {
		return failing{err}, &endpoint, nil
	}
	return t, &endpoint, nil
}

func (r *remote) isHTTP() bool { return strings.HasPrefix(r.endpoint.Protocol, "http") }

// failing is a transport that cannot connect.
type failing struct{ err error }

func (f failing) NewUploadPackSession(*transport.Endpoint, transport.AuthMethod) (transport.UploadPackSession, error) {
	return nil, f.err
}

func (f failing) NewReceivePackSession(*transport.Endpoint,
	transport.AuthMethod) (transport.ReceivePackSession, error) {
	return nil, f.err
}

// sameHost refuses redirects that lead to another host: there is one
// configured remote, and what it says must not send requests of ours anywhere
// else.
func sameHost(request *http.Request, via []*http.Request) error {
	if first := via[0].URL; !strings.EqualFold(first.Hostname(), request.URL.Hostname()) {
		return fmt.Errorf("redirect to another host, %s, refused", request.URL.Hostname())
	}
	return nil
}

// drain is an HTTP transport that remembers the last reply's body: go-git does
// not close the reply to a push.
type drain struct{ body io.ReadCloser }

// RoundTrip does the request with the default transport.
func (d *drain) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if response != nil {
		redact.Refusal(request, response)
		d.body = response.Body
	}
	return response, err
}

// close reads the last reply to its end, which is when the server's hooks have
// run, and closes it.
func (d *drain) close() {
	if d.body == nil {
		return
	}
	// What is left is words of hooks; 1 MiB of them is enough.
	_, _ = io.Copy(io.Discard, io.LimitReader(d.body, 1<<20))
	_ = d.body.Close()
}

// closeQuietly ends a session whose outcome is known already.
func closeQuietly(c io.Closer) { _ = c.Close() }

// remoteError says what was tried, with a message of the remote's that may be
// a whole HTML page cut short. It never holds a password: go-git is not given
// one within a URL, and redact.Refusal has looked at what the remote says.
func remoteError(verb string, err error) error {
	const longest = 500
	if text := err.Error(); len(text) > longest {
		return fmt.Errorf("%s: %w", verb, &longError{strings.ToValidUTF8(text[:longest], "") + " …", err})
	}
	if urlErr := new(url.Error); errors.As(err, &urlErr) {
		return fmt.Errorf("%s: %s %s: %w", verb, urlErr.Op, urlErr.URL, urlErr.Err)
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// longError is an error with a shortened text.
type longError struct {
	text  string
	cause error
}

func (e *longError) Error() string { return e.text }
func (e *longError) Unwrap() error { return e.cause }
