package gitlabtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// project is one repository. Its lock is held during a push, so that what the
// push moved is known.
type project struct {
	mu  sync.Mutex
	id  int64
	dir string

	// What follows is guarded by the server's lock.
	path               string
	archived, deleting bool
	statuses           map[string][]Status // by commit
	pipelines          []*pipeline
	requests           []*MergeRequest
	hooks              []Hook
}

// refs lists the project's branches and tags with what they point to.
func (p *project) refs(ctx context.Context) (map[string]string, error) {
	out, err := git(ctx, p.dir, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		name, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		refs[name] = hash
	}
	return refs, nil
}

// commit makes a commit in a throw-away index, without a working tree.
func (p *project) commit(ctx context.Context, branch, message string, files map[string]string) (string, error) {
	index, err := os.CreateTemp("", "index-")
	if err != nil {
		return "", err
	}
	if err := errors.Join(index.Close(), os.Remove(index.Name())); err != nil {
		return "", err
	}
	defer os.Remove(index.Name())
	env := "GIT_INDEX_FILE=" + index.Name()
	ref := "refs/heads/" + branch
	parent, _ := git(ctx, p.dir, "rev-parse", "--verify", "--quiet", ref)
	commitArgs := []string{"commit-tree", "-m", message}
	if parent != "" {
		commitArgs = append(commitArgs, "-p", parent)
		if _, err := gitIn(ctx, p.dir, "", env, "read-tree", parent); err != nil {
			return "", err
		}
	}
	for _, name := range sortedKeys(files) {
		if files[name] == "" {
			// Mode 0 removes; --force-remove would want a working tree.
			if _, err := gitIn(ctx, p.dir, "0 "+strings.Repeat("0", 40)+"\t"+name+"\n", env, "update-index",
				"--index-info"); err != nil {
				return "", err
			}
			continue
		}
		blob, err := gitIn(ctx, p.dir, files[name], env, "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		if _, err := gitIn(ctx, p.dir, "", env, "update-index", "--add", "--cacheinfo", "100644,"+blob+","+name); err != nil {
			return "", err
		}
	}
	tree, err := gitIn(ctx, p.dir, "", env, "write-tree")
	if err != nil {
		return "", err
	}
	commit, err := git(ctx, p.dir, append(commitArgs, tree)...)
	if err != nil {
		return "", err
	}
	_, err = git(ctx, p.dir, "update-ref", ref, commit)
	return commit, err
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return gitIn(ctx, dir, "", "", args...)
}

// gitIn runs git with an input and a variable more.
func gitIn(ctx context.Context, dir, input, env string, args ...string) (string, error) {
	out, err := run(ctx, dir, input, env, args)
	return strings.TrimSpace(out), err
}

// gitRaw runs git and returns what it printed as it is.
func gitRaw(ctx context.Context, dir string, args ...string) (string, error) {
	return run(ctx, dir, "", "", args)
}

func run(ctx context.Context, dir, input, env string, args []string) (string, error) {
	// A test's context ends before its last requests do.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), gitEnv()...)
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// gitEnv keeps the machine's and the user's configuration out.
func gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Ann Author", "GIT_COMMITTER_EMAIL=ann@example.com",
	}
}
