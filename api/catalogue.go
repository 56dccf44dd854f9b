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

type tagList struct {
	Tags  []string `json:"tags"`
	Total int      `json:"total_entries"`
}

type statsList struct {
	DAGs  []statsAnswer `json:"dags"`
	Total int           `json:"total_entries"`
}

type importErrorList struct {
	Errors []importErrorAnswer `json:"import_errors"`
	Total  int                 `json:"total_entries"`
}

type healthAnswer struct {
	Database struct {
		Status string `json:"status"`
	} `json:"metadatabase"`
	Scheduler struct {
		Status *string   `json:"status"`
		At     timestamp `json:"latest_scheduler_heartbeat"`
	} `json:"scheduler"`
	Triggerer struct {
		Status *string   `json:"status"`
		At     timestamp `json:"latest_triggerer_heartbeat"`
	} `json:"triggerer"`
	Processor struct {
		Status *string   `json:"status"`
		At     timestamp `json:"latest_dag_processor_heartbeat"`
	} `json:"dag_processor"`
}

type programAnswer struct {
	Version    string  `json:"version"`
	GitVersion *string `json:"git_version"`
}

func (s *server) catalogueRoutes() []route {
	return []route{
		{http.MethodGet, "/dagTags", dag.RightRead, s.listTags, operation{
			id: "get_dag_tags", tag: "DAG", summary: "List the tags of all DAGs.", answer: tagList{},
			query: join(pageParams("name"), []param{text("tag_name_pattern", "A part of the tag, any case.")}),
		}},
		{http.MethodGet, "/dagStats", dag.RightRead, s.listStats, operation{
			id: "get_dag_stats", tag: "DagStats", summary: "Count the runs of DAGs by state.", answer: statsList{},
			query: []param{many(text("dag_ids", "Only these DAGs."))},
		}},
		{http.MethodGet, "/importErrors", dag.RightRead, s.listImportErrors, operation{
			id: "get_import_errors", tag: "Import Error", summary: "List the files that cannot be read.",
			answer: importErrorList{},
			query: join(pageParams(orderNames(importErrorOrders)...),
				[]param{text("filename_pattern", "A part of the path, any case."), text("filename", "The whole path.")}),
		}},
		{http.MethodGet, "/importErrors/:import_error_id", dag.RightRead, s.getImportError, operation{
			id: "get_import_error", tag: "Import Error", summary: "Read the faults of a file.", answer: importErrorAnswer{},
		}},
		{http.MethodGet, "/monitor/health", dag.RightRead, s.health,
			operation{id: "get_health", tag: "Monitor", summary: "Ask after the instance's health.", answer: healthAnswer{}}},
		{http.MethodGet, "/version", dag.RightRead, s.version,
			operation{id: "get_version", tag: "Version", summary: "Ask for dagwright's version.", answer: programAnswer{}}},
	}
}

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
	return c.JSON(http.StatusOK, tagList{shown, len(tags)})
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
	return c.JSON(http.StatusOK, statsList{answers, len(answers)})
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
	return c.JSON(http.StatusOK, importErrorList{page(all, limit, offset), len(all)})
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
	if err := readQuery(c).err(); err != nil {
		return err
	}
	var answer healthAnswer
	answer.Database.Status = "healthy"
	if _, err := s.Store.Tags(c.Request().Context()); err != nil {
		s.Logger.ErrorContext(c.Request().Context(), "health check of the database", "err", err)
		answer.Database.Status = "unhealthy"
	}
	return c.JSON(http.StatusOK, answer)
}

func (s *server) version(c echo.Context) error {
	if err := readQuery(c).err(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, programAnswer{Version: s.Version})
}
