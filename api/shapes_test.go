package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The fields of Airflow 3.3's answers and their JSON types, as its OpenAPI
// document has them; a question mark says that null is allowed.
const (
	versionShape = `bundle_name:string? bundle_url:string? bundle_version:string? created_at:string dag_display_name:string
		dag_id:string id:string version_number:number`
	dagShape = `allowed_run_types:array? bundle_name:string? bundle_version:string? dag_display_name:string dag_id:string
		description:string? file_token:string fileloc:string has_import_errors:bool has_task_concurrency_limits:bool
		is_backfillable:bool is_paused:bool is_stale:bool last_expired:string? last_parse_duration:number?
		last_parsed_time:string? max_active_runs:number? max_active_tasks:number max_consecutive_failed_dag_runs:number
		next_dagrun_data_interval_end:string? next_dagrun_data_interval_start:string? next_dagrun_logical_date:string?
		next_dagrun_run_after:string? owners:array relative_fileloc:string? tags:array timetable_description:string?
		timetable_partitioned:bool timetable_periodic:bool timetable_summary:string?`
	detailsShape = dagShape + ` active_runs_count:number asset_expression:object? catchup:bool concurrency:number
		dag_run_timeout:string? default_args:object? doc_md:string? end_date:string? is_favorite:bool
		is_paused_upon_creation:bool? last_parsed:string? latest_dag_version:object? owner_links:object? params:object?
		render_template_as_native_obj:bool rerun_with_latest_version:bool? start_date:string? template_search_path:array?
		timezone:string?`
	taskShape = `class_ref:object? depends_on_past:bool doc_md:string? downstream_task_ids:array? end_date:string?
		execution_timeout:object? extra_links:array is_mapped:bool? operator_name:string? owner:string? params:object?
		pool:string? pool_slots:number? priority_weight:number? queue:string? retries:number? retry_delay:object?
		retry_exponential_backoff:number start_date:string? task_display_name:string? task_id:string? template_fields:array?
		trigger_rule:string? ui_color:string? ui_fgcolor:string? wait_for_downstream:bool weight_rule:string?`
	runShape = `bundle_version:string? conf:object? dag_display_name:string dag_id:string dag_run_id:string dag_versions:array
		data_interval_end:string? data_interval_start:string? duration:number? end_date:string? last_scheduling_decision:string?
		logical_date:string? note:string? partition_date:string? partition_key:string? queued_at:string? run_after:string
		run_type:string start_date:string? state:string triggered_by:string? triggering_user_name:string?
		reason:string? reason_code:string? reason_args:array?` // reasons are dagwright's own
	tryShape = `dag_display_name:string dag_id:string dag_run_id:string dag_version:object? duration:number? end_date:string?
		executor:string? executor_config:string hostname:string? map_index:number max_tries:number operator:string?
		operator_name:string? pid:number? pool:string pool_slots:number priority_weight:number? queue:string?
		queued_when:string? scheduled_when:string? start_date:string? state:string? task_display_name:string task_id:string
		try_number:number unixname:string?
		reason:string? reason_code:string? reason_args:array?` // reasons are dagwright's own
	instanceShape = tryShape +
		` id:string logical_date:string? note:string? rendered_fields:object rendered_map_index:string?
		run_after:string trigger:object? triggerer_job:object?`
	importErrorShape = `bundle_name:string? filename:string import_error_id:number stack_trace:string timestamp:string`
	eventShape       = `dag_display_name:string? dag_id:string? event:string event_log_id:number extra:string?
		logical_date:string? map_index:number? owner:string? run_id:string? task_display_name:string? task_id:string?
		try_number:number? when:string`
	cursorShape = `next_cursor:string? previous_cursor:string? total_entries:number total_entries_limit:number?`
)

func TestShapes(t *testing.T) {
	t.Parallel()
	const run = "/api/v2/dags/churn-model-retrain/dagRuns/first"
	tests := []struct{ path, list, shape, elements string }{
		{"/api/v2/dags", "dags", "dags:array total_entries:number", dagShape},
		{"/api/v2/dags/churn-model", "tags", dagShape, "dag_display_name:string dag_id:string name:string"},
		{"/api/v2/dags/churn-model/details", "tags", detailsShape, "dag_display_name:string dag_id:string name:string"},
		{"/api/v2/dags/churn-model-retrain/tasks", "tasks", "tasks:array total_entries:number", taskShape},
		{"/api/v2/dags/churn-model-retrain/tasks/train_model", "", taskShape, ""},
		{"/api/v2/dags/churn-model/dagVersions", "dag_versions", "dag_versions:array total_entries:number", versionShape},
		{"/api/v2/dags/churn-model/dagVersions/1", "", versionShape, ""},
		{"/api/v2/dagSources/churn-model", "", "content:string? dag_display_name:string dag_id:string version_number:number?",
			""},
		{"/api/v2/dagTags", "", "tags:array total_entries:number", ""},
		{"/api/v2/dagStats", "dags", "dags:array total_entries:number", "dag_display_name:string dag_id:string stats:array"},
		{"/api/v2/importErrors", "import_errors", "import_errors:array total_entries:number", importErrorShape},
		{"/api/v2/importErrors/1", "", importErrorShape, ""},
		{"/api/v2/eventLogs", "event_logs", "event_logs:array total_entries:number", eventShape},
		{"/api/v2/eventLogs/1", "", eventShape, ""},
		{"/api/v2/dags/~/dagRuns", "dag_runs", "dag_runs:array " + cursorShape, runShape},
		{run, "dag_versions", runShape, versionShape},
		{run + "/taskInstances", "task_instances", "task_instances:array " + cursorShape, instanceShape},
		{run + "/taskInstances/train_model", "", instanceShape, ""},
		{run + "/taskInstances/prepare_data/tries", "task_instances", "task_instances:array total_entries:number", tryShape},
		{run + "/taskInstances/prepare_data/tries/1", "", tryShape, ""},
		{run + "/taskInstances/prepare_data/logs/2", "content", "content:array continuation_token:string?", "event:string"},
		{"/api/v2/version", "", "git_version:string? version:string", ""},
		{"/api/v2/monitor/health", "", "dag_processor:object? metadatabase:object scheduler:object triggerer:object", ""},
	}
	f := scene(t)
	for _, test := range tests {
		got := f.get(test.path)
		checkShape(t, test.path, test.shape, got)
		if test.list == "" {
			continue
		}
		elements, _ := got[test.list].([]any)
		if len(elements) == 0 {
			t.Errorf("%s: %s is empty", test.path, test.list)
		}
		for i, e := range elements {
			object, _ := e.(map[string]any)
			checkShape(t, fmt.Sprintf("%s %s[%d]", test.path, test.list, i), test.elements, object)
		}
	}
}

// checkShape compares an object's keys with a shape, and the types of its
// values.
func checkShape(t *testing.T, where, shape string, object map[string]any) {
	t.Helper()
	want := map[string]string{}
	for field := range strings.FieldsSeq(shape) {
		name, kind, _ := strings.Cut(field, ":")
		want[name] = kind
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(object))); diff != "" {
		t.Errorf("%s: fields (-want +got):\n%s", where, diff)
	}
	for name, value := range object {
		kind := jsonType(value)
		if base, nullable := strings.CutSuffix(want[name], "?"); kind != base && !(nullable && kind == "null") {
			t.Errorf("%s: %s is %s, want %s", where, name, kind, want[name])
		}
	}
}

func jsonType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "array"
	default:
		return "object"
	}
}
