// Package publickeys bounds how often a server is asked for the keys with which it
// signs tokens. A token that names an unknown key may be one of a key that is new, so
// whoever checks it asks for the keys again: with forged tokens anybody could make us
// ask without end.
package publickeys

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burst is how many questions are asked at once, and pause how often one more.
	burst = 5
	pause = 10 * time.Second
	// maxAnswer bounds an answer that is kept, in bytes.
	maxAnswer = 1 << 20
	// maxAnswers bounds how many are kept: a server has one document for its keys and
	// one about itself.
	maxAnswers = 4
)

// Transport asks by Base, and answers with what it got before where it has asked too
// often. It keeps answers to GET requests without credentials only; all others go
// through. It is safe for concurrent use.
type Transport struct {
	base    http.RoundTripper
	limiter *rate.Limiter

	mu      sync.Mutex
	answers map[string]answer // by URL
}

type answer struct {
	header http.Header
	body   []byte
}

// New returns a transport that asks by base.
func New(base http.RoundTripper) *Transport {
	return &Transport{base: base, limiter: rate.NewLimiter(rate.Every(pause), burst), answers: map[string]answer{}}
}

// RoundTrip implements http.RoundTripper. The error is that of the base.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.Header.Get("Authorization") != "" {
		return t.base.RoundTrip(r)
	}
	url := r.URL.String()
	t.mu.Lock()
	kept, ok := t.answers[url]
	t.mu.Unlock()
	if ok && !t.limiter.Allow() {
		return kept.response(r), nil
	}
	response, err := t.base.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	fresh := answer{header: response.Header, body: body}
	t.keep(url, fresh)
	return fresh.response(r), nil
}

func (t *Transport) keep(url string, fresh answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.answers[url]; !ok && len(t.answers) >= maxAnswers {
		clear(t.answers)
	}
	t.answers[url] = fresh
}

func (a answer) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
