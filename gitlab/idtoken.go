package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"dagwright/publickeys"
)

// Job is the CI job that an ID token stands for, see
// https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload.
type Job struct {
	ProjectID int64
	Project   string
	Branch    string
	Commit    string
	User      string // who started the pipeline
	Protected bool   // whether the branch is protected
}

// TokenVerifier checks the ID tokens of CI jobs. It is safe for concurrent use.
type TokenVerifier struct{ verifier *oidc.IDTokenVerifier }

// NewTokenVerifier returns a verifier of the tokens that the GitLab at issuer
// issues for an audience ("aud" of the job's id_tokens). It fetches GitLab's keys
// when it needs them and keeps them; client may be nil.
func NewTokenVerifier(issuer, audience string, client *http.Client) (*TokenVerifier, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || audience == "" {
		return nil, errors.New("ID tokens: want GitLab's address and an audience")
	}
	if client == nil {
		client = &http.Client{Transport: publickeys.New(limitedReplies{nil}), CheckRedirect: sameHost}
	}
	issuer = strings.TrimSuffix(issuer, "/")
	// Fetching keys goes on when the request that needed them has ended.
	ctx := oidc.ClientContext(context.Background(), client)
	keys := oidc.NewRemoteKeySet(ctx, issuer+"/oauth/discovery/keys")
	return &TokenVerifier{oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256, oidc.RS512, oidc.ES256, oidc.ES384},
	})}, nil
}

// Verify checks a token's signature, issuer, audience and time, and that it is of a
// branch's job. The error says what is wrong and never holds the token.
func (v *TokenVerifier) Verify(ctx context.Context, token string) (Job, error) {
	if token == "" {
		return Job{}, errors.New(
			"want the header Authorization: Bearer, with the ID token of a CI job (id_tokens in .gitlab-ci.yml)")
	}
	checked, err := v.verifier.Verify(ctx, token)
	if err != nil {
		return Job{}, fmt.Errorf("the ID token is not accepted: %w", err)
	}
	var claims struct {
		ProjectID   string `json:"project_id"`
		ProjectPath string `json:"project_path"`
		Ref         string `json:"ref"`
		RefType     string `json:"ref_type"`
		Protected   string `json:"ref_protected"`
		SHA         string `json:"sha"`
		User        string `json:"user_login"`
	}
	if err := checked.Claims(&claims); err != nil {
		return Job{}, errors.New("the ID token's claims are not those of a CI job")
	}
	job := Job{Project: claims.ProjectPath, Branch: claims.Ref, Commit: claims.SHA, User: claims.User,
		Protected: claims.Protected == "true"}
	job.ProjectID, err = strconv.ParseInt(claims.ProjectID, 10, 64)
	switch {
	case err != nil || job.ProjectID <= 0 || checkProject(job.Project) != nil:
		return Job{}, errors.New("the ID token names no project: it is not one of a CI job")
	case claims.RefType != "branch" || checkRef("refs/heads/"+job.Branch) != nil:
		return Job{}, errors.New("the ID token is not of a branch's job")
	case !isHash(job.Commit):
		return Job{}, errors.New("the ID token names no commit")
	}
	return job, nil
}
