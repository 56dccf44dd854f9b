package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// runOrders translates Airflow's names for order_by into the store's.
var runOrders = map[string]string{
	"id": "id", "state": "state", "dag_id": "dag_id", "run_id": "run_id", "dag_run_id": "run_id",
	"logical_date": "logical_date",
	"run_after":    "run_after", "start_date": "start_date", "end_date": "end_date", "duration": "duration",
}

// runTypes are those that Airflow knows; dagwright makes the first three.
var runTypes = []string{"backfill", "scheduled", "manual", "operator_triggered", "asset_triggered",
	"asset_materialization"}

// runParams are the parameters that readRunFilter reads.
func runParams() []param {
	return join(pageParams(orderNames(runOrders)...), runBounds(moment), []param{
		many(choice("state", "States of which the run has one.", runStates()...)),
		many(choice("run_type", "Types of which the run has one.", runTypes...)),
		many(integer("dag_version", "Versions of the DAG of which the run has one.")),
		text("run_id_pattern", "A part of the run's id, any case."),
		text("run_id_prefix_pattern", "How the run's id begins."),
		text("dag_id_pattern", "A part of the DAG's id, any case."),
		text("dag_id_prefix_pattern", "How the DAG's id begins."),
		text("triggering_user_name_pattern", "A part of the name of who triggered the run."),
		text("conf_contains", "A part of the conf, as JSON."),
	})
}

// runBounds are the bounds that listing runs has as parameters and as fields.
func runBounds(time func(name, about string) param) []param {
	return join(boundParams("logical_date", time), boundParams("run_after", time), boundParams("start_date", time),
		boundParams("end_date", time),
		boundParams("duration", seconds64))
}

func readRunFilter(q *query) store.RunFilter {
	var f store.RunFilter
	f.Limit, f.Offset = q.page()
	f.OrderBy = q.order("id", runOrders)
	for _, state := range q.choices("state", runStates()) {
		f.States = append(f.States, dag.RunState(state))
	}
	for _, kind := range q.choices("run_type", runTypes) {
		f.Types = append(f.Types, dag.RunType(kind))
	}
	f.Versions = q.numbers("dag_version")
	f.LogicalFrom, f.LogicalTo = q.between("logical_date")
	f.RunAfterFrom, f.RunAfterTo = q.between("run_after")
	f.StartedFrom, f.StartedTo = q.between("start_date")
	f.EndedFrom, f.EndedTo = q.between("end_date")
	f.MinDuration, f.MaxDuration = q.span("duration")
	f.IDPattern, f.IDPrefix = q.like("run_id_pattern"), q.str("run_id_prefix_pattern")
	f.DAGPattern, f.DAGPrefix = q.like("dag_id_pattern"), q.str("dag_id_prefix_pattern")
	f.UserPattern, f.ConfContains = q.like("triggering_user_name_pattern"), q.str("conf_contains")
	return f
}

// runBatchParams are the fields that readRunBatch reads.
func runBatchParams() []param {
	maybe := func(name, about string) param { return nullable(moment(name, about)) }
	return join(batchPage(orderNames(runOrders)...), runBounds(maybe), []param{
		nullable(many(text("dag_ids", "Only runs of these DAGs."))),
		nullable(many(choice("states", "States of which the run has one.", runStates()...))),
		nullable(text("conf_contains", "A part of the conf, as JSON.")),
	})
}

// batchPage are the fields that stand for limit, offset and order_by.
func batchPage(orders ...string) []param {
	limit := nonNegative("page_limit", "Entries of a page, never more than 100.")
	limit.schema["default"] = maxLimit
	offset := nonNegative("page_offset", "Entries to pass over.")
	offset.schema["default"] = 0
	order := nullable(text("order_by",
		"The field to order by, with a minus in front for descending: "+strings.Join(orders, ", ")+"."))
	return []param{limit, offset, order}
}

func (s *server) listRunsBatch(c echo.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	var f store.RunFilter
	f.Limit, f.Offset = min(b.number("page_limit", maxLimit), maxLimit), b.number("page_offset", 0)
	for _, id := range b.texts("dag_ids") {
		f.DAGs = append(f.DAGs, dag.ID(id))
	}
	for _, state := range b.choices("states", runStates()...) {
		f.States = append(f.States, dag.RunState(state))
	}
	f.LogicalFrom, f.LogicalTo = b.between("logical_date")
	f.RunAfterFrom, f.RunAfterTo = b.between("run_after")
	f.StartedFrom, f.StartedTo = b.between("start_date")
	f.EndedFrom, f.EndedTo = b.between("end_date")
	f.MinDuration, f.MaxDuration = b.span("duration")
	f.ConfContains = b.text("conf_contains", 0)
	order := b.text("order_by", 0)
	if err := b.err(); err != nil {
		return err
	}
	if f.OrderBy, err = translateOrder(order, "id", runOrders); err != nil {
		return err
	}
	if err := onlyWildcards(dagID(c)); err != nil {
		return err
	}
	return s.answerRuns(c, f)
}

// onlyWildcards refuses a path of a batch that names something.
func onlyWildcards[T ~string](ids ...T) error {
	i := slices.IndexFunc(ids, func(id T) bool { return id != allDAGs })
	if i < 0 {
		return nil
	}
	fault := oneOf("literal_error", string(short(ids[i])), []string{allDAGs}, "path", "dag_id")
	return invalid(fault)
}

// translateOrder is query.order for a name that is known already.
func translateOrder(name, whenAbsent string, names map[string]string) (string, error) {
	if name == "" {
		name = whenAbsent
	}
	bare := strings.TrimLeft(name, "-")
	column, ok := names[bare]
	if !ok {
		return "", refuse(http.StatusBadRequest,
			"Ordering with '%s' is disallowed or the attribute does not exist on the model", short(bare))
	}
	if bare != name {
		column = "-" + column
	}
	return column, nil
}
