package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"dagwright/cijob"
	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/review"
	"dagwright/store"
	"dagwright/usage"
)

// The variables that hold what a CI job must not show in its command line.
const (
	idTokenVariable   = "DAGWRIGHT_ID_TOKEN"
	pushTokenVariable = "DAGWRIGHT_PUSH_TOKEN"
)

// askServer has a running dagwright render and deliver the job's commit, and
// prints what happened to it.
func (f *generateFlags) askServer(ctx context.Context, out io.Writer) error {
	base, err := url.Parse(strings.TrimSuffix(f.server, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return usage.New(fmt.Errorf("--server %q: want a URL such as https://dagwright.example.com", f.server))
	}
	token := os.Getenv(idTokenVariable)
	if token == "" {
		return usage.New(fmt.Errorf("%s is empty: the job needs \"id_tokens: {%s: {aud: %s}}\"", idTokenVariable,
			idTokenVariable, base))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath("ci", "generate").String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := askForDAG(r)
	if err != nil {
		return err
	}
	changes := make([]delivered, len(answer.DAGs))
	for i, d := range answer.DAGs {
		changes[i] = delivered{review.Load(d.Path, d.Previous, d.Source), d.URL}
	}
	if err := f.tell(out, changes); err != nil {
		return err
	}
	return conclude(out, answer)
}

// askForDAG sends the request and reads the answer or the server's refusal.
func askForDAG(r *http.Request) (cijob.Answer, error) {
	var answer cijob.Answer
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer, fmt.Errorf("cannot reach dagwright: %w", err)
	}
	defer response.Body.Close()
	const longest = 64 << 20
	text, err := io.ReadAll(io.LimitReader(response.Body, longest))
	if err != nil {
		return answer, fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var problem struct {
			Detail string `json:"detail"`
		}
		if json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
			return answer, fmt.Errorf("%s answered %s, which is not an answer of dagwright: is --server right?", r.URL,
				response.Status)
		}
		return answer, errors.New(problem.Detail)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("read answer: %w", err)
	}
	return answer, nil
}

// conclude says what happened to the push. A refusal, or no result in time, fails the
// job; a newer commit does not: its own job delivers it.
func conclude(out io.Writer, a cijob.Answer) error {
	switch store.PushState(a.State) {
	case store.PushRefused:
		return fmt.Errorf("rejected: %s", a.Reason)
	case store.PushPending:
		return fmt.Errorf("not finished in time; it goes on without this job: %s", a.Reason)
	case store.PushProposed:
		fmt.Fprintf(out, "proposed: %s\n", a.MergeRequest)
	case store.PushSuperseded:
		fmt.Fprintf(out, "superseded: %s\n", a.Reason)
	default:
		fmt.Fprintf(out, "%s\n", a.State)
	}
	return nil
}

// delivered is a change with the DAG's page, if it has one.
type delivered struct {
	review.Change
	url string
}

// tell prints the changes and writes the report.
func (f *generateFlags) tell(out io.Writer, changes []delivered) error {
	now := time.Now()
	var report strings.Builder
	for _, c := range changes {
		fmt.Fprintf(out, "%s\n", c.Path)
		if c.BeforeSource == c.AfterSource {
			fmt.Fprintln(out, "- Nothing changes.")
		} else {
			fmt.Fprintln(out, c.Plain(now))
		}
		if c.url != "" {
			fmt.Fprintf(out, "See %s\n", c.url)
		}
		fmt.Fprintln(out)
		report.WriteString(c.Markdown(now) + "\n")
	}
	if f.report == "" {
		return nil
	}
	if err := os.WriteFile(f.report, []byte(report.String()), 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// pushRendered commits the specs to the DAG repository, from a clone that is thrown
// away.
func (f *generateFlags) pushRendered(ctx context.Context, request generator.Request, all []generator.Rendered,
	out io.Writer) error {
	dir, err := os.MkdirTemp("", "dagwright-push-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := gitrepo.Config{URL: f.push, Dir: dir}
	if token := os.Getenv(pushTokenVariable); token != "" {
		config.Username, config.Password = "dagwright", token
	}
	repo, err := gitrepo.Open(config)
	if err != nil {
		return usage.New(fmt.Errorf("--push: %w", err))
	}
	var changes []delivered
	head, changed, err := repo.Push(ctx, gitrepo.Commit{
		Message: fmt.Sprintf("%s: render %.8s of %s\n\nModel: %s@%s (%s)\n", all[0].DAG, request.Commit, request.Branch,
			request.Project, request.Commit, request.Branch),
		AuthorName: "dagwright", AuthorEmail: generator.AuthorEmail, When: time.Now(),
		Changes: func(head string) ([]gitrepo.Change, error) {
			changes = nil
			return f.differences(repo, head, all, &changes)
		},
	})
	if err != nil {
		return fmt.Errorf("push to the DAG repository: %w", err)
	}
	if err := f.tell(out, changes); err != nil {
		return err
	}
	if !changed {
		fmt.Fprintln(out, "unchanged")
		return nil
	}
	fmt.Fprintf(out, "pushed as %s\n", head)
	return nil
}

// differences lists the files that the head lacks, and notes all of them. A file that
// somebody else than dagwright wrote last is an error, unless forced.
func (f *generateFlags) differences(repo *gitrepo.Repo, head string, all []generator.Rendered,
	noted *[]delivered) ([]gitrepo.Change, error) {
	const largest = 1 << 20
	var out []gitrepo.Change
	for _, r := range all {
		var before []byte
		if head != "" {
			content, err := repo.ReadFile(head, r.Path, largest)
			if err != nil && !errors.Is(err, dag.ErrNotFound) {
				return nil, err
			}
			before = content
		}
		*noted = append(*noted, delivered{Change: review.Load(r.Path, string(before), string(r.Content))})
		if string(before) == string(r.Content) {
			continue
		}
		if before != nil && !f.force {
			if err := checkAuthor(repo, head, r.Path); err != nil {
				return nil, err
			}
		}
		out = append(out, gitrepo.Change{Path: r.Path, Content: r.Content})
	}
	return out, nil
}

// checkAuthor refuses to write over what was edited by hand.
func checkAuthor(repo *gitrepo.Repo, head, path string) error {
	author, err := repo.Author(head, path)
	if err != nil {
		return err
	}
	if author != generator.AuthorEmail {
		return fmt.Errorf(
			"%s was edited by hand in the DAG repository (by %s), and was left as it is: move the edit into the model's %s, or overwrite it with --force: %w",
			path, author, generator.ModelFile, dag.ErrConflict)
	}
	return nil
}
