package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"dagwright/gitlab"
)

// goodPush is a push of a commit that is not there.
func goodPush(branch string) gitlab.Push {
	return gitlab.Push{
		ProjectID: 101, Project: "gbc/risk/churn-model", Branch: branch,
		Before: strings.Repeat("a", 40), After: strings.Repeat("b", 40),
	}
}

// forge makes a rightly signed event with a wrong value in it: gitlab builds
// none, and GitLab sends none.
func (d *devProcess) forge(t *testing.T, change func(event, project map[string]any)) *http.Request {
	t.Helper()
	r := d.event(t, goodPush("main"))
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	project, _ := event["project"].(map[string]any)
	change(event, project)
	d.replaceBody(t, r, []byte(mustJSON(t, event)))
	return r
}

// replaceBody gives an event another body and signs it, see
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
func (d *devProcess) replaceBody(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(d.secret(t), "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Webhook-Id"), now, body)
	r.Header.Set("Webhook-Timestamp", now)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = nil
}

var hostileNames = map[string]string{
	"to the parent": "../x", "to the parent inside": "gbc/../../x", "encoded": "a%2Fb", "encoded parent": "%2e%2e/x",
	"absolute": "/etc/passwd", "long": strings.Repeat("a", 5000), "long path": strings.Repeat("a/", 2500) + "x",
	"letters of other scripts": "gbc/модель", "looks alike": "gbc/rіsk", "reads backwards": "gbc/\u202excod",
	"NUL": "gbc/x\x00y", "line break": "gbc/x\ny", "escape": "gbc/\x1b[31mx", "an option": "-u/--upload-pack=touch",
	"git's own":   "gbc/.git",
	"backslashes": `gbc\..\x`, "empty part": "gbc//x", "one part": "x", "SQL": "gbc/x'; DROP TABLE push; --",
	"markup": "gbc/<script>",
}

func TestHostileEvents(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t, "--log-level", "debug")
	before, inside, outside := d.pushes(t), files(t, d.dir), files(t, d.dir+"/..")

	for name, text := range hostileNames {
		r := d.forge(t, func(_, project map[string]any) { project["path_with_namespace"] = text })
		if status, body := d.do(t, r); status != http.StatusBadRequest &&
			!(status == http.StatusOK && strings.Contains(body, `"ignored"`)) {
			t.Errorf("project %s: %d %s", name, status, body)
		}
		r = d.forge(t, func(event, _ map[string]any) { event["ref"] = "refs/heads/" + text })
		if status, body := d.do(t, r); status != http.StatusBadRequest &&
			!(status == http.StatusOK && strings.Contains(body, `"ignored"`)) {
			t.Errorf("branch %s: %d %s", name, status, body)
		}
		r = d.forge(t, func(event, _ map[string]any) { event["after"] = text })
		if status, body := d.do(t, r); status != http.StatusBadRequest {
			t.Errorf("commit %s: %d %s", name, status, body)
		}
	}
	for name, change := range map[string]func(event, project map[string]any){
		"no project":      func(event, _ map[string]any) { delete(event, "project") },
		"a list for text": func(event, _ map[string]any) { event["ref"] = []string{"refs/heads/main"} },
		"wrong id":        func(event, project map[string]any) { event["project_id"], project["id"] = -1, -1 },
		"no ref":          func(event, _ map[string]any) { delete(event, "ref") },
	} {
		if status, body := d.do(t, d.forge(t, change)); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for name, body := range map[string]string{
		"no JSON": "ref=main", "cut": `{"ref": "refs/he`, "deep": strings.Repeat("[", 1<<20), "two": "{}{}", "nothing": "",
	} {
		r := d.event(t, goodPush("main"))
		d.replaceBody(t, r, []byte(body))
		if status, answer := d.do(t, r); status != http.StatusBadRequest {
			t.Errorf("body %s: %d %s", name, status, answer)
		}
	}

	if after := d.pushes(t); after != before {
		t.Errorf("%d pushes were recorded", after-before)
	}
	if diff := cmp.Diff(inside, files(t, d.dir)); diff != "" {
		t.Errorf("files of the server (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(outside, files(t, d.dir+"/..")); diff != "" {
		t.Errorf("files beside the server's folder (-before +after):\n%s", diff)
	}
	if strings.Contains(d.log.String(), "\x1b") {
		t.Error("an escape sequence reached the log")
	}
}

// TestUnknownProject: a name that GitLab allows, of a project that is none of
// the models, is written down and refused in words.
func TestUnknownProject(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	p := goodPush("main")
	p.ProjectID, p.Project = 999, "gbc/risk/unheard-of"
	if status, body := d.do(t, d.event(t, p)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	d.await(t, `refused[\s\S]*unheard-of[\s\S]*none of this machine`, "/models")
}

func TestHookLimits(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t, "--log-level", "debug")
	before := d.pushes(t)

	large := d.event(t, goodPush("main"))
	d.replaceBody(t, large, bytes.Repeat([]byte(" "), 26<<20))
	large.Header.Set("Expect", "100-continue") // so that the answer can be read
	if status, body := d.do(t, large); status != http.StatusRequestEntityTooLarge {
		t.Errorf("26 MiB: %d %s", status, body)
	}
	chunked := d.event(t, goodPush("main"))
	d.replaceBody(t, chunked, bytes.Repeat([]byte(" "), 26<<20))
	chunked.ContentLength = -1
	if response, err := http.DefaultTransport.RoundTrip(chunked); err == nil {
		// A sender who does not listen while it sends sees its connection end.
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("26 MiB in chunks: %s", response.Status)
		}
		_ = response.Body.Close()
	}

	for name, change := range map[string]func(*http.Request){
		"no signature": func(r *http.Request) { r.Header.Del("Webhook-Signature") },
		"other signature": func(r *http.Request) {
			r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		},
		"other body": func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", int(r.ContentLength))))
		},
		"other time": func(r *http.Request) { r.Header.Set("Webhook-Timestamp", "1700000000") },
		"wrong token": func(r *http.Request) {
			r.Header.Del("Webhook-Signature")
			r.Header.Set("X-Gitlab-Token", "canary-token")
		},
	} {
		r := d.event(t, goodPush("main"))
		change(r)
		if status, body := d.do(t, r); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if after := d.pushes(t); after != before {
		t.Errorf("%d pushes were recorded", after-before)
	}
	if strings.Contains(d.log.String(), "canary-token") {
		t.Error("the wrong token is in the log")
	}
}

