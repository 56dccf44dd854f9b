package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dagwright/dag"
	"dagwright/gitrepo"
	"dagwright/store"
	"dagwright/timetable"
)

// maxSpecSize bounds a spec file; dag.Parse refuses larger ones too, this
// keeps them out of memory.
const maxSpecSize = 1 << 20

// syncer keeps the store's DAGs equal to the DAG repository's files.
type syncer struct {
	Config
	parser dag.Parser
	// compared says that this process has compared every file with the store: the
	// rules may differ from those of the process before.
	compared bool
	// claims is the version of the rules that the files' claims are checked against.
	claims string
	// open says that a file could not be decided on, and must be checked again.
	open atomic.Bool
	// fault is why the repository as a whole could not be read the last time, "?" when
	// that is not known yet.
	fault string
	// failures is how often in a row the repository could not be fetched, and unfetched
	// says that this is written down.
	failures  int
	unfetched bool
	// waiting has the DAGs whose id is not free yet: the end of an attempt may free it.
	waiting map[dag.ID]bool
}

func newSyncer(c Config) *syncer {
	return &syncer{Config: c,
		parser: dag.Parser{CheckSchedule: CheckSchedule, CheckTask: c.CheckTask, CheckDAG: c.CheckClaims}, fault: "?"}
}

// CheckSchedule says what is wrong with a schedule's cron expression or zone,
// nil when nothing is. An expression that matches no date ("0 0 30 2 *") is
// wrong too.
func CheckSchedule(s dag.Schedule) error {
	tt, err := timetable.Parse(s)
	if err != nil {
		return err
	}
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, ok, err := tt.Next(time.Time{}, timetable.Bounds{Start: start, Catchup: true}, start)
	if err == nil && !ok && s.Expr != "" {
		return fmt.Errorf("schedule %q calls for no run in its years from 2000 on: %w", s.Expr, dag.ErrInvalid)
	}
	return err
}

// run syncs at once, whenever the change feed says that the repository has
// news, and every Poll, until ctx ends. A sync that fails changes nothing: the
// DAGs stay as they were, and the next one makes up for it.
func (s *syncer) run(ctx context.Context) {
	news := s.Store.SubscribeTo(store.Kinds(store.ChangeSyncWanted))
	defer news.Close()
	tasks := s.Store.SubscribeTo(store.Kinds(store.ChangeTask))
	defer tasks.Close()
	poll := time.NewTicker(s.Poll)
	defer poll.Stop()
	for {
		began := s.Now()
		err := s.sync(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("sync DAG repository", "err", err)
		}
		s.Meter.Synced(began, err == nil && (s.fault == "" || s.fault == emptyRepository))
		if !s.wanted(ctx, news, tasks, poll) {
			return
		}
	}
}

// wanted waits for a reason to sync and returns false when ctx has ended.
func (s *syncer) wanted(ctx context.Context, news, tasks *store.Subscription, poll *time.Ticker) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
			return true
		case <-news.Lagged:
			return true
		case <-news.C:
			return true
		case <-tasks.Lagged:
			if len(s.waiting) > 0 {
				return true
			}
		case c := <-tasks.C:
			if s.waiting[c.DAG] {
				return true
			}
		}
	}
}

// sync takes the head of the DAG repository over into the store.
func (s *syncer) sync(ctx context.Context) error {
	began := s.Now()
	head, err := s.Repo.Fetch(ctx)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return s.tellFault(ctx, noRepository(s.Repo.Where()))
	}
	if err != nil {
		return s.tellUnfetched(ctx, err)
	}
	s.failures, s.unfetched = 0, false
	commit, blobs, err := s.Store.SyncedFiles(ctx)
	if err != nil {
		return err
	}
	if err := s.tellFault(ctx, repositoryFault(s.Repo.Absence(), commit != "")); err != nil {
		return err
	}
	if s.ClaimsVersion != nil && s.ClaimsVersion() != s.claims {
		s.compared, s.claims = false, s.ClaimsVersion()
	}
	// A repository without a commit is more likely a mistake than the wish to archive
	// every DAG.
	if head == "" || head == commit && s.compared {
		return nil
	}
	s.open.Store(false)
	change, err := s.compare(ctx, head, blobs)
	if err != nil {
		return err
	}
	if head == commit && len(change.Changed)+len(change.Removed) == 0 {
		s.compared = true
		return nil
	}
	result, err := s.Store.SaveDAGs(ctx, change)
	if err != nil {
		return fmt.Errorf("save DAGs of %s: %w", head, err)
	}
	s.waiting = map[dag.ID]bool{}
	for _, id := range result.Waiting {
		s.waiting[id] = true
	}
	s.compared = !s.open.Load() && len(s.waiting) == 0
	s.Logger.Info("DAG repository synced", "commit", head, "files", len(change.Changed), "added", result.Added,
		"updated", result.Updated, "archived", result.Archived, "broken", result.Broken,
		"took", s.Now().Sub(began).Round(time.Millisecond))
	return nil
}

