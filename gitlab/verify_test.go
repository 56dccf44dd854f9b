package gitlab_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/gitlab"
)

var key = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

func sign(key []byte, id, timestamp, body string) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// The example of the Standard Webhooks specification's reference libraries.
func TestSignatureOfTheSpecification(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	check, err := gitlab.NewVerifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").Check(h, time.Unix(1614265330, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, check.Reader(strings.NewReader(`{"test": 2432232314}`))); err != nil {
		t.Fatal(err)
	}
	if err := check.Verify(); err != nil {
		t.Error(err)
	}
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	stamp := strconv.FormatInt(now.Unix(), 10)
	const body, id = `{"object_kind":"push"}`, "b0c1"
	right := sign([]byte("0123456789abcdef0123456789abcdef"), id, stamp, body)
	stale := strconv.FormatInt(now.Add(-301*time.Second).Unix(), 10)
	early := strconv.FormatInt(now.Add(301*time.Second).Unix(), 10)
	signed := func(signature string) []string {
		return []string{"webhook-id", id, "webhook-timestamp", stamp, "webhook-signature", signature}
	}
	for _, c := range []struct {
		name    string
		secrets []string
		headers []string
		refused string // by the headers
		wrong   string // by the body
	}{
		{"token", []string{"s3cret"}, []string{"X-Gitlab-Token", "s3cret"}, "", ""},
		{"older token", []string{"new", "s3cret"}, []string{"X-Gitlab-Token", "s3cret"}, "", ""},
		{"signing token as token", []string{key}, []string{"X-Gitlab-Token", key}, "", ""},
		{"wrong token", []string{"s3cret"}, []string{"X-Gitlab-Token", "s3cre"}, "X-Gitlab-Token", ""},
		{"longer token", []string{"s3cret"}, []string{"X-Gitlab-Token", "s3cret "}, "X-Gitlab-Token", ""},
		{"nothing", []string{"s3cret"}, nil, "want the header X-Gitlab-Token", ""},
		{"no secrets", nil, []string{"X-Gitlab-Token", ""}, "want the header X-Gitlab-Token", ""},
		{"empty secret", []string{""}, []string{"X-Gitlab-Token", "x"}, "X-Gitlab-Token", ""},
		{"signature", []string{key}, signed(right), "", ""},
		{"plain key", []string{"plain"}, signed(sign([]byte("plain"), id, stamp, body)), "", ""},
		{"second secret", []string{"other", key}, signed(right), "", ""},
		{"second signature", []string{key}, signed("v1," + strings.Repeat("A", 43) + "= v1a,xyz " + right), "", ""},
		{"signature of another body", []string{key},
			signed(sign([]byte("0123456789abcdef0123456789abcdef"), id, stamp, "{}")), "", "does not match"},
		{"signature of another id", []string{key},
			signed(sign([]byte("0123456789abcdef0123456789abcdef"), "b0c2", stamp, body)), "", "does not match"},
		{"another key", []string{"other"}, signed(right), "", "does not match"},
		{"unusable key", []string{"whsec_%%%"}, signed(right), "", "does not match"},
		{"no key at all", nil, signed(right), "", "does not match"},
		{"right token, wrong signature", []string{"s3cret"}, append(signed(right), "X-Gitlab-Token", "s3cret"), "",
			"does not match"},
		{"no signature in it", []string{key}, signed("v1a,xyz v1,short"), "webhook-signature", ""},
		{"no id", []string{key}, []string{"webhook-timestamp", stamp, "webhook-signature", right}, "webhook-id", ""},
		{"no timestamp", []string{key}, []string{"webhook-id", id, "webhook-signature", right}, "webhook-timestamp", ""},
		{"timestamp in words", []string{key},
			[]string{"webhook-id", id, "webhook-timestamp", "now", "webhook-signature", right}, "webhook-timestamp", ""},
		{"stale", []string{key}, []string{"webhook-id", id, "webhook-timestamp", stale, "webhook-signature", right},
			"5 minutes", ""},
		{"from the future", []string{key}, []string{"webhook-id", id, "webhook-timestamp", early, "webhook-signature", right},
			"5 minutes", ""},
		{"far future", []string{key},
			[]string{"webhook-id", id, "webhook-timestamp", "9223372036854775807", "webhook-signature", right}, "5 minutes", ""},
		{"id and time without signature", []string{"s3cret"},
			[]string{"webhook-id", id, "webhook-timestamp", stamp, "X-Gitlab-Token", "s3cret"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for i := 0; i < len(c.headers); i += 2 {
				h.Set(c.headers[i], c.headers[i+1])
			}
			check, err := gitlab.NewVerifier(c.secrets...).Check(h, now)
			wantError(t, "Check", err, c.refused)
			if err != nil {
				return
			}
			read, err := io.ReadAll(check.Reader(strings.NewReader(body)))
			if err != nil || string(read) != body {
				t.Errorf("body %q, %v", read, err)
			}
			wantError(t, "Verify", check.Verify(), c.wrong)
		})
	}
}

