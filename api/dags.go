package api

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

type dagList struct {
	DAGs  []dagAnswer `json:"dags"`
	Total int         `json:"total_entries"`
}

func (s *server) dagRoutes() []route {
	filters := []param{
		many(text("tags", "Tags of which the DAG must have one, or all.")),
		choice("tags_match_mode", "Any of the tags, or all.", "any", "all"),
		many(text("owners", "Owners of which the DAG must have one.")),
		truth("paused", false, "Only paused DAGs, or only active ones."),
		truth("exclude_stale", true, "Leave DAGs out whose file is gone."),
		text("dag_id_pattern", "A part of the id, any case; % and _ as in SQL, | between alternatives."),
		text("dag_id_prefix_pattern", "How the id begins; | between alternatives."),
		text("dag_display_name_pattern", "A part of the display name."),
		truth("has_import_errors", false, "Only DAGs whose file is broken now, or only whole ones."),
	}
	pause := []param{required(truth("is_paused", false, "Whether the DAG is to be paused."))}
	mask := []param{many(choice("update_mask", "The fields to change.", "is_paused"))}
	states := []param{choice("last_dag_run_state", "The state of the newest run.", runStates()...),
		many(choice("dag_run_state", "States of which one run must have one.", runStates()...))}
	return []route{
		{http.MethodGet, "/dags", dag.RightRead, s.listDAGs, operation{
			id: "get_dags", tag: "DAG", summary: "List DAGs.", answer: dagList{},
			query: join(pageParams(orderNames(dagOrders)...), filters, states),
		}},
		{http.MethodPatch, "/dags", dag.RightRead, s.patchDAGs, operation{
			id: "patch_dags", tag: "DAG", summary: "Pause or un-pause the DAGs that match dag_id_pattern.", answer: dagList{},
			query: join(pageParams(), filters, mask), body: pause,
		}},
		{http.MethodGet, "/dags/:dag_id", dag.RightRead, s.getDAG,
			operation{id: "get_dag", tag: "DAG", summary: "Read a DAG.", answer: dagAnswer{}}},
		{http.MethodPatch, "/dags/:dag_id", dag.RightPause, s.patchDAG, operation{
			id: "patch_dag", tag: "DAG", summary: "Pause or un-pause a DAG.", answer: dagAnswer{}, query: mask, body: pause,
		}},
		{http.MethodDelete, "/dags/:dag_id", dag.RightDelete, s.deleteDAG, operation{
			id: "delete_dag", tag: "DAG",
			summary: "Have the DAG's file removed from the DAG repository; a DAG whose file is gone is deleted with its history.",
			status:  http.StatusNoContent,
		}},
		{http.MethodPost, "/dags/:dag_id/restore", dag.RightRestore, s.restoreDAG, operation{
			id: "restore_dag", tag: "dagwright", status: http.StatusNoContent,
			summary: "Have the file of a DAG that is gone brought back into the DAG repository; a model's DAG is rendered again from the head of its branch.",
		}},
		{http.MethodGet, "/dags/:dag_id/details", dag.RightRead, s.getDetails, operation{
			id: "get_dag_details", tag: "DAG", summary: "Read a DAG with its params and settings.", answer: detailsAnswer{},
		}},
	}
}

// orderNames are the names of a table of orders, sorted.
func orderNames[T any](orders map[string]T) []string { return slices.Sorted(maps.Keys(orders)) }

// dagOrders translates Airflow's names for order_by into the store's.
var dagOrders = map[string]string{
	"dag_id": "dag_id", "dag_display_name": "dag_display_name",
	"next_dagrun": "next_dagrun_run_after", "next_dagrun_run_after": "next_dagrun_run_after",
	"state": "last_run_state", "last_run_state": "last_run_state",
	"start_date": "last_run_start_date", "last_run_start_date": "last_run_start_date",
}

// dagQuery is a DAGFilter with the conditions that the store does not know;
// keep is nil when there are none.
type dagQuery struct {
	store.DAGFilter
	keep          func(store.DAGRow) bool
	limit, offset int
}

