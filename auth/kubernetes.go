package auth

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reviews asks a Kubernetes API server whose token it is.
type Reviews interface {
	Create(context.Context, *authenticationv1.TokenReview, metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

const (
	// reviewAge is for how long an answer of the API server counts, and reviewMemory
	// for how long afterwards the token is remembered as one that was good.
	reviewAge    = time.Minute
	reviewMemory = time.Hour
	// reviewTimeout bounds one question.
	reviewTimeout = 10 * time.Second
	// maxReviews bounds how many answers are kept.
	maxReviews = 1000
)

// reviewer tells whose a service account's token is.
type reviewer struct {
	reviews   Reviews
	audiences []string

	mu    sync.Mutex
	known map[string]review // by digest of the token
}

type review struct {
	namespace, name string
	until           time.Time
}

// account is the service account that a token is of. The API server is asked about a
// token that is new if mayAsk says so. The error is a refusal when the token is of no
// account, errTooMany, or ErrProviderAway when the API server does not answer.
func (r *reviewer) account(ctx context.Context, token string, now time.Time, mayAsk func() bool) (namespace,
	name string, err error) {
	key := digest(token)
	r.mu.Lock()
	known, ok := r.known[key]
	r.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.namespace, known.name, nil
	}
	if !ok && !mayAsk() {
		return "", "", errTooMany
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	answer, err := r.reviews.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: r.audiences},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", "", fmt.Errorf("review token: %w: %w", ErrProviderAway, err)
	}
	status := answer.Status
	// A server that knows no audiences answers without any: then the token may be for
	// somebody else.
	if !status.Authenticated || !meets(r.audiences, status.Audiences) {
		r.forget(key)
		return "", "", refusef("Kubernetes does not know this token, or it is for another audience than %s.",
			strings.Join(r.audiences, ", "))
	}
	account, ok := strings.CutPrefix(status.User.Username, "system:serviceaccount:")
	namespace, name, split := strings.Cut(account, ":")
	if !ok || !split || namespace == "" || name == "" {
		return "", "", refusef("The token is of no service account.")
	}
	r.keep(key, review{namespace, name, now.Add(reviewAge)}, now)
	return namespace, name, nil
}

// keep remembers an answer, in place of those that are old when there are many.
func (r *reviewer) keep(key string, answer review, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]review{}
	}
	age := reviewMemory
	if len(r.known) >= maxReviews {
		age = 0
	}
	maps.DeleteFunc(r.known, func(_ string, old review) bool { return !now.Before(old.until.Add(age)) })
	if len(r.known) < maxReviews {
		r.known[key] = answer
	}
}

func (r *reviewer) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, key)
}
