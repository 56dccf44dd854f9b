package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// eventAnswer is Airflow's EventLogResponse.
type eventAnswer struct {
	ID          int64       `json:"event_log_id"`
	When        timestamp   `json:"when"`
	DAG         *dag.ID     `json:"dag_id"`
	Task        *dag.TaskID `json:"task_id"`
	Run         *dag.RunID  `json:"run_id"`
	MapIndex    *int        `json:"map_index"`
	Try         *int        `json:"try_number"`
	Event       string      `json:"event"`
	LogicalDate timestamp   `json:"logical_date"`
	Owner       *string     `json:"owner"`
	Extra       *string     `json:"extra"`
	DisplayName *string     `json:"dag_display_name"`
	TaskName    *string     `json:"task_display_name"`
}

type eventList struct {
	Events []eventAnswer `json:"event_logs"`
	Total  int           `json:"total_entries"`
}

// eventOrders are Airflow's names for the one order that there is.
var eventOrders = map[string]string{"id": "id", "event_log_id": "id", "when": "id", "dttm": "id"}

func (s *server) eventRoutes() []route {
	return []route{
		{http.MethodGet, "/eventLogs", dag.RightRead, s.listEvents, operation{
			id: "get_event_logs", tag: "Event Log", summary: "List what people and dagwright have done.", answer: eventList{},
			query: join(pageParams(orderNames(eventOrders)...), []param{
				text("dag_id", "Only of this DAG."), text("run_id", "Only of this run."), text("task_id", "Only of this task."),
				text("event", "Only this kind."), text("owner", "Only of this person."),
			}),
		}},
		{http.MethodGet, "/eventLogs/:event_log_id", dag.RightRead, s.getEvent, operation{
			id: "get_event_log", tag: "Event Log", summary: "Read an entry of the event log.", answer: eventAnswer{},
		}},
	}
}

func newEventAnswer(e store.AuditEntry, names map[dag.ID]string) eventAnswer {
	return eventAnswer{
		ID: e.ID, When: timestamp(e.At), DAG: orNull(e.DAG), Task: orNull(e.Task), Run: orNull(e.Run),
		Event: e.Event, Owner: orNull(e.By.User), Extra: orNull(e.Extra),
		DisplayName: orNull(names[e.DAG]), TaskName: orNull(string(e.Task)),
	}
}

// listEvents lists the audit log, oldest first unless order_by says otherwise.
// The store lists it newest first, so an ascending page is taken from the end.
func (s *server) listEvents(c echo.Context) error {
	ctx, q := c.Request().Context(), readQuery(c)
	limit, offset := q.page()
	order := q.order("id", eventOrders)
	f := store.AuditFilter{DAG: dag.ID(q.str("dag_id")), Run: dag.RunID(q.str("run_id")),
		Task: dag.TaskID(q.str("task_id")), Event: q.str("event"), User: q.str("owner"), Limit: 1}
	if err := q.err(); err != nil {
		return err
	}
	_, total, err := s.Store.Audit(ctx, f)
	if err != nil {
		return err
	}
	oldestFirst := !strings.HasPrefix(order, "-")
	f.Offset, f.Limit = offset, max(0, min(limit, total-offset))
	if oldestFirst {
		f.Offset = total - offset - f.Limit
	}
	var entries []store.AuditEntry
	if f.Limit > 0 {
		if entries, _, err = s.Store.Audit(ctx, f); err != nil {
			return err
		}
	}
	if oldestFirst {
		slices.Reverse(entries)
	}
	answers, err := s.eventAnswers(ctx, entries)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, eventList{answers, total})
}

func (s *server) getEvent(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := number(c, "event_log_id")
	if err != nil {
		return err
	}
	if err := readQuery(c).err(); err != nil {
		return err
	}
	entries, _, err := s.Store.Audit(ctx, store.AuditFilter{Before: int64(id) + 1, Limit: 1})
	if err != nil {
		return err
	}
	if len(entries) == 0 || entries[0].ID != int64(id) {
		return refuse(http.StatusNotFound, "The Event Log with id: `%d` not found", id)
	}
	answers, err := s.eventAnswers(ctx, entries)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answers[0])
}

func (s *server) eventAnswers(ctx context.Context, entries []store.AuditEntry) ([]eventAnswer, error) {
	var f dagQuery
	f.Archived = true
	for _, e := range entries {
		if e.DAG != "" && !slices.Contains(f.IDs, e.DAG) {
			f.IDs = append(f.IDs, e.DAG)
		}
	}
	names := map[dag.ID]string{}
	if len(f.IDs) > 0 {
		err := s.eachDAG(ctx, f, func(r store.DAGRow) { names[r.ID] = displayName(r.DAG) })
		if err != nil {
			return nil, err
		}
	}
	answers := make([]eventAnswer, len(entries))
	for i, e := range entries {
		answers[i] = newEventAnswer(e, names)
	}
	return answers, nil
}