// emptyRepository is reported in the log alone: an instance begins with it, no file is
// broken, and the table of DAGs says how there come to be some.
const emptyRepository = "the DAG repository is empty: it has no commit yet"

// emptiedRepository is a fault: there were DAGs.
const emptiedRepository = "the DAG repository has no commit any more, so its DAGs stay as they were: push the commits again, or check dag_repository.url"

// maxWhy bounds what is quoted of an error, in bytes.
const maxWhy = 300

// tellUnfetched writes down why the DAG repository cannot be fetched, when it is so for the
// second time in a row, and returns the error.
func (s *syncer) tellUnfetched(ctx context.Context, err error) error {
	if s.failures++; s.failures < 2 || s.unfetched || ctx.Err() != nil {
		return err
	}
	why := err.Error()
	why = strings.ToValidUTF8(why[:min(len(why), maxWhy)], "")
	fault := fmt.Sprintf(
		"the DAG repository cannot be fetched, so pushes to it change nothing: check dag_repository.url and its server: %s",
		why)
	if told := s.tellFault(ctx, fault); told != nil {
		return errors.Join(err, told)
	}
	s.unfetched = true
	return err
}

// repositoryFault says in words why the DAG repository has nothing to read. synced says
// that it had something before.
func repositoryFault(a *gitrepo.Absence, synced bool) string {
	var reason string
	switch {
	case a == nil:
	case len(a.Others) == 0 && synced:
		reason = emptiedRepository
	case len(a.Others) == 0:
		reason = emptyRepository
	default:
		reason = fmt.Sprintf(
			"the DAG repository has no branch %q, but %s: make that branch, or name another in dag_repository.branch", a.Branch,
			strings.Join(a.Others, ", "))
	}
	return reason
}

func noRepository(where string) string {
	return fmt.Sprintf(
		"there is no DAG repository at %s, or the instance may not read it: check dag_repository.url, username and password_file",
		where)
}

// tellFault writes a fault of the whole repository down, and logs it, when it is
// another than before.
func (s *syncer) tellFault(ctx context.Context, fault string) error {
	if fault == s.fault {
		return nil
	}
	broken := fault
	if fault == emptyRepository {
		broken = ""
	}
	if err := s.Store.SetRepositoryFault(ctx, broken); err != nil {
		return fmt.Errorf("write what is wrong with the DAG repository: %w", err)
	}
	switch s.fault = fault; fault {
	case "":
	case emptyRepository:
		s.Logger.Info("nothing to sync", "reason", fault)
	default:
		s.Logger.Warn("nothing to sync", "reason", fault)
	}
	return nil
}

// compare finds the files of a commit that differ from the known blobs and
// parses them.
func (s *syncer) compare(ctx context.Context, head string, known map[string]string) (store.Sync, error) {
	all, err := s.Repo.Files(head, "")
	if err != nil {
		return store.Sync{}, fmt.Errorf("list files of %s: %w", head, err)
	}
	specs, defaults := split(all)
	out := store.Sync{Commit: head}
	present := make(map[string]bool, len(specs))
	var changed []specSource
	for _, f := range specs {
		src := specSource{File: f, defaults: nearest(defaults, f.Path), rules: s.Rules + s.claims}
		present[f.Path] = true
		if known[f.Path] != src.identity() {
			changed = append(changed, src)
		}
	}
	for p := range known {
		if !present[p] {
			out.Removed = append(out.Removed, p)
		}
	}
	out.Changed, err = s.parseAll(ctx, changed)
	return out, err
}

func (s *syncer) parseAll(ctx context.Context, sources []specSource) ([]store.SpecFile, error) {
	files := make([]store.SpecFile, len(sources))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, src := range sources {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			files[i], err = s.parse(ctx, src)
			return err
		})
	}
	return files, g.Wait()
}

// specSource is a spec file with the defaults files that apply to it, the
// nearest first.
type specSource struct {
	gitrepo.File
	defaults []gitrepo.File
	rules    string
}

// identity changes whenever the file, one of its defaults or the rules do.
func (s specSource) identity() string {
	id := s.Blob
	for _, d := range s.defaults {
		id += "+" + d.Blob
	}
	if s.rules != "" {
		id += "+" + s.rules
	}
	return id
}

