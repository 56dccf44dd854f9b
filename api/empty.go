package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// What Airflow has and dagwright does not is listed as by an Airflow that has
// none of it, so that a script which looks at everything goes on.

// emptyLists are the lists that are always empty, by path, with the name of the
// list in the answer.
var emptyLists = []struct{ path, name, id, tag string }{
	{"/variables", "variables", "get_variables", "Variable"},
	{"/connections", "connections", "get_connections", "Connection"},
	{"/plugins", "plugins", "get_plugins", "Plugin"},
	{"/plugins/importErrors", "import_errors", "import_errors", "Plugin"},
	{"/providers", "providers", "get_providers", "Provider"},
	{"/jobs", "jobs", "get_jobs", "Job"},
	{"/dagWarnings", "dag_warnings", "list_dag_warnings", "DagWarning"},
	{"/assets", "assets", "get_assets", "Asset"},
	{"/assets/aliases", "asset_aliases", "get_asset_aliases", "Asset"},
	{"/assets/events", "asset_events", "get_asset_events", "Asset"},
}

// poolAnswer is Airflow's PoolResponse.
type poolAnswer struct {
	Name            string  `json:"name"`
	Slots           int     `json:"slots"`
	Description     *string `json:"description"`
	IncludeDeferred bool    `json:"include_deferred"`
	Occupied        int     `json:"occupied_slots"`
	Running         int     `json:"running_slots"`
	Queued          int     `json:"queued_slots"`
	Scheduled       int     `json:"scheduled_slots"`
	Open            int     `json:"open_slots"`
	Deferred        int     `json:"deferred_slots"`
	Team            *string `json:"team_name"`
}

type poolList struct {
	Pools []poolAnswer `json:"pools"`
	Total int          `json:"total_entries"`
}

func (s *server) emptyRoutes() []route {
	orders := many(text("order_by", "Any field: the list is empty."))
	routes := []route{
		{http.MethodGet, "/pools", dag.RightRead, s.listPools, operation{
			id: "get_pools", tag: "Pool", summary: "List the one pool that there is.", answer: poolList{},
			query: append(pageParams(), orders),
		}},
		{http.MethodGet, "/pools/:pool_name", dag.RightRead, s.getPool,
			operation{id: "get_pool", tag: "Pool", summary: "Read the one pool that there is.", answer: poolAnswer{}}},
		{http.MethodGet, "/variables/:variable_key", dag.RightRead,
			s.none("The Variable with key: `%s` was not found", "variable_key"), operation{
				id: "get_variable", tag: "Variable", summary: "There are no variables.", status: http.StatusNotFound,
			}},
		{http.MethodGet, "/connections/:connection_id", dag.RightRead,
			s.none("The Connection with connection_id: `%s` was not found", "connection_id"), operation{
				id: "get_connection", tag: "Connection", summary: "There are no connections.", status: http.StatusNotFound,
			}},
		{http.MethodGet, taskPath + "/xcomEntries", dag.RightRead, s.listXComs, operation{
			id: "get_xcom_entries", tag: "XCom", summary: "There are no XComs.", answer: newEmptyList("xcom_entries"),
			query: append(pageParams(), orders),
		}},
		{http.MethodGet, taskPath + "/xcomEntries/:xcom_key", dag.RightRead,
			s.none("XCom entry with key: `%s` not found", "xcom_key"), operation{
				id: "get_xcom_entry", tag: "XCom", summary: "There are no XComs.", status: http.StatusNotFound,
			}},
	}
	for _, e := range emptyLists {
		routes = append(routes, route{http.MethodGet, e.path, dag.RightRead, listNothing(e.name), operation{
			id: e.id, tag: e.tag, summary: "An empty list: dagwright has none.", answer: newEmptyList(e.name),
			query: append(pageParams(), orders),
		}})
	}
	return routes
}

// emptyList is an answer with no entries.
type emptyList map[string]any

func newEmptyList(name string) emptyList { return emptyList{name: []any{}, "total_entries": 0} }

func listNothing(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		q := readQuery(c)
		q.page()
		q.list("order_by")
		if err := q.err(); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, newEmptyList(name))
	}
}

// none answers that what the path names is not there.
func (s *server) none(detail, name string) echo.HandlerFunc {
	return func(c echo.Context) error { return refuse(http.StatusNotFound, detail, short(c.Param(name))) }
}

func (s *server) listXComs(c echo.Context) error {
	if _, err := s.loadInstanceRun(c); err != nil {
		return err
	}
	return listNothing("xcom_entries")(c)
}

// pool is the one that every task is in. It has no end of slots: DAGs and the
// instance have limits of their own.
func (s *server) pool(c echo.Context) (poolAnswer, error) {
	ctx := c.Request().Context()
	about := "Default pool"
	p := poolAnswer{Name: "default_pool", Slots: -1, Open: -1, Description: &about}
	var err error
	if _, p.Running, err = s.Store.ListTasks(ctx,
		store.TaskFilter{States: []dag.TaskState{dag.TaskRunning}, Limit: 1}); err != nil {
		return p, err
	}
	if _, p.Queued, err = s.Store.ListTasks(ctx,
		store.TaskFilter{States: []dag.TaskState{dag.TaskQueued}, Limit: 1}); err != nil {
		return p, err
	}
	p.Occupied = p.Running + p.Queued
	return p, nil
}

func (s *server) listPools(c echo.Context) error {
	q := readQuery(c)
	limit, offset := q.page()
	q.list("order_by")
	if err := q.err(); err != nil {
		return err
	}
	p, err := s.pool(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, poolList{page([]poolAnswer{p}, limit, offset), 1})
}

func (s *server) getPool(c echo.Context) error {
	p, err := s.pool(c)
	if err != nil {
		return err
	}
	if c.Param("pool_name") != p.Name {
		return refuse(http.StatusNotFound, "The Pool with name: `%s` was not found", short(c.Param("pool_name")))
	}
	return c.JSON(http.StatusOK, p)
}
