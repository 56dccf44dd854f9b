package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/gitlab"
)

// postReceiveFlags are the flags of the hook's command.
type postReceiveFlags struct {
	dir, project string
	projectID    int64
}

// newPostReceiveCommand is what the hooks of "dagwright dev" call. It is not
// for people, so help does not show it.
func newPostReceiveCommand() *cobra.Command {
	var f postReceiveFlags
	cmd := &cobra.Command{
		Use:    "post-receive",
		Short:  "Send push events for the refs on standard input, as GitLab does",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return postReceive(cmd.Context(), f, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", "folder of dagwright dev")
	cmd.Flags().StringVar(&f.project, "project", "", "GitLab path of the project")
	cmd.Flags().Int64Var(&f.projectID, "project-id", 0, "GitLab id of the project")
	return cmd
}

// postReceive reads "old new ref" lines, as git gives them to the hook, and
// sends an event for each. What goes wrong is told to the one who pushed: the
// push itself is done.
func postReceive(ctx context.Context, f postReceiveFlags, in io.Reader, out io.Writer) error {
	addr, err := os.ReadFile(filepath.Join(f.dir, "listen"))
	if err != nil {
		return fmt.Errorf("where is dagwright? %w", err)
	}
	secret, err := os.ReadFile(filepath.Join(f.dir, "webhook-secret"))
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
		push := describePush(ctx, f, fields[0], fields[1], fields[2])
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
func describePush(ctx context.Context, f postReceiveFlags, before, after, ref string) gitlab.Push {
	p := gitlab.Push{ProjectID: f.projectID, Project: f.project, Ref: ref, Before: before, After: after}
	p.Branch, _ = strings.CutPrefix(ref, "refs/heads/")
	if strings.Trim(after, "0") == "" {
		return p
	}
	about, err := git(ctx, "", "log", "-1", "--format=%an%x00%s", after)
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
	return strings.TrimSpace(strings.Join([]string{answer.Status, answer.Reason, answer.Error}, " ")), nil
}