// parse reads one file. What is wrong with it becomes its errors; nothing that
// a file holds can fail the sync. The error says that the clone could not be
// read, which says nothing about the file.
func (s *syncer) parse(ctx context.Context, src specSource) (store.SpecFile, error) {
	out := store.SpecFile{Path: src.Path, Blob: src.identity()}
	if kind, reason := dag.KindOfFile(src.Path); kind == dag.MisnamedFile {
		out.Errors = dag.SpecErrors{{File: src.Path, Reason: reason}}
		return out, nil
	}
	content, err := s.read(src.File)
	if err != nil {
		return unread(out, src.Path, err)
	}
	out.Source = string(content)
	var defaults []dag.Defaults
	for _, f := range src.defaults {
		content, err := s.read(f)
		if err != nil {
			return unread(out, f.Path, err)
		}
		defaults = append(defaults, dag.Defaults{File: f.Path, Source: content})
	}
	out.DAGs, err = s.parser.Parse(src.Path, content, defaults...)
	if err != nil {
		out.DAGs, out.Errors = nil, specErrors(src.Path, err)
		return out, nil
	}
	return s.checkSpec(ctx, out, src.defaults)
}

// checkSpec checks a file that can be loaded against the instance's own rule. One
// that cannot be decided on now keeps no blob, so that it is checked again.
func (s *syncer) checkSpec(ctx context.Context, f store.SpecFile, defaults []gitrepo.File) (store.SpecFile, error) {
	if s.CheckSpec == nil {
		return f, nil
	}
	paths := make([]string, len(defaults))
	for i, d := range defaults {
		paths[i] = d.Path
	}
	err := s.CheckSpec(ctx, f.Path, []byte(f.Source), paths)
	if err == nil {
		return f, nil
	}
	if ctx.Err() != nil {
		return f, ctx.Err()
	}
	f.DAGs, f.Errors = nil, specErrors(f.Path, err)
	var fault *dag.SpecError
	if !errors.As(err, &fault) && !errors.Is(err, dag.ErrInvalid) {
		s.open.Store(true)
		f.Blob = ""
		f.Errors = dag.SpecErrors{{File: f.Path,
			Reason: "cannot be checked now, and is tried again by itself: " + err.Error()}}
	}
	return f, nil
}

// unread tells a file that must not be read, a fault of the file, from one that
// could not be.
func unread(f store.SpecFile, file string, err error) (store.SpecFile, error) {
	if !errors.Is(err, dag.ErrInvalid) {
		return f, fmt.Errorf("read %s: %w", file, err)
	}
	f.Errors = specErrors(file, err)
	return f, nil
}

func (s *syncer) read(f gitrepo.File) ([]byte, error) {
	if f.Mode&fs.ModeType != 0 {
		return nil, fmt.Errorf("is a symbolic link or a submodule; a spec must be a plain file: %w", dag.ErrInvalid)
	}
	if f.Size > maxSpecSize {
		return nil, fmt.Errorf("has %d bytes; a spec may have %d: %w", f.Size, maxSpecSize, dag.ErrInvalid)
	}
	return s.Repo.Read(f.Blob, maxSpecSize)
}

func specErrors(file string, err error) dag.SpecErrors {
	var many dag.SpecErrors
	if errors.As(err, &many) {
		return many
	}
	var one *dag.SpecError
	if errors.As(err, &one) {
		return dag.SpecErrors{one}
	}
	return dag.SpecErrors{{File: file, Reason: err.Error()}}
}

// split tells files that are specs, or meant as such, from those of defaults.
func split(all []gitrepo.File) (specs []gitrepo.File, defaults map[string]gitrepo.File) {
	defaults = map[string]gitrepo.File{}
	for _, f := range all {
		switch kind, _ := dag.KindOfFile(f.Path); kind {
		case dag.OtherFile:
		case dag.DefaultsFile:
			dir := path.Dir(f.Path)
			if other, ok := defaults[dir]; !ok || path.Base(other.Path) != dag.DefaultsNames()[0] {
				defaults[dir] = f
			}
		case dag.SpecFile, dag.MisnamedFile:
			specs = append(specs, f)
		}
	}
	return specs, defaults
}

// nearest returns the defaults files in a spec's folder and its parents.
func nearest(defaults map[string]gitrepo.File, spec string) []gitrepo.File {
	if len(defaults) == 0 {
		return nil
	}
	var found []gitrepo.File
	for dir := path.Dir(spec); ; dir = path.Dir(dir) {
		if f, ok := defaults[dir]; ok {
			found = append(found, f)
		}
		if dir == "." || dir == "/" {
			return found
		}
	}
}
