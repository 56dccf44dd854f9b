package gitlab

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"dagwright/dag"
)

// NewPushRequest builds the request that GitLab makes for a push: all of its
// headers, and a body of the full shape. A secret that starts with whsec_ signs
// the request, another one goes into X-Gitlab-Token. Of the Push, ProjectID,
// Project, Ref (or Branch) and After must be set. Each call makes a new
// delivery, with its own Idempotency-Key and the time of now.
func NewPushRequest(ctx context.Context, url, secret string, p Push) (*http.Request, error) {
	if p.Ref == "" && p.Branch != "" {
		p.Ref = "refs/heads/" + p.Branch
	}
	if err := p.complete(); err != nil {
		return nil, fmt.Errorf("build push event: %w", err)
	}
	if p.Project == "" {
		return nil, fmt.Errorf("build push event: no project path: %w", dag.ErrInvalid)
	}
	if p.WebURL == "" {
		p.WebURL = "http://localhost/" + p.Project
	}
	if p.GitHTTPURL == "" {
		p.GitHTTPURL = p.WebURL + ".git"
	}
	if isZero(p.Before) {
		p.Before = strings.Repeat("0", len(p.After))
	}
	body, err := json.Marshal(pushBody(p))
	if err != nil {
		return nil, fmt.Errorf("build push event: %w", err)
	}
	kind := "Push Hook"
	if p.Branch == "" {
		kind = "Tag Push Hook"
	}
	r, err := NewEventRequest(ctx, url, secret, kind, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Gitlab-Instance", instance(p.WebURL))
	return r, nil
}

// NewEventRequest builds the request that GitLab makes for an event of a kind, such
// as "Pipeline Hook", with the given body. The secret is that of NewPushRequest.
func NewEventRequest(ctx context.Context, url, secret, kind string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("build event: %w", err)
	}
	setHeaders(r.Header, kind, secret)
	if strings.HasPrefix(secret, "whsec_") {
		sign(r.Header, signingKey(secret), body, time.Now())
	}
	return r, nil
}

// instance is the address of the GitLab that a page belongs to.
func instance(page string) string {
	if u, err := url.Parse(page); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return "http://localhost"
}

// setHeaders sets the headers of GitLab's WebHookService#build_headers.
func setHeaders(h http.Header, kind, secret string) {
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitLab/19.5.0")
	h.Set("Idempotency-Key", newUUID())
	h.Set("X-Gitlab-Event", kind)
	h.Set("X-Gitlab-Webhook-UUID", newUUID())
	h.Set("X-Gitlab-Event-UUID", newUUID())
	h.Set("X-Gitlab-Instance", instance(""))
	if secret != "" && !strings.HasPrefix(secret, "whsec_") {
		h.Set(headerToken, secret)
	}
}

// sign signs the body, see
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
func sign(h http.Header, key, body []byte, now time.Time) {
	id, timestamp := h.Get("Idempotency-Key"), strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	h.Set(headerID, id)
	h.Set(headerTimestamp, timestamp)
	h.Set(headerSignature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// newUUID returns a random UUID (version 4, RFC 9562).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// pushBody is the event's body with all of GitLab's keys.
func pushBody(p Push) map[string]any {
	kind := "push"
	if p.Branch == "" {
		kind = "tag_push"
	}
	name, namespace := path.Base(p.Project), path.Dir(p.Project)
	ssh := "git@localhost:" + p.Project + ".git"
	body := map[string]any{
		"object_kind": kind, "event_name": kind, "before": p.Before, "after": p.After, "ref": p.Ref,
		"ref_protected": false, "checkout_sha": p.After, "message": nil,
		"user_id": 1, "user_name": p.UserName, "user_username": p.UserUsername, "user_email": "", "user_avatar": nil,
		"project_id": p.ProjectID,
		"project": map[string]any{
			"id": p.ProjectID, "name": name, "description": nil, "web_url": p.WebURL, "avatar_url": nil,
			"git_ssh_url": ssh, "git_http_url": p.GitHTTPURL, "namespace": namespace, "visibility_level": 0,
			"path_with_namespace": p.Project, "default_branch": "main", "ci_config_path": nil,
			"homepage": p.WebURL, "url": ssh, "ssh_url": ssh, "http_url": p.GitHTTPURL,
		},
		"repository": map[string]any{
			"name": name, "url": ssh, "description": nil, "homepage": p.WebURL,
			"git_http_url": p.GitHTTPURL, "git_ssh_url": ssh, "visibility_level": 0,
		},
		"commits": []any{}, "total_commits_count": p.Commits, "push_options": map[string]any{},
	}
	if p.SkipCI {
		body["push_options"] = map[string]any{"ci": map[string]any{"skip": true}}
	}
	if p.Kind == PushDeleted {
		body["checkout_sha"] = nil
		return body
	}
	if p.Title != "" || p.Message != "" {
		body["commits"] = []any{headCommit(p)}
		body["total_commits_count"] = max(p.Commits, 1)
	}
	return body
}

func headCommit(p Push) map[string]any {
	message := p.Message
	if message == "" {
		message = p.Title
	}
	return map[string]any{
		"id": p.After, "message": message, "title": p.Title, "url": p.WebURL + "/-/commit/" + p.After,
		"timestamp": time.Now().UTC().Format(time.RFC3339),
		"author":    map[string]any{"name": p.UserName, "email": ""},
		"added":     []any{}, "modified": []any{}, "removed": []any{},
	}
}
