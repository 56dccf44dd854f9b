package scheduler

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/store/storetest"
)

// TestUnreadableFile tells a file that must not be read from a clone that could
// not be read: the one is the file's fault and is shown, the other fails the
// sync, so that it is tried again.
func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	repo, err := gitrepo.Open(gitrepo.Config{URL: t.TempDir(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := newSyncer(Config{Repo: repo})
	missing := gitrepo.File{Path: "a.yaml", Blob: strings.Repeat("1", 40)}
	link := gitrepo.File{Path: "b.yaml", Blob: missing.Blob, Mode: fs.ModeSymlink}
	if f, err := s.parse(t.Context(), specSource{File: missing}); !errors.Is(err, dag.ErrNotFound) {
		t.Errorf("a blob that the clone lacks: %+v, %v; want dag.ErrNotFound", f.Errors, err)
	}
	if f, err := s.parse(t.Context(), specSource{File: link}); err != nil || len(f.Errors) != 1 {
		t.Errorf("a link: %+v, %v; want one fault of the file", f.Errors, err)
	}
	if f, err := s.parse(t.Context(), specSource{File: link, defaults: []gitrepo.File{missing}}); err != nil ||
		len(f.Errors) != 1 {
		t.Errorf("a link with defaults: %+v, %v; want one fault of the file", f.Errors, err)
	}
}

func TestCheckSchedule(t *testing.T) {
	t.Parallel()
	for expr, good := range map[string]bool{"0 6 * * *": true, "0 0 29 2 *": true, "61 * * * *": false,
		"0 0 30 2 *": false, "0 0 1 1 * 0 2027": true, "0 0 30 2 * 0 2027": false} {
		err := CheckSchedule(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: expr, Timezone: "UTC"})
		if (err == nil) != good {
			t.Errorf("CheckSchedule(%q) = %v, want good %t", expr, err, good)
		}
	}
}

// TestRepositoryWithoutBranch says where nothing can be read, and takes it back.
func TestRepositoryWithoutBranch(t *testing.T) {
	t.Parallel()
	remote := filepath.Join(t.TempDir(), "dags.git")
	other, err := gitrepo.Open(gitrepo.Config{URL: remote, Dir: remote, Branch: "master"})
	if err != nil {
		t.Fatal(err)
	}
	repo, err := gitrepo.Open(gitrepo.Config{URL: remote, Dir: filepath.Join(t.TempDir(), "clone.git")})
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.OpenTest(t)
	s := newSyncer(Config{Repo: repo, Store: db, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	want := func(words string) {
		t.Helper()
		if err := s.sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		found, _, err := db.ImportErrors(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case words == "" && len(found) == 0:
		case words != "" && len(found) == 1 && found[0].Path == store.RepositoryPath &&
			strings.Contains(found[0].Errors[0].Reason, words):
		default:
			t.Errorf("import errors %+v, want one with %q", found, words)
		}
	}
	push := func(r *gitrepo.Repo) {
		t.Helper()
		_, _, err := r.Push(t.Context(),
			gitrepo.Commit{Message: "m", AuthorName: "a", AuthorEmail: "a@example.com", When: time.Now(),
				Changes: func(string) ([]gitrepo.Change, error) {
					return []gitrepo.Change{{Path: "README.md", Content: []byte("DAGs")}}, nil
				}})
		if err != nil {
			t.Fatal(err)
		}
	}
	want("") // an instance begins with an empty one: the log says so
	if err := os.Rename(remote, remote+".away"); err != nil {
		t.Fatal(err)
	}
	want("no DAG repository at file://" + remote + ", or the instance may not read it: check dag_repository.url")
	if err := os.Rename(remote+".away", remote); err != nil {
		t.Fatal(err)
	}
	push(other)
	want(`no branch "main", but master`)
	push(repo)
	want("")
	for _, branch := range []string{"main", "master"} {
		if err := os.Remove(filepath.Join(remote, "refs", "heads", branch)); err != nil {
			t.Fatal(err)
		}
	}
	want("no commit any more, so its DAGs stay as they were")
	push(repo)
	want("")
}

// TestRepositoryThatCannotBeFetched is reported at the second failure in a row, and for as
// long as the repository cannot be fetched.
func TestRepositoryThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer server.Close()
	repo, err := gitrepo.Open(gitrepo.Config{URL: server.URL + "/airflow-dev.git",
		Dir: filepath.Join(t.TempDir(), "clone.git")})
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.OpenTest(t)
	s := newSyncer(Config{Repo: repo, Store: db, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	for i := range 4 {
		if err := s.sync(t.Context()); err == nil {
			t.Fatal("a repository behind a bad gateway can be fetched")
		}
		found, _, err := db.ImportErrors(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		told := len(found) == 1 && found[0].Path == store.RepositoryPath &&
			strings.Contains(found[0].Errors[0].Reason, "cannot be fetched")
		if told != (i > 0) {
			t.Errorf("after %d failures the import errors are %+v", i+1, found)
		}
	}
}