// wantError checks an error's words, and that no secret is among them.
func wantError(t *testing.T, call string, err error, words string) {
	t.Helper()
	if (err != nil) != (words != "") || !strings.Contains(fmt.Sprint(err), words) && words != "" {
		t.Errorf("%s: %v, want %q", call, err, words)
	}
	for _, secret := range []string{"s3cret", key, "plain"} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s quotes a secret: %v", call, err)
		}
	}
}

func TestNewPushRequestIsVerifiedAndParsed(t *testing.T) {
	t.Parallel()
	want := gitlab.Push{
		ProjectID: 101, Project: "gbc/risk/churn-model", Ref: "refs/heads/retrain", Branch: "retrain", Before: commitA,
		After: commitB, Kind: gitlab.PushUpdated,
		UserName: "Ann", UserUsername: "ann", Message: "Train\n\nmore", Title: "Train", Commits: 2,
		WebURL:     "https://gitlab.example.com/gbc/risk/churn-model",
		GitHTTPURL: "https://gitlab.example.com/gbc/risk/churn-model.git",
	}
	deleted := want
	deleted.After, deleted.Kind, deleted.Message, deleted.Title, deleted.Commits = zeros, gitlab.PushDeleted, "", "", 0
	tag := want
	tag.Ref, tag.Branch, tag.Before, tag.Kind, tag.SkipCI = "refs/tags/v1", "", zeros, gitlab.PushCreated, true
	for name, push := range map[string]gitlab.Push{"push": want, "deleted": deleted, "tag": tag} {
		for _, secret := range []string{key, "s3cret"} {
			r, err := gitlab.NewPushRequest(t.Context(), "http://localhost/hooks/gitlab", secret, push)
			if err != nil {
				t.Fatal(err)
			}
			for _, header := range []string{"Content-Type", "User-Agent", "X-Gitlab-Event", "Idempotency-Key",
				"X-Gitlab-Webhook-Uuid", "X-Gitlab-Event-Uuid", "X-Gitlab-Instance"} {
				if r.Header.Get(header) == "" {
					t.Errorf("%s: no header %s", name, header)
				}
			}
			check, err := gitlab.NewVerifier("other", secret).Check(r.Header, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if check.Signed() != (secret == key) {
				t.Errorf("%s: signed is %v", name, check.Signed())
			}
			got, err := gitlab.ParsePush(check.Reader(r.Body))
			if err != nil {
				t.Fatal(err)
			}
			if err := check.Verify(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(push, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
		}
	}
	if _, err := gitlab.NewPushRequest(t.Context(), "http://localhost", "",
		gitlab.Push{ProjectID: 1, Ref: "refs/heads/main"}); err == nil {
		t.Error("an incomplete push made a request")
	}
}
