package dag_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"dagwright/dag"
)

// TestParseEdges has each limit at and beyond itself, each kind of value in the place of
// another, and the second of two ways to write something. What is wanted is the error,
// or how the DAG differs from the least one.
func TestParseEdges(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	shown := strings.NewReplacer(long(250), "<250>", long(80), "<80>", strings.Repeat("1,", 495), "<1,>")
	start := func(date string) string { return head("  start_date: " + date + "\n") }
	group := func(g string) string { return "d:\n  task_groups: " + g + "\n  tasks:\n" + task }
	param := func(p string) string { return head("  params: {p: {__type__: airflow.sdk.Param, " + p + "}}\n") }
	base := parseOne(t, head(""))
	for _, c := range []wrong{
		{"native objects, off", head("  render_template_as_native_obj: false\n"), ``},
		{"native objects without a template", head("  render_template_as_native_obj: true\n"), ``},
		{"native objects",
			"d:\n  render_template_as_native_obj: true\n" + strings.TrimPrefix(withTask("      arguments: ['{{ ds }}']\n"), "d:\n"),
			`s:2:3: d.render_template_as_native_obj: not supported by dagwright: templates that give other values than strings, remove it`},
		{"native objects, no boolean", head("  render_template_as_native_obj: 1\n"),
			`s:2:34: d.render_template_as_native_obj: must be true or false, not a number`},
		{"empty tag", head("  tags: [' ', a]\n"), `s:2:10: d.tags[0]: a tag must not be empty`},
		{"tag of 100", head("  tags: [" + long(100) + "]\n"), `Tags=[<80>xxxxxxxxxxxxxxxxxxxx]`},
		{"tag of 101", head("  tags: [" + long(101) + "]\n"), `s:2:10: d.tags[0]: a tag must not be longer than 100 bytes`},
		{"max_active_runs of 1", head("  max_active_runs: 1\n"), `MaxActiveRuns=1`},
		{"max_active_tasks of 0", head("  max_active_tasks: 0\n"),
			`s:2:21: d.max_active_tasks: must be a whole number from 1 to 2147483647`},
		{"continuous with one", head("  schedule: '@continuous'\n  max_active_runs: 1\n"),
			`Schedule={Kind:continuous Expr: Timezone: Every:0:00:00 Interval:0s Late:0s} MaxActiveRuns=1`},
		{"timeout of a moment", head("  dagrun_timeout: 0.001\n"), `RunTimeout=1ms`},
		{"timeout object", head("  dagrun_timeout: {__type__: datetime.timedelta, __args__: [1], days: 1}\n"),
			`s:2:65: d.dagrun_timeout.days: days is given twice, by position and by name`},
		{"timeout too many args", head("  dagrun_timeout: {__type__: datetime.timedelta, __args__: [1,1,1,1,1,1,1,1]}\n"),
			`s:2:60: d.dagrun_timeout.__args__: datetime.timedelta takes at most 7 positional arguments`},
		{"timeout null", head("  dagrun_timeout:\n"), ``},
		{"timeout of 100 years", head("  dagrun_timeout: {__type__: datetime.timedelta, days: 36500}\n"),
			`RunTimeout=876000h0m0s`},
		{"timeout of a day more", head("  dagrun_timeout: {__type__: datetime.timedelta, days: 36525, seconds: 1}\n"),
			`s:2:19: d.dagrun_timeout: must be between 0 and 100 years`},
		{"timeout of words", head("  dagrun_timeout: {__type__: datetime.timedelta, days: x}\n"),
			`s:2:56: d.dagrun_timeout.days: must be a number, not a string`},
		{"class without a name", head("  dagrun_timeout: {__type__: ''}\n"),
			`s:2:19: d.dagrun_timeout: must be a number of seconds or {__type__: datetime.timedelta, minutes: …}, not a mapping`},
		{"args no list", head("  dagrun_timeout: {__type__: datetime.timedelta, __args__: 1}\n"),
			`s:2:60: d.dagrun_timeout.__args__: __args__ must be a list, not a number`},
		{"year 1899", start("1899-12-31"), `s:2:15: d.start_date: the year must be from 1900 to 2200`},
		{"year 1900", start("1900-01-01"), `StartDate=1900-01-01 00:00:00 +0000 UTC`},
		{"year 2200", start("2200-12-31"), `StartDate=2200-12-31 00:00:00 +0000 UTC`},
		{"year 2201", start("2201-01-01"), `s:2:15: d.start_date: the year must be from 1900 to 2200`},
		{"boolean date", start("true"),
			`s:2:15: d.start_date: must be a date such as "2026-01-31" or "2026-01-31T05:00:00", not a boolean`},
		{"list date", start("[]"),
			`s:2:15: d.start_date: must be a date such as "2026-01-31" or "2026-01-31T05:00:00", not a list`},
		{"date of a number", start("2026"),
			`s:2:15: d.start_date: "2026" is not a date; write one such as "2026-01-31" or "2026-01-31T05:00:00"`},
		{"datetime lacks a year", start("{__type__: datetime.datetime, month: 1, day: 1}"),
			`s:2:15: d.start_date: datetime.datetime needs a year`},
		{"datetime lacks a day", start("{__type__: datetime.datetime, year: 2026, month: 1}"),
			`s:2:15: d.start_date: datetime.datetime needs a day`},
		{"pendulum lacks a day", start("{__type__: pendulum.datetime, year: 2026}"),
			`StartDate=2026-01-01 00:00:00 +0000 UTC`},
		{"pendulum lacks a year", start("{__type__: pendulum.datetime, day: 2}"),
			`s:2:15: d.start_date: pendulum.datetime needs a year`},
		{"hour 23", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, 23, 59, 59, 999999]}"),
			`StartDate=2026-01-02 23:59:59.999999 +0000 UTC`},
		{"hour 24", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, 24]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"minute 60", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, 3, 60]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"second 60", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, 3, 4, 60]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"month 0", start("{__type__: datetime.datetime, __args__: [2026, 0, 2]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"month 13", start("{__type__: datetime.datetime, __args__: [2026, 13, 2]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"day 0", start("{__type__: datetime.datetime, __args__: [2026, 1, 0]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"leap day", start("{__type__: datetime.datetime, __args__: [2028, 2, 29]}"),
			`StartDate=2028-02-29 00:00:00 +0000 UTC`},
		{"microsecond 999999", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, 3, 4, 5, 999999]}"),
			`StartDate=2026-01-02 03:04:05.999999 +0000 UTC`},
		{"microsecond 1000000", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, 3, 4, 5, 1000000]}"),
			`s:2:15: d.start_date: there is no such date or time`},
		{"year twice", start("{__type__: datetime.datetime, __args__: [2026, 1, 2], year: 2026}"),
			`s:2:69: d.start_date.year: year is given twice, by position and by name`},
		{"hour is text", start("{__type__: datetime.datetime, __args__: [2026, 1, 2, x]}"),
			`s:2:68: d.start_date.__args__[3]: must be a whole number, not a string`},
		{"same start and end", head("  start_date: 2026-02-01\n  end_date: 2026-02-01\n"),
			`StartDate=2026-02-01 00:00:00 +0000 UTC EndDate=2026-02-01 00:00:00 +0000 UTC`},
		{"groups are text", group("x"), `s:2:16: d.task_groups: must be a list of {group_name, …}, not a string`},
		{"groups of a list of text", group("[x]"),
			`s:2:17: d.task_groups[0]: a task group must be a mapping {group_name, …}, not a string`},
		{"group without a name", group("[{}]"), `s:2:17: d.task_groups[0]: a task group needs a group_name`},
		{"two groups", group("[{group_name: g}, {group_name: g}]"),
			`s:2:34: d.task_groups[1]: there are two task groups "g"`},
		{"group key", group("[{group_name: g, tooltipp: x}]"),
			`s:2:33: d.task_groups[0].tooltipp: unknown key "tooltipp"; did you mean "tooltip"?`},
		{"group key null", group("[{group_name: g, dependencies: }]"), `Groups=[{Name:g Tooltip:}]`},
		{"group of another name", group("{g: {group_name: h}}"),
			`s:2:33: d.task_groups.g.group_name: group_name differs from its key "g"; remove one of them`},
		{"group of the same name", group("{g: {group_name: g}}"), `Groups=[{Name:g Tooltip:}]`},
		{"group defaults no mapping", group("[{group_name: g, default_args: x}]"),
			`s:2:47: d.task_groups[0].default_args: must be a mapping, not a string`},
		{"no such parent", group("[{group_name: g, parent_group_name: nope}, {group_name: nop}]"),
			`s:2:52: d.task_groups[0].parent_group_name: there is no task group "nope"; did you mean "nop"?`},
		{"parent of itself", group("[{group_name: g, parent_group_name: g}]"),
			`s:2:52: d.task_groups[0].parent_group_name: task group "g" would lie in itself`},
		{"parents in a circle", group("[{group_name: g, parent_group_name: h}, {group_name: h, parent_group_name: g}]"),
			`s:2:91: d.task_groups[1].parent_group_name: task group "h" would lie in itself`},
		{"group name of 250", group("[{group_name: " + long(250) + "}]"), `Groups=[{Name:<250> Tooltip:}]`},
		{"group name of 251", group("[{group_name: " + long(251) + "}]"),
			`s:2:17: d.task_groups[0]: group name "<80>"… is wrong: use letters, digits, "-" and "_", at most 250`},
		{"depends on a group of none",
			"d:\n  task_groups: [{group_name: g}]\n  tasks:\n    - {task_id: a, image: i, operator: " + operator +
				", dependencies: [g]}\n", `s:4:126: d.tasks[0].dependencies[0]: task group "g" has no tasks`},
		{"group depends on its own",
			"d:\n  task_groups: [{group_name: g, dependencies: [a]}]\n  tasks:\n    - {task_id: a, task_group_name: g, image: i, operator: " +
				operator + "}\n",
			`s:2:48: d.task_groups[0].dependencies[0]: task group "g" depends on a task of its own`},
		{"param name of 250", head("  params: {" + long(250) + ": 1}\n"),
			`Params=[{Name:<250> Default:1 NoDefault:false Description: Schema:map[]}]`},
		{"param name of 251", head("  params: {" + long(251) + ": 1}\n"),
			`s:2:12: d.params."<80>"…: a param's name must have 1 to 250 characters`},
		{"param without a name", head("  params: {'': 1}\n"),
			`s:2:12: d.params."": a param's name must have 1 to 250 characters`},
		{"param of three args", param("__args__: [1, x, src]"), `Params=[{Name:p Default:1 NoDefault:false Description:x Schema:map[]}]`},
		{"param of four args", param("__args__: [1, x, src, 4]"),
			`s:2:55: d.params.p.__args__: airflow.sdk.Param takes at most 3 positional arguments`},
		{"param default twice", param("__args__: [1], default: 2"),
			`s:2:56: d.params.p.default: "default" is given twice, by position and by name`},
		{"param schema", param("default: 1, schema: {type: integer, minimum: 0}"),
			`Params=[{Name:p Default:1 NoDefault:false Description: Schema:map[minimum:0 type:integer]}]`},
		{"param schema is text", param("default: 1, schema: x"),
			`s:2:65: d.params.p.schema: must be a mapping, not a string`},
		{"param type unknown", param("default: 1, type: text"),
			`s:2:63: d.params.p.type: unknown type "text"; JSON Schema has [string number integer boolean array object null]`},
		{"param types", param("default: null, type: ['null', string]"),
			`Params=[{Name:p Default:<nil> NoDefault:false Description: Schema:map[type:[null string]]}]`},
		{"param pattern", param("default: x, pattern: '['"),
			"s:2:66: d.params.p.pattern: the pattern is not understood: \"error parsing regexp: missing closing ]: `[`\""},
		{"param rule that is not checked", param("default: 1, contains: {}"),
			"s:2:67: d.params.p.contains: the keyword contains of JSON Schema is not supported; those that are checked are " +
				"additionalProperties, allOf, anyOf, const, enum, exclusiveMaximum, exclusiveMinimum, format, items, " +
				"maxItems, maxLength, maximum, minItems, minLength, minimum, multipleOf, not, oneOf, pattern, " +
				"properties, required, type, uniqueItems"},
		{"param note", param("default: 1, section: x"), `Params=[{Name:p Default:1 NoDefault:false Description: Schema:map[section:x]}]`},
		{"param items", param("default: null, items: {type: text}"),
			`s:2:67: d.params.p.items: unknown type "text"; JSON Schema has [string number integer boolean array object null]`},
		{"param items of a text", param("default: null, items: text"),
			"s:2:67: d.params.p.items: the keyword items must be a schema: a mapping, true or false"},
		{"param items with a pattern", param("default: null, items: {pattern: '['}"),
			"s:2:67: d.params.p.items: the pattern is not understood: \"error parsing regexp: missing closing ]: `[`\""},
		{"param schema with a wrong keyword", param("default: 1, schema: {anyOf: [{not: {required: true}}]}"),
			"s:2:15: d.params.p: the keyword required must be a list of names"},
		{"param without alternatives", param("default: 1, anyOf: []"),
			"s:2:64: d.params.p.anyOf: the keyword anyOf must be a list of schemas"},
		{"param properties in a list", param("default: 1, properties: []"),
			"s:2:69: d.params.p.properties: the keyword properties must be a mapping of names to schemas"},
		{"param minimum", param("default: 1, minimum: 2026-01-01"),
			"s:2:66: d.params.p.minimum: the keyword minimum must be a number"},
		{"param enum", param("default: 1, enum: 2"), "s:2:63: d.params.p.enum: the keyword enum must be a list of values"},
		{"param pattern of a number", param("default: x, pattern: 5"),
			"s:2:66: d.params.p.pattern: the keyword pattern must be a text"},
		{"param pattern that is too large", param("default: x, pattern: '" + strings.Repeat("(a|b){900}", 20) + "'"),
			"s:2:66: d.params.p.pattern: the pattern is too large: it may have 1000 bytes, and few repetitions"},
		{"param pattern with classes", param(`default: x, pattern: '^[\p{L}]{1,255}$'`),
			`Params=[{Name:p Default:x NoDefault:false Description: Schema:map[pattern:^[\p{L}]{1,255}$]}]`},
		{"param type of a number", param("default: 1, type: 5"),
			"s:2:63: d.params.p.type: the keyword type must be a type or a list of types"},
		{"param type in a schema", param("default: 1, schema: {type: text}"),
			`s:2:15: d.params.p: unknown type "text"; JSON Schema has [string number integer boolean array object null]`},
		{"param uniqueItems", param("default: 1, uniqueItems: 1"),
			"s:2:70: d.params.p.uniqueItems: the keyword uniqueItems must be true or false"},
		{"param minItems", param("default: 1, minItems: -1"),
			"s:2:67: d.params.p.minItems: the keyword minItems must be a number, 0 or more"},
		{"param multipleOf", param("default: 1, multipleOf: 0"),
			"s:2:69: d.params.p.multipleOf: the keyword multipleOf must be a number above 0"},
		{"param of many digits", param("default: 12345678901234567890, maximum: 123456789012345678901234567890"),
			`Params=[{Name:p Default:12345678901234567890 NoDefault:false Description: Schema:map[maximum:123456789012345678901234567890]}]`},
		{"param of many digits behind the point", param("default: 0.12345678901234567891"),
			`Params=[{Name:p Default:0.12345678901234567891 NoDefault:false Description: Schema:map[]}]`},
		{"param with a leading 0", param("default: 08540, type: string"),
			`Params=[{Name:p Default:08540 NoDefault:false Description: Schema:map[type:string]}]`},
		{"param with an exponent and no point", param("default: 1e5, type: string"),
			`Params=[{Name:p Default:1e5 NoDefault:false Description: Schema:map[type:string]}]`},
		{"param in octal of YAML 1.2", param("default: 0o17, type: string"),
			`Params=[{Name:p Default:0o17 NoDefault:false Description: Schema:map[type:string]}]`},
		{"param in octal of YAML 1.1", param("default: 017"), `Params=[{Name:p Default:15 NoDefault:false Description: Schema:map[]}]`},
		{"param const", param("default: 1, const: 2"), `Params=[{Name:p Default:1 NoDefault:false Description: Schema:map[const:2]}]`},
		{"param at an exclusive minimum", param("default: 1, type: integer, exclusiveMinimum: 1"),
			`Params=[{Name:p Default:1 NoDefault:false Description: Schema:map[exclusiveMinimum:1 type:integer]}]`},
		{"param at an exclusive maximum", param("default: 1, type: integer, exclusiveMaximum: 1"),
			`Params=[{Name:p Default:1 NoDefault:false Description: Schema:map[exclusiveMaximum:1 type:integer]}]`},
		{"param at a minimum", param("default: 1, type: integer, minimum: 1, maximum: 1"),
			`Params=[{Name:p Default:1 NoDefault:false Description: Schema:map[maximum:1 minimum:1 type:integer]}]`},
		{"param under a minimum", param("default: 0, type: integer, minimum: 1"),
			`Params=[{Name:p Default:0 NoDefault:false Description: Schema:map[minimum:1 type:integer]}]`},
		{"param over a maximum", param("default: 2, type: integer, maximum: 1"),
			`Params=[{Name:p Default:2 NoDefault:false Description: Schema:map[maximum:1 type:integer]}]`},
		{"param of the least length", param("default: ab, type: string, minLength: 2, maxLength: 2"),
			`Params=[{Name:p Default:ab NoDefault:false Description: Schema:map[maxLength:2 minLength:2 type:string]}]`},
		{"param too short", param("default: a, type: string, minLength: 2"),
			`Params=[{Name:p Default:a NoDefault:false Description: Schema:map[minLength:2 type:string]}]`},
		{"param too long", param("default: abc, type: string, maxLength: 2"),
			`Params=[{Name:p Default:abc NoDefault:false Description: Schema:map[maxLength:2 type:string]}]`},
		{"schedule empty", head("  schedule: ''\n"),
			`s:2:13: d.schedule: the schedule is empty; write none for a DAG that runs only when asked`},
		{"schedule of 1000", head("  schedule: '" + strings.Repeat("1,", 495) + "11 * * * *'\n"),
			`Schedule={Kind:cron_trigger Expr:<1,>11 * * * * Timezone:UTC Every:0:00:00 Interval:0s Late:0s}`},
		{"schedule of 1001", head("  schedule: '" + strings.Repeat("1,", 495) + "11 11 * * *'\n"),
			`s:2:13: d.schedule: the cron expression is longer than 1000 bytes`},
		{"timetable lacks cron", head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable}\n"),
			`s:2:13: d.schedule: airflow.sdk.CronTriggerTimetable needs expression`},
		{"timetable of a bad zone",
			head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: '0 6 * * *', timezone: Mars}\n"),
			`s:2:87: d.schedule.timezone: unknown time zone "Mars"; write its IANA name, such as UTC or Europe/Moscow`},
		{"timetable with an interval of months",
			head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: '0 6 * * *', timezone: UTC, interval: {__type__: dateutil.relativedelta.relativedelta, months: 1}}\n"),
			`s:2:102: d.schedule.interval: not supported by dagwright: an interval of months or years; write days`},
		{"several expressions, none given", head("  schedule: {__type__: airflow.sdk.MultipleCronTriggerTimetable, timezone: UTC}\n"),
			`s:2:13: d.schedule: airflow.sdk.MultipleCronTriggerTimetable needs cron expressions, as in __args__: ["0 6 * * *", "0 18 * * 1-5"]`},
		{"several expressions, one a preset of none",
			head("  schedule: {__type__: airflow.sdk.MultipleCronTriggerTimetable, __args__: ['@daily', '@once']}\n"),
			`s:2:76: d.schedule.__args__: "@once" cannot stand beside a cron expression`},
		{"too many expressions",
			head("  schedule: {__type__: airflow.sdk.MultipleCronTriggerTimetable, __args__: [" + strings.Repeat("'@daily',", 21) + "]}\n"),
			`s:2:76: d.schedule.__args__: 21 cron expressions are too many; 20 is the limit`},
		{"a step of no time", head("  schedule: {__type__: datetime.timedelta}\n"),
			`s:2:13: d.schedule: the time from one run to the next must be whole seconds, at least one`},
		{"a step of half a second", head("  schedule: {__type__: datetime.timedelta, seconds: 1.5}\n"),
			`s:2:13: d.schedule: the time from one run to the next must be whole seconds, at least one`},
		{"a step that sets the day", head("  schedule: {__type__: dateutil.relativedelta.relativedelta, day: 1}\n"),
			`s:2:62: d.schedule.day: dateutil.relativedelta.relativedelta has no argument "day"; did you mean "days"?`},
		{"a step of ages", head("  schedule: {__type__: dateutil.relativedelta.relativedelta, months: 100000}\n"),
			`s:2:70: d.schedule.months: must be between 0 and 100 years`},
		{"a step backwards", head("  schedule: {__type__: datetime.timedelta, hours: -1}\n"),
			`s:2:13: d.schedule: must be between 0 and 100 years`},
		{"a zone of another class", head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: '0 6 * * *', timezone: {__type__: os.system}}\n"),
			`s:2:98: d.schedule.timezone.__type__: "os.system" is not a time zone; write its name, such as UTC or Europe/Moscow`},
		{"timetable with an interval of 0",
			head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: '0 6 * * *', timezone: UTC, interval: 0}\n"),
			`Schedule={Kind:cron_trigger Expr:0 6 * * * Timezone:UTC Every:0:00:00 Interval:0s Late:0s}`},
		{"timetable not at once",
			head("  schedule: {__type__: airflow.sdk.CronTriggerTimetable, cron: '0 6 * * *', timezone: UTC, run_immediately: false}\n"),
			`Schedule={Kind:cron_trigger Expr:0 6 * * * Timezone:UTC Every:0:00:00 Interval:0s Late:0s}`},
		{"assets", head("  schedule: {and: [x]}\n"),
			`s:2:13: d.schedule: must be a cron expression in quotes, a preset such as "@daily", none, or a timetable object, not a mapping`},
		{"number too large", head("  params: {p: 1e999}\n"), `Params=[{Name:p Default:1e999 NoDefault:false Description: Schema:map[]}]`},
		{"number", head("  params: {p: 9223372036854775807}\n"),
			`Params=[{Name:p Default:9223372036854775807 NoDefault:false Description: Schema:map[]}]`},
		{"big number", head("  params: {p: 9223372036854775808}\n"),
			`Params=[{Name:p Default:9223372036854775808 NoDefault:false Description: Schema:map[]}]`},
		{"task id differs", "d:\n  tasks:\n    a: {task_id: b, image: i, operator: " + operator + "}\n", ``},
		{"task id of 250", strings.Replace(withTask(""), "task_id: a", "task_id: "+long(250), 1), `task.ID=<250>`},
		{"task id of 251", strings.Replace(withTask(""), "task_id: a", "task_id: "+long(251), 1),
			`s:3:16: d.tasks[0].task_id: id "<80>"… has 251 characters; want 250 at most`},
		{"empty image", strings.Replace(withTask(""), "image: i", "image: ' '", 1),
			`s:5:14: d.tasks[0].image: must not be empty`},
		{"task doc", withTask("      doc_md: x\n"), `task.DocMD=x`},
		{"backoff of a factor", withTask("      retry_exponential_backoff: 1.5\n"), `task.RetryBackoff=1.5`},
		{"backoff of 1000", withTask("      retry_exponential_backoff: 1000\n"), `task.RetryBackoff=1000`},
		{"backoff above", withTask("      retry_exponential_backoff: 1000.5\n"),
			`s:6:34: d.tasks[0].retry_exponential_backoff: must be true, false or a factor from 0 to 1000`},
		{"backoff below", withTask("      retry_exponential_backoff: -1\n"),
			`s:6:34: d.tasks[0].retry_exponential_backoff: must be true, false or a factor from 0 to 1000`},
		{"backoff of words", withTask("      retry_exponential_backoff: x\n"),
			`s:6:34: d.tasks[0].retry_exponential_backoff: must be true or false, not a string`},
		{"backoff off", withTask("      retry_exponential_backoff: false\n"), ``},
		{"deletes its pod", withTask("      is_delete_operator_pod: true\n"), `task.Pod=map[on_finish_action:delete_pod]`},
		{"keeps its pod", withTask("      is_delete_operator_pod: false\n"), `task.Pod=map[on_finish_action:keep_pod]`},
		{"keeps its pod by the newer key",
			withTask("      on_finish_action: delete_succeeded_pod\n      is_delete_operator_pod: false\n"),
			`task.Pod=map[on_finish_action:delete_succeeded_pod]`},
		{"finish action", withTask("      on_finish_action: nope\n"),
			`s:6:25: d.tasks[0].on_finish_action: "nope" is none of delete_pod, keep_pod, delete_succeeded_pod, delete_active_pod`},
		{"exit code 255", withTask("      skip_on_exit_code: [0, 255]\n"), `task.Pod=map[skip_on_exit_code:[0 255]]`},
		{"exit code 256", withTask("      skip_on_exit_code: 256\n"),
			`s:6:26: d.tasks[0].skip_on_exit_code: an exit code is at most 255`},
		{"exit code of text", withTask("      skip_on_exit_code: [x]\n"),
			`s:6:27: d.tasks[0].skip_on_exit_code[0]: must be a whole number, not a string`},
		{"labels", withTask("      labels: {a: b}\n"), `task.Pod=map[labels:map[a:b]]`},
		{"labels list", withTask("      labels: [a]\n"),
			`s:6:15: d.tasks[0].labels: must be a mapping of strings, not a list`},
		{"node selector", withTask("      node_selector: {a: 1}\n"), `task.Pod=map[node_selector:map[a:1]]`},
		{"env list", withTask("      env_vars: [x]\n"),
			`s:6:18: d.tasks[0].env_vars[0]: must be {name: …, value: …}, not a string`},
		{"env text", withTask("      env_vars: x\n"),
			`s:6:17: d.tasks[0].env_vars: must be a mapping of names to values or a list of {name, value}, not a string`},
		{"env without name", withTask("      env_vars: [{value: x}]\n"),
			`s:6:18: d.tasks[0].env_vars[0]: an environment variable needs a name`},
		{"env unknown key", withTask("      env_vars: [{name: A, valu: x}]\n"),
			`s:6:28: d.tasks[0].env_vars[0].valu: unknown key "valu"; did you mean "value"?`},
		{"env twice", withTask("      env_vars: [{name: A, value: x}, {name: A, value: y}]\n"),
			`s:6:46: d.tasks[0].env_vars[1].name: variable "A" stands twice in this list`},
		{"env both", withTask("      env_vars: [{name: A, value: x, value_from: {field_ref: {field_path: a}}}]\n"),
			`s:6:18: d.tasks[0].env_vars[0]: variable "A" has both a value and value_from`},
		{"env bad name", withTask("      env_vars: [{name: 1A, value: x}]\n"),
			`s:6:25: d.tasks[0].env_vars[0].1A: "1A" is not a name for an environment variable: use letters, digits, "_", "-" and ".", not beginning with a digit, at most 250 characters`},
		{"env no text name", withTask("      env_vars: [{name: [], value: x}]\n"),
			`s:6:25: d.tasks[0].env_vars[0].name: must be a string, not a list`},
		{"env valueFrom", withTask("      env_vars: [{name: A, valueFrom: {fieldRef: {fieldPath: a}}}]\n"),
			`task.Pod=map[env_vars:[map[name:A valueFrom:map[fieldRef:map[fieldPath:a]]]]]`},
		{"secret", withTask(
			"      secrets: [{__type__: airflow.providers.cncf.kubernetes.secret.Secret, deploy_type: env, deploy_target: A, secret: s, key: k}]\n"),
			`task.Pod=map[secrets:[map[deploy_target:A deploy_type:env key:k secret:s]]]`},
		{"secret of args",
			withTask("      secrets: [{__type__: airflow.providers.cncf.kubernetes.secret.Secret, __args__: [env, A, s, k]}]\n"),
			`task.Pod=map[secrets:[map[deploy_target:A deploy_type:env key:k secret:s]]]`},
		{"secret lacks",
			withTask("      secrets: [{__type__: airflow.providers.cncf.kubernetes.secret.Secret, deploy_type: env}]\n"),
			`s:6:17: d.tasks[0].secrets[0]: a secret needs secret`},
		{"secret is text", withTask("      secrets: [x]\n"),
			`s:6:17: d.tasks[0].secrets[0]: must be a secret {deploy_type, deploy_target, secret, key}, not a string`},
		{"secret of a class", withTask("      secrets: [{__type__: datetime.timedelta}]\n"),
			`s:6:28: d.tasks[0].secrets[0].__type__: "datetime.timedelta" is not a secret; write airflow.providers.cncf.kubernetes.secret.Secret`},
		{"secrets are text", withTask("      secrets: x\n"), `s:6:16: d.tasks[0].secrets: must be a list, not a string`},
		{"volumes are text", withTask("      volumes: x\n"), `s:6:16: d.tasks[0].volumes: must be a list, not a string`},
		{"volume is text", withTask("      volumes: [x]\n"),
			`s:6:17: d.tasks[0].volumes[0]: must be a mapping, not a string`},
		{"volume twice spelt",
			withTask("      volumes: [{__type__: kubernetes.client.models.V1Volume, name: v, empty_dir: {}, emptyDir: {}}]\n"),
			`s:6:87: d.tasks[0].volumes[0].emptyDir: "emptyDir" is given twice, in two spellings`},
		{"volume of args", withTask("      volumes: [{__type__: kubernetes.client.models.V1Volume, __args__: [v], name: w}]\n"),
			`task.Pod=map[volumes:[map[awsElasticBlockStore:v name:w]]]`},
		{"object of too many args",
			withTask("      volume_mounts: [{__type__: kubernetes.client.V1VolumeMount, __args__: [1, 2, 3, 4, 5, 6, 7, 8]}]\n"),
			`s:6:77: d.tasks[0].volume_mounts[0].__args__: kubernetes.client.V1VolumeMount takes at most 7 positional arguments: mount_path, mount_propagation, name, read_only, recursive_read_only, sub_path, sub_path_expr`},
		{"object by position and by name",
			withTask("      volume_mounts: [{__type__: kubernetes.client.V1VolumeMount, __args__: [/a], mount_path: /b}]\n"),
			`s:6:83: d.tasks[0].volume_mounts[0].mount_path: "mountPath" is given twice, in two spellings`},
		{"variable by position", withTask("      env_vars: [{__type__: kubernetes.client.V1EnvVar, __args__: [A, b]}]\n"),
			`task.Env=[{Name:A Value:b}]`},
		{"variable by position without a class", withTask("      env_vars: [{__args__: [A, b]}]\n"),
			`s:6:19: d.tasks[0].env_vars[0].__args__: unknown key "__args__"`},
		{"object of args without a known order",
			withTask("      affinity: {__type__: kubernetes.client.models.V1Namespace, __args__: [x]}\n"),
			`s:6:76: d.tasks[0].affinity.__args__: kubernetes.client.models.V1Namespace takes named arguments only`},
		{"volume with null",
			withTask("      volumes: [{__type__: kubernetes.client.models.V1Volume, name: v, empty_dir: }]\n"),
			`task.Pod=map[volumes:[map[name:v]]]`},
		{"affinity is text", withTask("      affinity: x\n"), `s:6:17: d.tasks[0].affinity: must be a mapping, not a string`},
		{"affinity of a date", withTask("      affinity: {__type__: datetime.date, __args__: [2026, 1, 2]}\n"),
			`s:6:17: d.tasks[0].affinity: must be a Kubernetes object, not "datetime.date"`},
		{"pull secrets", withTask("      image_pull_secrets: x\n"), `task.Pod=map[image_pull_secrets:[map[name:x]]]`},
		{"pull secrets list", withTask("      image_pull_secrets: [{name: x}]\n"),
			`task.Pod=map[image_pull_secrets:[map[name:x]]]`},
		{"pull policy", withTask("      image_pull_policy: Sometimes\n"),
			`s:6:26: d.tasks[0].image_pull_policy: "Sometimes" is none of Always, IfNotPresent, Never`},
		{"termination", withTask("      termination_grace_period: -1\n"),
			`s:6:33: d.tasks[0].termination_grace_period: must be a whole number from 0 to 2147483647`},
		{"termination of 0", withTask("      termination_grace_period: 0\n"), `task.Pod=map[termination_grace_period:0]`},
		{"log containers", withTask("      container_logs: [a, b]\n"), `task.Pod=map[container_logs:[a b]]`},
		{"log container", withTask("      container_logs: a\n"), `task.Pod=map[container_logs:a]`},
		{"log all", withTask("      container_logs: true\n"), `task.Pod=map[container_logs:true]`},
		{"list object", withTask("      cmds: {__type__: builtins.list, items: [a]}\n"), `task.Cmds=[a]`},
		{"list object, no items", withTask("      tolerations: {__type__: builtins.list}\n"),
			`s:6:20: d.tasks[0].tolerations: must be a list, not a mapping`},
		{"list object of text", withTask("      tolerations: {__type__: builtins.list, items: x}\n"),
			`s:6:20: d.tasks[0].tolerations: must be a list, not a mapping`},
		{"merge of a list", "x: &x {catchup: true}\nd:\n  <<: [*x]\n  tasks:\n" + task,
			`s:1:4: x: a DAG needs tasks: a list of {task_id, operator, …}`},
		{"merge of text", "d:\n  <<: x\n  tasks:\n" + task, `s:2:7: d.<<: a merge key wants a mapping, not a string`},
		{"merge of a list of text", "d:\n  <<: [x]\n  tasks:\n" + task,
			`s:2:8: d.<<[0]: a merge key wants mappings, not a string`},
		{"key is a list", "d:\n  ? [a]\n  : 1\n  tasks:\n" + task, `s:2:5: d: a key must be a string, not a list or mapping`},
		{"key with a NUL", "d:\n  \"a\\0\": 1\n  tasks:\n" + task, `s:2:3: d: a key has a NUL character`},
		{"defaults is text", "default: x\nd:\n  tasks:\n" + task,
			`s:1:10: default: must be a mapping of DAG keys, not a string`},
	} {
		dags, err := dag.Parse("s", []byte(c.source))
		var got string
		switch {
		case err != nil:
			got = err.Error()
		case len(dags) == 1:
			got = difference(base, dags[0])
		}
		if got = shown.Replace(got); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// difference writes the fields of a DAG with one task, and of the task, that are not as
// in another.
func difference(base, d *dag.DAG) string {
	var b strings.Builder
	write := func(prefix string, from, to reflect.Value) {
		for i := range from.NumField() {
			name := from.Type().Field(i).Name
			if v := to.Field(i).Interface(); name != "Tasks" && !reflect.DeepEqual(from.Field(i).Interface(), v) {
				fmt.Fprintf(&b, " %s%s=%+v", prefix, name, v)
			}
		}
	}
	write("", reflect.ValueOf(*base), reflect.ValueOf(*d))
	write("task.", reflect.ValueOf(base.Tasks[0]), reflect.ValueOf(d.Tasks[0]))
	return strings.TrimSpace(b.String())
}

// TestParseLimits has as many tasks, groups and levels of groups as a DAG may have, and
// one more.
func TestParseLimits(t *testing.T) {
	t.Parallel()
	many := func(n int, item func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(item(i))
		}
		return b.String()
	}
	tasks := func(n int) string {
		return "d:\n  tasks:\n" + many(n, func(i int) string { return cycleTask(fmt.Sprint("t", i), "") })
	}
	groups := func(n int) string {
		return "d:\n  task_groups:\n" + many(n, func(i int) string { return fmt.Sprintf("    - {group_name: g%d}\n", i) }) +
			"  tasks:\n" + task
	}
	nested := func(n int) string {
		return "d:\n  task_groups:\n    - {group_name: g0}\n" + many(n-1, func(i int) string {
			return fmt.Sprintf("    - {group_name: g%d, parent_group_name: g%d}\n", i+1, i)
		}) + "  tasks:\n" + task
	}
	grouped := func(n int, group string) string {
		return many(n, func(i int) string {
			return fmt.Sprintf("    - {task_id: %s%d, task_group_name: %s, image: i, operator: %s}\n", group, i, group, operator)
		})
	}
	edges := func(from, to int) string {
		return "d:\n  task_groups: [{group_name: g}, {group_name: h, dependencies: [g]}]\n  tasks:\n" + grouped(from, "g") +
			grouped(to, "h")
	}
	for name, c := range map[string]struct{ source, want string }{
		"50000 edges":    {edges(200, 250), ""},
		"50200 edges":    {edges(200, 251), "s:2:65: d: more than 50000 dependencies between tasks"},
		"1000 tasks":     {tasks(1000), ""},
		"1001 tasks":     {tasks(1001), "s:3:5: d.tasks: 1001 tasks are too many; 1000 is the limit"},
		"1000 groups":    {groups(1000), ""},
		"1001 groups":    {groups(1001), "s:3:5: d.task_groups: more than 1000 task groups"},
		"as deep as may": {nested(10), ""},
		"one level more": {nested(11), "s:13:7: d.task_groups[10]: task groups nest deeper than 10"},
	} {
		got := ""
		if _, err := dag.Parse("s", []byte(c.source)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
