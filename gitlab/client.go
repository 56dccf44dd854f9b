package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"

	"dagwright/dag"
	"dagwright/redact"
)

// Config says which GitLab to call, and as whom.
type Config struct {
	// BaseURL is GitLab's address, such as https://gitlab.example.com, with its
	// path when it is installed below one.
	BaseURL string
	// Token is a project, group or personal access token with the scope
	// read_api, or read_repository and read_api for private projects.
	Token string
	// Timeout bounds each call with all of its retries; 30 s when zero.
	Timeout time.Duration
	// Transport makes the requests; http.DefaultTransport when nil.
	Transport http.RoundTripper
}

// MaxFile bounds the files that Client.ReadFile returns, in bytes.
const MaxFile = 1 << 20

// maxReply bounds what is read of any reply: client-go reads errors whole.
const maxReply = 8 << 20

// Client calls GitLab's REST API. A project is named by its path or by its id
// in digits. A project that the token may not see is an error and never
// dag.ErrNotFound: GitLab answers 404 to both, and only a file or branch that
// is really not there may be acted upon. Its methods are safe for concurrent
// use.
type Client struct {
	api     *api.Client
	web     string
	timeout time.Duration
}

// WebURL is GitLab's address, without a slash at its end.
func (c *Client) WebURL() string { return c.web }

// Dial returns a client. It does not call GitLab. The error is dag.ErrInvalid
// for a BaseURL that is not an http(s) address.
func Dial(c Config) (*Client, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("GitLab's base URL: want an address such as https://gitlab.example.com: %w", dag.ErrInvalid)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("GitLab's base URL: want neither user, query nor fragment: %w", dag.ErrInvalid)
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	client, err := api.NewClient(c.Token,
		api.WithBaseURL(strings.TrimSuffix(base.String(), "/")),
		api.WithHTTPClient(&http.Client{Transport: limitedReplies{c.Transport}, CheckRedirect: sameHost}),
		api.WithOnlyIdempotentRetries(),
		api.WithURLWarningLogger(slog.New(slog.DiscardHandler)),
		api.WithUserAgent("dagwright"),
	)
	if err != nil {
		return nil, fmt.Errorf("GitLab client: %w", err)
	}
	return &Client{api: client, web: strings.TrimSuffix(base.String(), "/"), timeout: c.Timeout}, nil
}

// BranchHead returns the commit at the head of a branch, or dag.ErrNotFound
// when the project has no such branch.
func (c *Client) BranchHead(ctx context.Context, project, branch string) (string, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return "", err
	}
	defer cancel()
	if err := checkRef("refs/heads/" + branch); err != nil {
		return "", fmt.Errorf("branch: %w", err)
	}
	b, _, err := c.api.Branches.GetBranch(project, branch, api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return "", c.notFound(ctx, project, "branch "+branch)
	}
	if err != nil {
		return "", callError("read branch "+branch, project, err)
	}
	if b.Commit == nil || !isHash(b.Commit.ID) {
		return "", fmt.Errorf("read branch %s of %s: GitLab named no commit", branch, project)
	}
	return b.Commit.ID, nil
}

// ReadFile returns a file at a commit. The error is dag.ErrNotFound when the
// commit has no such file and dag.ErrInvalid when it is larger than MaxFile.
func (c *Client) ReadFile(ctx context.Context, project, commit, path string) ([]byte, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if !isHash(commit) {
		return nil, fmt.Errorf("commit %.80q: want a full hash: %w", commit, dag.ErrInvalid)
	}
	if path == "" || strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") {
		return nil, fmt.Errorf("path %.200q: want a path within the repository: %w", path, dag.ErrInvalid)
	}
	in, _, err := c.api.RepositoryFiles.GetRawFileReader(project, path, &api.GetRawFileOptions{Ref: &commit},
		api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return nil, c.noFile(ctx, project, commit, path)
	}
	if err != nil {
		return nil, callError("read "+path, project, err)
	}
	defer in.Close()
	content, err := io.ReadAll(io.LimitReader(in, MaxFile+1))
	if err != nil {
		return nil, callError("read "+path, project, err)
	}
	if len(content) > MaxFile {
		return nil, fmt.Errorf("read %s of %s: it is larger than %d bytes: %w", path, project, MaxFile, dag.ErrInvalid)
	}
	return content, nil
}

// CommitMessage returns a commit's message, at most 64 KiB of it. The error is
// dag.ErrNotFound when the project has no such commit.
func (c *Client) CommitMessage(ctx context.Context, project, commit string) (string, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return "", err
	}
	defer cancel()
	if !isHash(commit) {
		return "", fmt.Errorf("commit %.80q: want a full hash: %w", commit, dag.ErrInvalid)
	}
	found, _, err := c.api.Commits.GetCommit(project, commit, nil, api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return "", c.notFound(ctx, project, "commit "+commit)
	}
	if err != nil {
		return "", callError("read commit "+commit, project, err)
	}
	return strings.ToValidUTF8(found.Message[:min(len(found.Message), maxMessage)], ""), nil
}

