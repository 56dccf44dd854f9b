package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

func (s *server) listTags(c echo.Context) error {
	q := readQuery(c)
	limit, offset := q.page()
	compare := readSort(q, "name", map[string]func(a, b string) int{"name": strings.Compare})
	term, filtered := q.text("tag_name_pattern")
	if err := q.err(); err != nil {
		return err
	}
	tags, err := s.Store.Tags(c.Request().Context())
	if err != nil {
		return err
	}
	if filtered {
		p := newPattern(term)
		tags = slices.DeleteFunc(tags, func(tag string) bool { return !p.matches(tag) })
	}
	slices.SortFunc(tags, compare)
	shown := append([]string{}, page(tags, limit, offset)...)
	return c.JSON(http.StatusOK, map[string]any{"tags": shown, "total_entries": len(tags)})
}

type statsAnswer struct {
	DAG         dag.ID       `json:"dag_id"`
	DisplayName string       `json:"dag_display_name"`
	Stats       []stateCount `json:"stats"`
}

type stateCount struct {
	State dag.RunState `json:"state"`
	Count int          `json:"count"`
}

// listStats counts runs by state for the DAGs that have any.
func (s *server) listStats(c echo.Context) error {
	q := readQuery(c)
	var f dagQuery
	f.Archived = true
	for _, id := range q.list("dag_ids") {
		f.IDs = append(f.IDs, dag.ID(id))
	}
	if err := q.err(); err != nil {
		return err
	}
	answers := []statsAnswer{}
	err := s.eachDAG(c.Request().Context(), f, func(r store.DAGRow) {
		a := statsAnswer{DAG: r.ID, DisplayName: displayName(r.DAG)}
		sum := 0
		for _, state := range dag.RunStates {
			a.Stats = append(a.Stats, stateCount{state, r.RunCounts[state]})
			sum += r.RunCounts[state]
		}
		if sum > 0 {
			answers = append(answers, a)
		}
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"dags": answers, "total_entries": len(answers)})
}

// importErrorAnswer is Airflow's ImportErrorResponse; the faults of the file,
// one a line, stand where Airflow has a stack trace.
type importErrorAnswer struct {
	ID       int64     `json:"import_error_id"`
	At       timestamp `json:"timestamp"`
	Filename string    `json:"filename"`
	Bundle   string    `json:"bundle_name"`
	Trace    string    `json:"stack_trace"`
}

// importErrors reads all of them: broken files are few.
func (s *server) importErrors(ctx context.Context) ([]importErrorAnswer, error) {
	const most = 500
	all := []importErrorAnswer{}
	for {
		found, total, err := s.Store.ImportErrors(ctx, most, len(all))
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			all = append(all, importErrorAnswer{e.ID, timestamp(e.At), e.Path, bundle, e.Errors.Error()})
		}
		if len(found) == 0 || len(all) >= total {
			return all, nil
		}
	}
}

var importErrorOrders = map[string]func(a, b importErrorAnswer) int{
	"id":              func(a, b importErrorAnswer) int { return cmp.Compare(a.ID, b.ID) },
	"import_error_id": func(a, b importErrorAnswer) int { return cmp.Compare(a.ID, b.ID) },
	"timestamp":       func(a, b importErrorAnswer) int { return time.Time(a.At).Compare(time.Time(b.At)) },
	"filename":        func(a, b importErrorAnswer) int { return cmp.Compare(a.Filename, b.Filename) },
}

func (s *server) listImportErrors(c echo.Context) error {
	q := readQuery(c)
	limit, offset := q.page()
	compare := readSort(q, "id", importErrorOrders)
	term, byPattern := q.text("filename_pattern")
	file, byFile := q.text("filename")
	if err := q.err(); err != nil {
		return err
	}
	all, err := s.importErrors(c.Request().Context())
	if err != nil {
		return err
	}
	p := newPattern(term)
	all = slices.DeleteFunc(all, func(e importErrorAnswer) bool {
		return byPattern && !p.matches(e.Filename) || byFile && e.Filename != file
	})
	slices.SortFunc(all, compare)
	return c.JSON(http.StatusOK, map[string]any{"import_errors": page(all, limit, offset), "total_entries": len(all)})
}

func (s *server) getImportError(c echo.Context) error {
	id, err := number(c, "import_error_id")
	if err != nil {
		return err
	}
	if err := readQuery(c).err(); err != nil {
		return err
	}
	all, err := s.importErrors(c.Request().Context())
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.ID == int64(id) {
			return c.JSON(http.StatusOK, e)
		}
	}
	return refuse(http.StatusNotFound, "The ImportError with import_error_id: `%d` was not found", id)
}

// health says what this process knows. Whether a scheduler lives is not
// recorded in the database yet, so its fields are null: unknown.
func (s *server) health(c echo.Context) error {
	database := "healthy"
	if _, err := s.Store.Tags(c.Request().Context()); err != nil {
		s.Logger.ErrorContext(c.Request().Context(), "health check of the database", "err", err)
		database = "unhealthy"
	}
	return c.JSON(http.StatusOK, map[string]any{
		"metadatabase":  map[string]any{"status": database},
		"scheduler":     map[string]any{"status": nil, "latest_scheduler_heartbeat": nil},
		"triggerer":     map[string]any{"status": nil, "latest_triggerer_heartbeat": nil},
		"dag_processor": map[string]any{"status": nil, "latest_dag_processor_heartbeat": nil},
	})
}

func (s *server) version(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"version": s.Version, "git_version": nil})
}