// readDAGQuery reads the filters that listing and patching DAGs share.
func readDAGQuery(q *query) dagQuery {
	var f dagQuery
	f.limit, f.offset = q.page()
	f.Tags, f.AllTags = q.list("tags"), q.choice("tags_match_mode", "any", "all") == "all"
	f.Owners = q.list("owners")
	f.Paused = q.boolean("paused")
	if exclude := q.boolean("exclude_stale"); exclude != nil {
		f.Archived = !*exclude
	}
	var conditions []func(store.DAGRow) bool
	if id, ok := q.text("dag_id_pattern"); ok {
		if p := newPattern(id); p.single() {
			f.IDPattern = p.like()
		} else {
			conditions = append(conditions, func(r store.DAGRow) bool { return p.matches(string(r.ID)) })
		}
	}
	if prefix, ok := q.text("dag_id_prefix_pattern"); ok {
		conditions = append(conditions, func(r store.DAGRow) bool { return hasPrefix(string(r.ID), prefix) })
	}
	if name, ok := q.text("dag_display_name_pattern"); ok {
		p := newPattern(name)
		conditions = append(conditions, func(r store.DAGRow) bool { return p.matches(displayName(r.DAG)) })
	}
	if broken := q.boolean("has_import_errors"); broken != nil {
		conditions = append(conditions, func(r store.DAGRow) bool { return (r.ImportError || r.Unplanned) == *broken })
	}
	if len(conditions) > 0 {
		f.keep = func(r store.DAGRow) bool {
			return !slices.ContainsFunc(conditions, func(ok func(store.DAGRow) bool) bool { return !ok(r) })
		}
	}
	return f
}

// findDAGs returns a page of the DAGs that match and how many there are.
func (s *server) findDAGs(ctx context.Context, f dagQuery) ([]store.DAGRow, int, error) {
	if f.keep == nil && f.limit > 0 {
		f.Limit, f.Offset = f.limit, f.offset
		return s.Store.DAGs(ctx, f.DAGFilter)
	}
	var rows []store.DAGRow
	total := 0
	err := s.eachDAG(ctx, f, func(r store.DAGRow) {
		if total >= f.offset && len(rows) < f.limit {
			rows = append(rows, r)
		}
		total++
	})
	return rows, total, err
}

// eachDAG calls fn with every DAG that matches.
func (s *server) eachDAG(ctx context.Context, f dagQuery, fn func(store.DAGRow)) error {
	f.Limit = 500
	for f.Offset = 0; ; f.Offset += f.Limit {
		rows, total, err := s.Store.DAGs(ctx, f.DAGFilter)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if f.keep == nil || f.keep(r) {
				fn(r)
			}
		}
		if len(rows) == 0 || f.Offset+len(rows) >= total {
			return nil
		}
	}
}

func (s *server) listDAGs(c echo.Context) error {
	q := readQuery(c)
	f := readDAGQuery(q)
	f.OrderBy = q.order("dag_id", dagOrders)
	f.LastRunState = dag.RunState(q.choice("last_dag_run_state", runStates()...))
	for _, state := range q.choices("dag_run_state", runStates()) {
		f.RunStates = append(f.RunStates, dag.RunState(state))
	}
	if err := q.err(); err != nil {
		return err
	}
	return s.answerDAGs(c, f)
}

func (s *server) answerDAGs(c echo.Context, f dagQuery) error {
	rows, total, err := s.findDAGs(c.Request().Context(), f)
	if err != nil {
		return err
	}
	answer := dagList{DAGs: make([]dagAnswer, len(rows)), Total: total}
	for i, r := range rows {
		answer.DAGs[i] = newDAGAnswer(r)
	}
	return c.JSON(http.StatusOK, answer)
}

// loadDAG reads the DAG of the path.
func (s *server) loadDAG(c echo.Context) (store.DAGRow, error) {
	if err := readQuery(c).err(); err != nil {
		return store.DAGRow{}, err
	}
	return s.findDAG(c.Request().Context(), dagID(c))
}

func (s *server) findDAG(ctx context.Context, id dag.ID) (store.DAGRow, error) {
	row, err := s.Store.DAG(ctx, id)
	return row, missingDAG(err, id)
}

func (s *server) getDAG(c echo.Context) error {
	row, err := s.loadDAG(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newDAGAnswer(row))
}

func (s *server) getDetails(c echo.Context) error {
	row, err := s.loadDAG(c)
	if err != nil {
		return err
	}
	latest, err := s.Store.Version(c.Request().Context(), row.ID, 0)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newDetailsAnswer(row, latest))
}

