package macro

import (
	"fmt"
	"time"

	"dagwright/dag"
)

// names are the top-level names of the template context. What is read of the run's
// conf, the DAG's params and tags is charged when a template first asks for it.
type names struct {
	Context
	budget  *budget
	logical moment
	conf    *dict // nil until it is asked for
	params  *dict
	tags    any
	tried   bool // something was asked for that another try may have otherwise
	read    map[string]*variable
	// asked gets the variables that a template asks for where nothing is rendered; nil
	// where something is.
	asked func(name string, optional bool)
}

func newNames(c Context, b *budget) *names {
	return &names{Context: c, budget: b, logical: utc(c.Run.LogicalDate)}
}

func (n *names) confDict() (*dict, error) {
	if n.conf != nil {
		return n.conf, nil
	}
	v, err := n.budget.fromGo(n.Run.Conf)
	if err != nil {
		return nil, err
	}
	n.conf = v.(*dict)
	return n.conf, nil
}

// paramsDict has the DAG's params and over them the conf: Airflow's
// dag_run_conf_overrides_params is on by default.
func (n *names) paramsDict() (*dict, error) {
	if n.params != nil {
		return n.params, nil
	}
	conf, err := n.confDict()
	if err != nil {
		return nil, err
	}
	if err := n.budget.spendEach(len(n.DAG.Params)+len(conf.keys), pairSize); err != nil {
		return nil, err
	}
	params := newDict()
	for _, p := range n.DAG.Params {
		if p.NoDefault {
			continue // None would be a value that nobody gave
		}
		v, err := n.budget.fromGo(p.Default)
		if err != nil {
			return nil, err
		}
		params.set(p.Name, v)
	}
	for _, k := range conf.keys {
		params.set(k, conf.values[k])
	}
	n.params = params
	return params, nil
}

func (n *names) tagList() (any, error) {
	if n.tags == nil {
		v, err := n.budget.texts(n.DAG.Tags)
		if err != nil {
			return nil, err
		}
		n.tags = v
	}
	return n.tags, nil
}

// found is what an attribute gives that may fail to be read.
func found(v any, err error) (any, bool, error) { return v, err == nil, err }

// utc is how Airflow keeps the dates of a run.
func utc(t time.Time) moment { return moment{t: t.UTC().Truncate(time.Microsecond)} }

// optional is None for a date that is not known yet.
func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return utc(t)
}

// lookup finds a name of the context. The error says that Airflow has the name
// but dagwright does not.
func (n *names) lookup(name string) (v any, ok bool, err error) {
	date := n.logical
	switch name {
	case "ds":
		return date.t.Format("2006-01-02"), true, nil
	case "ds_nodash":
		return date.t.Format("20060102"), true, nil
	case "ts":
		return date.isoformat("T"), true, nil
	case "ts_nodash":
		return date.t.Format("20060102T150405"), true, nil
	case "ts_nodash_with_tz":
		return withoutDashes(date.isoformat("T")), true, nil
	case "logical_date":
		return date, true, nil
	case "data_interval_start":
		return optional(n.Run.Interval.Start), true, nil
	case "data_interval_end":
		return optional(n.Run.Interval.End), true, nil
	case "run_id":
		return string(n.Run.ID), true, nil
	case "params":
		return found(n.paramsDict())
	case "dag_run":
		return &object{"dag_run", n.dagRun}, true, nil
	case "dag":
		return &object{"dag", n.dag}, true, nil
	case "task":
		return &object{"task", n.task}, true, nil
	case "ti", "task_instance":
		return &object{name, n.taskInstance}, true, nil
	case "task_instance_key_str":
		return fmt.Sprintf("%s__%s__%s", n.DAG.ID, n.Task.ID, date.t.Format("20060102")), true, nil
	case "macros":
		return macros, true, nil
	case "var":
		return &object{"var", n.vars}, true, nil
	case "test_mode":
		return false, true, nil
	}
	if why, ok := unavailable[name]; ok {
		return nil, false, fmt.Errorf("%s is not available: %s", name, why)
	}
	return nil, false, nil
}

// prevHint names what to subtract for a run before this one: one schedule.
const prevHint = "Airflow 3 removed it; subtract what lies between two runs: macros.ds_add(ds, -1) if the schedule is " +
	"daily, logical_date.subtract(weeks=1) | ds if weekly, logical_date.subtract(months=1) | ds if monthly"

