package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers that say who sent an event.
const (
	headerToken     = "X-Gitlab-Token"
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Tolerance is how far an event's timestamp may be from now, as the Standard
// Webhooks specification suggests.
const Tolerance = 5 * time.Minute

// Verifier checks that an event was sent by someone who knows one of its
// secrets: as signing token (Standard Webhooks, GitLab 19.0 and newer) or as
// secret token (X-Gitlab-Token). It is safe for concurrent use; the zero value
// refuses everything.
type Verifier struct{ secrets []secret }

// secret is one shared secret. It has no exported field and no String, so that
// it cannot get into a log by accident.
type secret struct {
	token [sha256.Size]byte // its hash: comparing hashes does not tell lengths
	key   []byte            // nil when the secret can be no signing key
}

// NewVerifier takes the secrets that are accepted: several while one is being
// replaced. A secret that starts with whsec_ is, as signing key, the base64 of
// the rest; another one its own bytes. Empty secrets are left out.
func NewVerifier(secrets ...string) Verifier {
	var v Verifier
	for _, s := range secrets {
		if s != "" {
			v.secrets = append(v.secrets, secret{token: sha256.Sum256([]byte(s)), key: signingKey(s)})
		}
	}
	return v
}

func signingKey(s string) []byte {
	encoded, found := strings.CutPrefix(s, "whsec_")
	if !found {
		return []byte(s)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil
	}
	return key
}

// Check looks at an event's headers before its body is read. An error is a
// refusal and says which header is wanted. When there is a Webhook-Signature,
// the returned BodyCheck must still be passed; otherwise X-Gitlab-Token has
// decided and the BodyCheck always passes.
func (v Verifier) Check(h http.Header, now time.Time) (*BodyCheck, error) {
	if h.Get(headerSignature) != "" {
		return v.signed(h, now)
	}
	given := h.Get(headerToken)
	if given == "" {
		return nil, errors.New(
			"the request is not authenticated: want the header X-Gitlab-Token, or webhook-id, webhook-timestamp and webhook-signature")
	}
	sum := sha256.Sum256([]byte(given))
	known := 0
	for _, s := range v.secrets {
		known |= subtle.ConstantTimeCompare(sum[:], s.token[:])
	}
	if known == 0 {
		return nil, errors.New("the header X-Gitlab-Token does not hold this hook's secret token")
	}
	return &BodyCheck{}, nil
}

// signed checks all of a signature but the signature itself.
func (v Verifier) signed(h http.Header, now time.Time) (*BodyCheck, error) {
	id, timestamp := h.Get(headerID), h.Get(headerTimestamp)
	if id == "" || timestamp == "" {
		return nil, errors.New("with the header webhook-signature, want webhook-id and webhook-timestamp too")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return nil, errors.New("the header webhook-timestamp is not a number of seconds")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return nil, errors.New(
			"the header webhook-timestamp is more than 5 minutes from now: is a clock wrong, or the event replayed?")
	}
	check := &BodyCheck{}
	for given := range strings.FieldsSeq(h.Get(headerSignature)) {
		version, encoded, _ := strings.Cut(given, ",")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if version == "v1" && err == nil && len(sum) == sha256.Size && len(check.signatures) < maxSignatures {
			check.signatures = append(check.signatures, sum)
		}
	}
	if len(check.signatures) == 0 {
		return nil, errors.New(`the header webhook-signature holds no signature of the form "v1,<base64 of HMAC-SHA256>"`)
	}
	for _, s := range v.secrets {
		if s.key == nil {
			continue
		}
		mac := hmac.New(sha256.New, s.key)
		_, _ = io.WriteString(mac, id+"."+timestamp+".") // a hash never fails
		check.macs = append(check.macs, mac)
	}
	check.signed = true
	return check, nil
}

// maxSignatures bounds the signatures of one event that are looked at.
const maxSignatures = 8

// BodyCheck checks the signature over one event's body while the body is read.
type BodyCheck struct {
	signed     bool
	signatures [][]byte
	macs       []hash.Hash
}

// Signed reports whether there is a signature to check.
func (c *BodyCheck) Signed() bool { return c.signed }

// Reader returns a reader of the body that also computes the signature.
func (c *BodyCheck) Reader(body io.Reader) io.Reader {
	for _, mac := range c.macs {
		body = io.TeeReader(body, mac)
	}
	return body
}

// Verify says whether the body, read to its end through Reader, is the one that
// was signed. It takes the same time wherever a wrong signature differs.
func (c *BodyCheck) Verify() error {
	if !c.signed {
		return nil
	}
	right := 0
	for _, mac := range c.macs {
		sum := mac.Sum(nil)
		for _, given := range c.signatures {
			right |= subtle.ConstantTimeCompare(sum, given)
		}
	}
	if right == 0 {
		return errors.New("the header webhook-signature does not match the body and this hook's signing token")
	}
	return nil
}