// readPause reads the body that pauses or un-pauses. change is false when the
// mask leaves nothing to do.
func readPause(c echo.Context, q *query) (paused, change bool, err error) {
	mask := updateMask(q, "is_paused")
	b, err := readBody(c)
	if err != nil {
		return false, false, err
	}
	b.require("is_paused")
	paused = b.boolean("is_paused")
	if err := cmp.Or(b.err(), q.err()); err != nil {
		return false, false, err
	}
	return paused, len(mask) == 0 || slices.Contains(mask, "is_paused"), nil
}

func (s *server) patchDAG(c echo.Context) error {
	ctx, id := c.Request().Context(), dagID(c)
	paused, change, err := readPause(c, readQuery(c))
	if err != nil {
		return err
	}
	if change {
		if err := s.Store.SetPaused(ctx, s.actor(c), id, paused); err != nil {
			return orMissing(err, "Dag with id: %s was not found", short(id))
		}
	}
	row, err := s.findDAG(ctx, id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newDAGAnswer(row))
}

// patchDAGs pauses or un-pauses every DAG that matches, not only those of the
// page, and none when no pattern is given, as Airflow does.
func (s *server) patchDAGs(c echo.Context) error {
	ctx, q := c.Request().Context(), readQuery(c)
	f := readDAGQuery(q)
	paused, change, err := readPause(c, q)
	if err != nil {
		return err
	}
	if !q.values.Has("dag_id_pattern") && !q.values.Has("dag_id_prefix_pattern") {
		return c.JSON(http.StatusOK, dagList{DAGs: []dagAnswer{}})
	}
	var ids []dag.ID
	allowed := func(r store.DAGRow) {
		if s.Allow(c, dag.RightPause, r.ID) == nil {
			ids = append(ids, r.ID)
		}
	}
	if err := s.eachDAG(ctx, f, allowed); err != nil {
		return err
	}
	for _, id := range ids {
		if !change {
			break
		}
		// One that is archived or gone meanwhile is not a reason to stop.
		err := s.Store.SetPaused(ctx, s.actor(c), id, paused)
		if err != nil && !errors.Is(err, dag.ErrNotFound) && !errors.Is(err, dag.ErrConflict) {
			return err
		}
	}
	answer := dagList{DAGs: []dagAnswer{}, Total: len(ids)}
	ids = ids[min(f.offset, len(ids)):]
	for _, id := range ids[:min(f.limit, len(ids))] {
		row, err := s.findDAG(ctx, id)
		if err != nil {
			return err
		}
		answer.DAGs = append(answer.DAGs, newDAGAnswer(row))
	}
	return c.JSON(http.StatusOK, answer)
}

// deleteDAG asks for the removal of the DAG's file; a DAG whose file is gone is
// deleted with its history. A repeat does neither: the first request may have had the
// file removed, and the second one would delete the history.
func (s *server) deleteDAG(c echo.Context) error {
	repeated, err := s.Store.Acted(c.Request().Context(), s.actor(c))
	switch {
	case err != nil:
		return err
	case repeated:
		return c.NoContent(http.StatusNoContent)
	}
	row, err := s.loadDAG(c)
	if err != nil {
		return err
	}
	remove := s.Store.RequestRemoval
	if row.Archived {
		remove = s.Store.DeleteDAG
	}
	if err := remove(c.Request().Context(), s.actor(c), row.ID); err != nil {
		return missingDAG(err, row.ID)
	}
	return c.NoContent(http.StatusNoContent)
}

// takeOver gives what a former owner of an id left to the DAG that has the id, which
// is the answer.
func (s *server) takeOver(c echo.Context) error {
	if err := readQuery(c).err(); err != nil {
		return err
	}
	ctx, former := c.Request().Context(), dagID(c)
	if err := s.Store.TakeOver(ctx, s.actor(c), former); err != nil {
		return missingDAG(err, former)
	}
	row, err := s.findDAG(ctx, former.Taken())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, newDAGAnswer(row))
}

// restoreDAG asks for the file of an archived DAG to be brought back.
func (s *server) restoreDAG(c echo.Context) error {
	row, err := s.loadDAG(c)
	if err != nil {
		return err
	}
	if _, err := s.Store.RequestRestore(c.Request().Context(), s.actor(c), row.ID); err != nil {
		return missingDAG(err, row.ID)
	}
	return c.NoContent(http.StatusNoContent)
}

func runStates() []string {
	all := make([]string, len(dag.RunStates))
	for i, state := range dag.RunStates {
		all[i] = string(state)
	}
	return all
}
