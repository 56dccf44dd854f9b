package store_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dagwright/store"
	"dagwright/store/storetest"
)

func TestSQLiteLosesAnswers(t *testing.T) {
	t.Parallel()
	storetest.RunLostAnswers(t, func(t *testing.T) storetest.Forgetful {
		dsn := sqliteDSN(t)
		s := storetest.Open(t, store.Config{DSN: dsn, Now: storetest.Standing})
		var left atomic.Int64
		store.LoseAnswers(s, func() error {
			if left.Load() == 0 {
				return nil
			}
			left.Add(-1)
			return errors.New("the disk went away")
		})
		return storetest.Forgetful{Store: s, DSN: dsn, Lose: func(n int) { left.Store(int64(n)) }}
	}, 1, -1)
}

func TestPostgresLosesAnswers(t *testing.T) {
	t.Parallel()
	postgresDSN(t)
	storetest.RunLostAnswers(t, func(t *testing.T) storetest.Forgetful {
		dsn := postgresDSN(t)
		proxy := storetest.NewProxy(t, dsn)
		s := storetest.Open(t, store.Config{DSN: proxy.DSN(), Now: storetest.Standing})
		return storetest.Forgetful{Store: s, DSN: dsn, Lose: proxy.LoseCommits}
	}, -1)
}

// TestEveryWriteIsDoubted reads the sources: a method that writes has a row among those
// whose answers are lost.
func TestEveryWriteIsDoubted(t *testing.T) {
	t.Parallel()
	tried := storetest.DoubtfulWrites()
	for _, method := range writers(t) {
		if !slices.Contains(tried, method) {
			t.Errorf("Store.%s writes: add it to the writes of storetest/doubts.go, which lose the answer to its COMMIT", method)
		}
		tried = slices.DeleteFunc(tried, func(name string) bool { return name == method })
	}
	if len(tried) > 0 {
		t.Errorf("these do not write: %v", tried)
	}
}

// writers are the exported methods of Store that call a database's write, be it by way
// of others.
func writers(t *testing.T) (methods []string) {
	t.Helper()
	files, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // one folder without build tags
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string][]string{} // by function
	for name, file := range files["store"].Files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && (fn.Recv == nil || isStore(fn.Recv.List[0].Type)) {
				calls[fn.Name.Name] = called(fn)
			}
		}
	}
	for name := range calls {
		if ast.IsExported(name) && writes(calls, name, map[string]bool{}) {
			methods = append(methods, name)
		}
	}
	return methods
}

func isStore(receiver ast.Expr) bool {
	star, ok := receiver.(*ast.StarExpr)
	if !ok {
		return false
	}
	name, ok := star.X.(*ast.Ident)
	return ok && name.Name == "Store"
}

// called are the functions that one calls: of the package, and methods of its receiver;
// "db.write" for the database's.
func called(fn *ast.FuncDecl) (names []string) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			names = append(names, f.Name)
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); ok && x.Name == "s" {
				names = append(names, f.Sel.Name)
			}
			if x, ok := f.X.(*ast.SelectorExpr); ok && x.Sel.Name == "db" {
				names = append(names, "db."+f.Sel.Name)
			}
		}
		return true
	})
	return names
}

func writes(calls map[string][]string, name string, seen map[string]bool) bool {
	if name == "db.write" {
		return true
	}
	if seen[name] {
		return false
	}
	seen[name] = true
	return slices.ContainsFunc(calls[name], func(next string) bool { return writes(calls, next, seen) })
}

// TestDoubtfulChangeIsTold wants who listens to hear of what may have been written: on
// SQLite nothing else tells the scheduler of it.
func TestDoubtfulChangeIsTold(t *testing.T) {
	t.Parallel()
	s := storetest.OpenTest(t)
	saveDAGs(t, s, "d")
	changes := s.Subscribe()
	defer changes.Close()
	store.LoseAnswers(s, func() error { return errors.New("the disk went away") })
	if err := s.SetPaused(t.Context(), store.Actor{}, "d", true); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("error = %v, want ErrUnknown", err)
	}
	for c := range changes.C {
		if c.Kind == store.ChangeDAG && c.DAG == "d" {
			return
		}
	}
}

// TestActedIsForgotten lets a request count as a repeat for a little less than a day, as
// long as the row of its act is there for certain.
func TestActedIsForgotten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, dsn string) {
		prepareVictim(t, dsn)
		done := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
		now := done
		s := storetest.Open(t, store.Config{DSN: dsn, Now: func() time.Time { return now }})
		ctx, by := store.WithKey(t.Context(), "a key", "DELETE /dagRuns/r"), store.Actor{User: "alice"}
		r, err := s.TriggerRun(t.Context(), store.Trigger{DAG: "d", By: by})
		if err == nil {
			_, err = s.DeleteRun(ctx, by, r.DAG, r.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			later time.Duration
			want  bool
		}{
			{0, true},
			{24*time.Hour - time.Minute - time.Second, true},
			{24*time.Hour - time.Minute, false},
			{25 * time.Hour, false},
		} {
			now = done.Add(test.later)
			got, err := s.Acted(ctx, by)
			if err != nil || got != test.want {
				t.Errorf("%v later: acted is %v (%v), want %v", test.later, got, err, test.want)
			}
		}
	})
}