// unavailable are the names of Airflow that dagwright cannot give a value, and
// what to do instead.
var unavailable = map[string]string{
	"conf":                             "it is Airflow's configuration; the run's configuration is dag_run.conf",
	"conn":                             "dagwright has no connections; use env_from or secrets",
	"execution_date":                   "Airflow 3 removed it; use logical_date",
	"next_ds":                          "Airflow 3 removed it; use data_interval_end | ds",
	"next_ds_nodash":                   "Airflow 3 removed it; use data_interval_end | ds_nodash",
	"next_execution_date":              "Airflow 3 removed it; use data_interval_end",
	"prev_ds":                          prevHint,
	"prev_ds_nodash":                   prevHint,
	"prev_execution_date":              prevHint,
	"prev_execution_date_success":      "Airflow 3 removed it",
	"tomorrow_ds":                      "Airflow 3 removed it; use macros.ds_add(ds, 1)",
	"tomorrow_ds_nodash":               "Airflow 3 removed it; use macros.ds_add(ds, 1)",
	"yesterday_ds":                     "Airflow 3 removed it; use macros.ds_add(ds, -1)",
	"yesterday_ds_nodash":              "Airflow 3 removed it; use macros.ds_add(ds, -1)",
	"prev_data_interval_start_success": "a template sees its own run only",
	"prev_data_interval_end_success":   "a template sees its own run only",
	"prev_start_date_success":          "a template sees its own run only",
	"prev_end_date_success":            "a template sees its own run only",
	"inlets":                           "dagwright has no assets",
	"inlet_events":                     "dagwright has no assets",
	"outlets":                          "dagwright has no assets",
	"outlet_events":                    "dagwright has no assets",
	"triggering_asset_events":          "dagwright has no assets",
	"expanded_ti_count":                "dagwright maps no tasks",
	"map_index_template":               "dagwright maps no tasks",
	"templates_dict":                   "the operator has none",
}

func (n *names) dagRun(name string) (any, bool, error) {
	r := n.Run
	switch name {
	case "conf":
		return found(n.confDict())
	case "dag_id":
		return string(r.DAG), true, nil
	case "run_id":
		return string(r.ID), true, nil
	case "run_type":
		return string(r.Type), true, nil
	case "state":
		return string(dag.RunRunning), true, nil
	case "logical_date":
		return n.logical, true, nil
	case "run_after":
		return optional(r.RunAfter), true, nil
	case "queued_at":
		return optional(r.QueuedAt), true, nil
	case "start_date":
		return optional(r.StartedAt), true, nil
	case "end_date":
		return optional(r.EndedAt), true, nil
	case "data_interval_start":
		return optional(r.Interval.Start), true, nil
	case "data_interval_end":
		return optional(r.Interval.End), true, nil
	case "external_trigger":
		return r.Type == dag.RunManual, true, nil
	case "note":
		return r.Note, true, nil
	}
	return nil, false, nil
}

func (n *names) dag(name string) (any, bool, error) {
	d := n.DAG
	switch name {
	case "dag_id":
		return string(d.ID), true, nil
	case "dag_display_name":
		if d.DisplayName == "" {
			return string(d.ID), true, nil
		}
		return d.DisplayName, true, nil
	case "description":
		return d.Description, true, nil
	case "owner":
		return d.Owner, true, nil
	case "tags":
		return found(n.tagList())
	case "params":
		return found(n.paramsDict())
	case "timezone":
		return d.Timezone, true, nil
	case "start_date":
		return optional(d.StartDate), true, nil
	case "end_date":
		return optional(d.EndDate), true, nil
	case "catchup":
		return d.Catchup, true, nil
	case "max_active_runs":
		return int64(d.MaxActiveRuns), true, nil
	}
	return nil, false, nil
}

func (n *names) task(name string) (any, bool, error) {
	t := n.Task
	switch name {
	case "task_id":
		return string(t.ID), true, nil
	case "dag_id":
		return string(n.DAG.ID), true, nil
	case "owner":
		return t.Owner, true, nil
	case "retries":
		return int64(t.Retries), true, nil
	case "trigger_rule":
		return string(t.TriggerRule), true, nil
	case "priority_weight":
		return int64(t.PriorityWeight), true, nil
	case "params":
		return found(n.paramsDict())
	}
	return nil, false, nil
}

func (n *names) taskInstance(name string) (any, bool, error) {
	switch name {
	case "task_id":
		return string(n.Task.ID), true, nil
	case "dag_id":
		return string(n.DAG.ID), true, nil
	case "run_id":
		return string(n.Run.ID), true, nil
	case "try_number":
		n.tried = true
		return int64(n.Try), true, nil
	case "max_tries":
		// Airflow counts the tries that may follow the first.
		return int64(max(n.MaxTries-1, 0)), true, nil
	case "map_index":
		return int64(-1), true, nil
	case "start_date":
		n.tried = true
		return optional(n.Started), true, nil
	case "task":
		return &object{"task", n.task}, true, nil
	case "dag_run":
		return &object{"dag_run", n.dagRun}, true, nil
	case "xcom_pull", "xcom_push":
		return nil, false, fmt.Errorf("ti.%s is not available: dagwright has no XCom", name)
	}
	return nil, false, nil
}
