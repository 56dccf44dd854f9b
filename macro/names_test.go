package macro_test

import (
	"context"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/macro"
)

// TestNames has a row for each name of the context and for each attribute of what it
// holds, each with a value of its own.
func TestNames(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 1, day, 3, 4, 5, 6000, time.UTC) }
	c := macro.Context{
		DAG: &dag.DAG{
			ID: "d", DisplayName: "Display", Description: "About", Owner: "team", Timezone: "Europe/Moscow", Tags: []string{"x"},
			StartDate: at(1), EndDate: at(2), Catchup: true, MaxActiveRuns: 7, Params: []dag.Param{{Name: "p", Default: 1}},
		},
		Run: dag.Run{
			DAG: "rd", ID: "r", Type: dag.RunManual, State: dag.RunRunning, LogicalDate: at(3), RunAfter: at(4), QueuedAt: at(5),
			StartedAt: at(6), EndedAt: at(7), Interval: dag.DataInterval{Start: at(8), End: at(9)}, Note: "note",
			Conf: map[string]any{"c": "v"},
		},
		Task: &dag.Task{ID: "t", Owner: "me", Retries: 4, TriggerRule: dag.AllDone, PriorityWeight: 9},
		Try:  2, MaxTries: 6, Started: at(10),
	}
	stamp := func(day string) string { return "2026-01-" + day + " 03:04:05.000006+00:00" }
	for _, tt := range []struct{ name, want string }{
		{"ds", "2026-01-03"}, {"ds_nodash", "20260103"}, {"ts", "2026-01-03T03:04:05.000006+00:00"},
		{"ts_nodash", "20260103T030405"}, {"ts_nodash_with_tz", "20260103T030405.000006+0000"},
		{"logical_date", stamp("03")}, {"data_interval_start", stamp("08")}, {"data_interval_end", stamp("09")},
		{"run_id", "r"}, {"params", "{'p': 1, 'c': 'v'}"}, {"task_instance_key_str", "d__t__20260103"},
		{"test_mode", "False"},
		{"dag_run.conf", "{'c': 'v'}"}, {"dag_run.dag_id", "rd"}, {"dag_run.run_id", "r"}, {"dag_run.run_type", "manual"},
		{"dag_run.state", "running"}, {"dag_run.logical_date", stamp("03")}, {"dag_run.run_after", stamp("04")},
		{"dag_run.queued_at", stamp("05")}, {"dag_run.start_date", stamp("06")}, {"dag_run.end_date", stamp("07")},
		{"dag_run.data_interval_start", stamp("08")}, {"dag_run.data_interval_end", stamp("09")},
		{"dag_run.external_trigger", "True"}, {"dag_run.note", "note"},
		{"dag.dag_id", "d"}, {"dag.dag_display_name", "Display"}, {"dag.description", "About"}, {"dag.owner", "team"},
		{"dag.tags", "['x']"}, {"dag.params", "{'p': 1, 'c': 'v'}"}, {"dag.timezone", "Europe/Moscow"},
		{"dag.start_date", stamp("01")},
		{"dag.end_date", stamp("02")}, {"dag.catchup", "True"}, {"dag.max_active_runs", "7"},
		{"task.task_id", "t"}, {"task.dag_id", "d"}, {"task.owner", "me"}, {"task.retries", "4"},
		{"task.trigger_rule", "all_done"},
		{"task.priority_weight", "9"}, {"task.params.p", "1"},
		{"ti.task_id", "t"}, {"ti.dag_id", "d"}, {"ti.run_id", "r"}, {"ti.try_number", "2"}, {"ti.max_tries", "5"},
		{"ti.map_index", "-1"},
		{"ti.start_date", stamp("10")}, {"ti.start_date.add(days=1)", stamp("11")},
		{"ti.task.retries", "4"}, {"ti.dag_run.note", "note"}, {"task_instance.try_number", "2"},

		{"logical_date.year", "2026"}, {"logical_date.month", "1"}, {"logical_date.day", "3"}, {"logical_date.hour", "3"},
		{"logical_date.minute", "4"}, {"logical_date.second", "5"}, {"logical_date.microsecond", "6"},
		{"logical_date.day_of_week", "5"},
		{"logical_date.day_of_year", "3"}, {"logical_date.week_of_year", "1"}, {"logical_date.quarter", "1"},
		{"logical_date.days_in_month", "31"}, {"logical_date.int_timestamp", "1767409445"},
		{"logical_date.timezone_name", "UTC"},
		{"logical_date.date()", "2026-01-03"}, {"logical_date.isoweekday()", "6"}, {"logical_date.weekday()", "5"},
		{"logical_date.to_date_string()", "2026-01-03"}, {"logical_date.to_datetime_string()", "2026-01-03 03:04:05"},
		{"logical_date.to_time_string()", "03:04:05"}, {"logical_date.to_iso8601_string()", "2026-01-03T03:04:05.000006Z"},
		{"logical_date.timestamp()", "1767409445.000006"}, {"logical_date.isoformat()", "2026-01-03T03:04:05.000006+00:00"},
		{"logical_date.start_of('hour')", "2026-01-03 03:00:00+00:00"},
		{"logical_date.start_of('day')", "2026-01-03 00:00:00+00:00"},
		{"logical_date.start_of('week')", "2025-12-29 00:00:00+00:00"},
		{"logical_date.start_of('month')", "2026-01-01 00:00:00+00:00"},
		{"logical_date.start_of('year')", "2026-01-01 00:00:00+00:00"},
		{"logical_date.end_of('year')", "2026-12-31 23:59:59.999999+00:00"},
		{"[logical_date]", "[DateTime(2026, 1, 3, 3, 4, 5, 6, tzinfo=Timezone('UTC'))]"},

		{"macros.timedelta(days=1, seconds=2, microseconds=3).days", "1"},
		{"macros.timedelta(days=1, seconds=2).seconds", "2"},
		{"macros.timedelta(microseconds=3).microseconds", "3"},
		{"macros.timedelta(weeks=1, hours=1, minutes=1, milliseconds=1)", "7 days, 1:01:00.001000"},
		{"macros.timedelta(days=106751).days", "106751"}, {"macros.timedelta(days=-1).total_seconds()", "-86400.0"},
	} {
		task := *c.Task
		task.Image = "{{ " + tt.name + " }}"
		one := c
		one.Task = &task
		got, err := patient().Render(context.Background(), one)
		if err != nil || got.Image != tt.want {
			t.Errorf("%s is %q (%v), want %q", tt.name, got.Image, err, tt.want)
		}
		if err := macro.New().Check(dag.Task{Image: task.Image}); err != nil {
			t.Errorf("Check: %v", err)
		}
	}
}
