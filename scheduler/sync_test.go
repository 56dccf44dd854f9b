package scheduler

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"dagwright/dag"
	"dagwright/gitrepo"
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
	if f, err := s.parse(t.Context(), specSource{File: link, defaults: []gitrepo.File{missing}}); err != nil || len(f.Errors) != 1 {
		t.Errorf("a link with defaults: %+v, %v; want one fault of the file", f.Errors, err)
	}
}

func TestCheckSchedule(t *testing.T) {
	t.Parallel()
	for expr, good := range map[string]bool{"0 6 * * *": true, "0 0 29 2 *": true, "61 * * * *": false, "0 0 30 2 *": false} {
		err := CheckSchedule(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: expr, Timezone: "UTC"})
		if (err == nil) != good {
			t.Errorf("CheckSchedule(%q) = %v, want good %t", expr, err, good)
		}
	}
}
