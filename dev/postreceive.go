package dev

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dagwright/gitlab"
	"dagwright/gitrepo"
)

// Repository is a repository of the folder Dir, as GitLab knows it.
type Repository struct {
	Dir, Project string
	ProjectID    int64
}

// PostReceive reads "old new ref" lines, as git gives them to the hook, and
// sends an event for each. What goes wrong is written to out, for the person who
// pushed: the push itself is done.
func PostReceive(ctx context.Context, r Repository, in io.Reader, out io.Writer) error {
	addr, err := os.ReadFile(filepath.Join(r.Dir, "listen"))
	if err != nil {
		return fmt.Errorf("where is dagwright? %w", err)
	}
	secret, err := os.ReadFile(filepath.Join(r.Dir, "webhook-secret"))
	if err != nil {
		return fmt.Errorf("read webhook secret: %w", err)
	}
	base := "http://" + strings.TrimSpace(string(addr))
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			return fmt.Errorf("want \"old new ref\", got %q", lines.Text())
		}
		push := describePush(ctx, r, fields[0], fields[1], fields[2])
		answer, err := sendPush(ctx, base+"/hooks/gitlab", strings.TrimSpace(string(secret)), push)
		if err != nil {
			fmt.Fprintf(out, "dagwright is not responding at %s; it will pick up this push when it starts again.\n", base)
			return nil //nolint:nilerr // the push itself went well
		}
		fmt.Fprintf(out, "dagwright: push to %s %s. See its result at %s/models\n", push.Branch, answer, base)
	}
	return lines.Err()
}

// describePush says about a ref what GitLab would. The hook runs in the bare
// repository.
func describePush(ctx context.Context, r Repository, before, after, ref string) gitlab.Push {
	p := gitlab.Push{ProjectID: r.ProjectID, Project: r.Project, Ref: ref, Before: before, After: after}
	p.Branch, _ = strings.CutPrefix(ref, "refs/heads/")
	if strings.Trim(after, "0") == "" {
		return p
	}
	about, err := gitrepo.Git(ctx, "", "log", "-1", "--format=%an%x00%s", after)
	if err != nil {
		return p // the event is complete enough without a title
	}
	p.UserName, p.Title, _ = strings.Cut(about, "\x00")
	return p
}

// sendPush posts the event and returns the answer's status.
func sendPush(ctx context.Context, url, secret string, p gitlab.Push) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // GitLab's own limit
	defer cancel()
	request, err := gitlab.NewPushRequest(ctx, url, secret, p)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
		Error  string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 8<<10)).Decode(&answer); err != nil {
		return response.Status, nil
	}
	words := slices.DeleteFunc([]string{answer.Status, answer.Reason, answer.Error},
		func(w string) bool { return w == "" })
	return strings.Join(words, ": "), nil
}