// noFile finds out what a 404 for a file means.
func (c *Client) noFile(ctx context.Context, project, commit, path string) error {
	_, _, err := c.api.Commits.GetCommit(project, commit, nil, api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return fmt.Errorf("read %s of %s: GitLab knows no commit %s there, or the token may not see the project", path,
			project, commit)
	}
	if err != nil {
		return callError("read commit "+commit, project, err)
	}
	return fmt.Errorf("file %s of %s at %s: %w", path, project, commit, dag.ErrNotFound)
}

// Ancestor reports whether commit old is new or an ancestor of it. The error
// is dag.ErrNotFound when the project lacks either.
func (c *Client) Ancestor(ctx context.Context, project, old, new string) (bool, error) {
	ctx, cancel, err := c.begin(ctx, project)
	if err != nil {
		return false, err
	}
	defer cancel()
	if !isHash(old) || !isHash(new) {
		return false, fmt.Errorf("commits %.80q and %.80q: want full hashes: %w", old, new, dag.ErrInvalid)
	}
	base, _, err := c.api.Repositories.MergeBase(project, &api.MergeBaseOptions{Ref: &[]string{old, new}},
		api.WithContext(ctx))
	var reply *api.ErrorResponse
	switch {
	case errors.Is(err, api.ErrNotFound): // no common commit, or no project
		if err := c.notFound(ctx, project, "common commit"); !errors.Is(err, dag.ErrNotFound) {
			return false, err
		}
		return false, nil
	case errors.As(err, &reply) && reply.HasStatusCode(http.StatusBadRequest) &&
		strings.Contains(reply.Message, "Could not find ref"):
		return false, fmt.Errorf("commit %s or %s of %s: %w", old, new, project, dag.ErrNotFound)
	case err != nil:
		return false, callError("compare commits", project, err)
	}
	return base.ID == old, nil
}

// notFound finds out what a 404 means: dag.ErrNotFound for the named thing when
// the project itself can be seen.
func (c *Client) notFound(ctx context.Context, project, thing string) error {
	_, _, err := c.api.Projects.GetProject(project, nil, api.WithContext(ctx))
	if errors.Is(err, api.ErrNotFound) {
		return fmt.Errorf("project %s: GitLab has none, or the token may not see it", project)
	}
	if err != nil {
		return callError("read project", project, err)
	}
	return fmt.Errorf("%s of %s: %w", thing, project, dag.ErrNotFound)
}

// begin checks the project's name and bounds the time of a call.
func (c *Client) begin(ctx context.Context, project string) (context.Context, context.CancelFunc, error) {
	if project == "" || strings.Trim(project, "0123456789") != "" {
		if err := checkProject(project); err != nil {
			return nil, nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	return ctx, cancel, nil
}

// callError says which call failed, with GitLab's words, which may be a whole
// HTML page, cut short. The token is in a header and never in an error, see redact.Refusal.
func callError(what, project string, err error) error {
	const longest = 500
	var reply *api.ErrorResponse
	if errors.As(err, &reply) && reply.StatusCode/100 == 3 {
		return fmt.Errorf("GitLab: %s of %s: a redirect to another address is not followed; is the base URL right? %w", what,
			project, err)
	}
	if text := err.Error(); len(text) > longest {
		err = &cutError{text: strings.ToValidUTF8(text[:longest], "") + " …", cause: err}
	}
	return fmt.Errorf("GitLab: %s of %s: %w", what, project, err)
}

// cutError is an error with a shortened text.
type cutError struct {
	text  string
	cause error
}

func (e *cutError) Error() string { return e.text }
func (e *cutError) Unwrap() error { return e.cause }

// sameHost stops at redirects to another host, which would get the token, and
// from https to http. The redirect itself is then the reply, and callError
// explains it; an error of ours would be retried.
func sameHost(request *http.Request, via []*http.Request) error {
	const most = 5
	first := via[0].URL
	if !strings.EqualFold(first.Host, request.URL.Host) || first.Scheme == "https" && request.URL.Scheme != "https" ||
		len(via) > most {
		return http.ErrUseLastResponse
	}
	return nil
}

// limitedReplies is a transport, http.DefaultTransport when nil, with bounded replies.
type limitedReplies struct{ base http.RoundTripper }

// RoundTrip does the request.
func (l limitedReplies) RoundTrip(r *http.Request) (*http.Response, error) {
	base := l.base
	if base == nil {
		base = http.DefaultTransport
	}
	response, err := base.RoundTrip(r)
	if response != nil {
		redact.Refusal(r, response)
	}
	if response != nil && response.Body != nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxReply), response.Body}
	}
	return response, err
}