// TestRepeatedEvent sends one delivery twice, as GitLab does when it has lost
// the answer.
func TestRepeatedEvent(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	before := d.pushes(t)
	first := d.event(t, goodPush("main"))
	body, err := io.ReadAll(first.Body)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for try, want := range []struct {
		status int
		word   string
	}{{http.StatusAccepted, "accepted"}, {http.StatusOK, "repeated"}, {http.StatusOK, "repeated"}} {
		r := first.Clone(t.Context())
		d.replaceBody(t, r, body)
		status, answer := d.do(t, r)
		if status != want.status || !strings.Contains(answer, want.word) {
			t.Errorf("try %d: %d %s, want %d %s", try+1, status, answer, want.status, want.word)
		}
		m := regexp.MustCompile(`"push":(\d+)`).FindStringSubmatch(answer)
		if m == nil || id != "" && m[1] != id {
			t.Fatalf("try %d: %s names another push than %s", try+1, answer, id)
		}
		id = m[1]
	}
	// The commit is not the branch's head, which is recorded in its place.
	d.await(t, `id="push-`+id+`"[\s\S]{0,200}superseded`, "/models")
	if after := d.pushes(t); after > before+2 {
		t.Errorf("%d pushes were recorded", after-before)
	}
}

// TestManyEventsAtOnce: each of 200 deliveries is in the database when it is
// answered.
func TestManyEventsAtOnce(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	const events = 200
	var g errgroup.Group
	g.SetLimit(8)
	for i := range events {
		p := goodPush("main")
		// Of as many projects, so that each is a push of its own.
		p.ProjectID, p.Project = int64(1000+i), fmt.Sprintf("gbc/many/model-%03d", i)
		r := d.event(t, p)
		g.Go(func() error {
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			if response.StatusCode != http.StatusAccepted {
				err = fmt.Errorf("%s: %s", p.Project, response.Status)
			}
			return errors.Join(err, response.Body.Close())
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	name := regexp.MustCompile(`gbc/many/model-\d{3}`)
	older := regexp.MustCompile(`href="([^"]*before=\d+[^"]*)"`)
	for next := "/models"; next != ""; {
		_, body := d.get(t, next)
		for _, m := range name.FindAllString(body, -1) {
			found[m] = true
		}
		next = ""
		if m := older.FindStringSubmatch(body); m != nil {
			next = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(found) != events {
		t.Errorf("%d of %d pushes were recorded", len(found), events)
	}
}
