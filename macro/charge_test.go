package macro

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
)

// textSize is that of the text that the costly operations work on.
const textSize = 128 << 10

// costlyValues are the largest operands of the rows of costly: texts of many
// characters that are not ASCII, lists of many items, and of texts that differ in
// their last byte.
func costlyValues() map[string]any {
	text := strings.Repeat("Ä\x01é a", textSize/7)
	numbers, texts := make(list, 20_000), make(list, 100)
	for i := range numbers {
		numbers[i] = int64(len(numbers)*1000 - i)
	}
	for i := range texts {
		texts[i] = fmt.Sprintf("%s%02d", strings.Repeat("k", 2000), (i*37)%100)
	}
	d := newDict()
	for _, v := range texts {
		d.set(v.(string), v)
	}
	same := slices.Clone(texts)
	return map[string]any{
		"x": text, "y": text[:len(text)-1] + "b", "z": strings.Clone(text), "n": numbers, "l": texts, "same": same, "d": d,
		"k":      texts[99],
		"spaces": strings.Repeat(" ", textSize), "zeros": strings.Repeat("0", textSize), "a": strings.Repeat("a", textSize),
		"marks": strings.Repeat("%c", 20_000), "opens": strings.Repeat("[", 20_000), "zs": strings.Repeat("z", 20_000),
		"json": "[" + strings.Repeat("{},1,", 20_000) + "1]", "m": utc(time.Unix(0, 0)),
	}
}

// costly has the most expensive way to use each operator, filter, test, method
// and function in one step, and the bytes that it reads or writes at least.
var costly = []struct {
	name, expression string
	touches          int
}{
	{"+ text", "x + z", 2 * textSize},
	{"+ list", "n + n", 2 * 20_000 * 16},
	{"* text", "x * 20", 20 * textSize},
	{"* list", "n * 20", 20 * 20_000 * 16},
	{"~", "x ~ l", 2 * textSize},
	{"== text", "x == z", textSize},
	{"== list", "l == same", 100 * 2000},
	{"!= text", "x != y", textSize},
	{"< text", "x < y", textSize - 10},
	{"<= text", "x <= y", textSize - 10},
	{"> text", "x > y", textSize - 10},
	{">= text", "x >= y", textSize - 10},
	{"in text", "'nowhere' in x", textSize},
	{"in list", "'nowhere' in n", 20_000},
	{"in dict", "k in d", 2000},
	{"index", "x[0]", 4},
	{"index from the end", "x[-1]", 4},
	{"index of the middle", "x[60000]", 60_000},
	{"slice", "x[1:-1]", textSize},
	{"slice list", "n[1:-1]", 0},
	{"key", "d[k]", 2000},
	{"attribute of a long name", "m[x] is defined", 0},
	{"list literal", "[x, x, x]", 48},
	{"dict literal", "{k: x}", 2000},
	{"range", "range(10000)", 10_000 * 16},
	{"loop over text", "[x|first]", 4},

	{"filter abs", "1|abs", 0},
	{"filter capitalize", "x|capitalize", textSize},
	{"filter count", "x|count", textSize},
	{"filter d", "nope|d(x)", 0},
	{"filter default", "nope|default(x)", 0},
	{"filter ds", "m|ds", 0},
	{"filter ds_nodash", "m|ds_nodash", 0},
	{"filter e", "x|e", textSize},
	{"filter escape", "x|escape", textSize},
	{"filter first", "x|first", 0},
	{"filter float", "zeros|float", textSize},
	{"filter int", "zeros|int", textSize},
	{"filter items", "d|items", 100 * 48},
	{"filter join", "n|join(', ')", 20_000 * 8},
	{"filter last", "x|last", 0},
	{"filter length", "x|length", textSize},
	{"filter list", "x|list", textSize},
	{"filter lower", "x|lower", textSize},
	{"filter max", "l|max", 100 * 2000},
	{"filter min", "l|min", 100 * 2000},
	{"filter replace", "a|replace('a', 'bcd')", 3 * textSize},
	{"filter reverse", "x|reverse", textSize},
	{"filter round", "1.5|round", 0},
	{"filter sort", "l|sort", 100 * 2000 * 4},
	{"filter string", "n|string", 20_000 * 8},
	{"filter sum", "n|sum", 20_000 * 16},
	{"filter title", "x|title", textSize},
	{"filter tojson", "x|tojson", textSize},
	{"filter trim", "spaces|trim", textSize},
	{"filter ts", "m|ts", 0},
	{"filter ts_nodash", "m|ts_nodash", 0},
	{"filter ts_nodash_with_tz", "m|ts_nodash_with_tz", 0},
	{"filter unique", "l|unique", 100 * 2000},
	{"filter upper", "x|upper", textSize},
	{"filter urlencode", "x|urlencode", 3 * textSize},

	{"test boolean", "x is boolean", 0},
	{"test defined", "x is defined", 0},
	{"test divisibleby", "4 is divisibleby 2", 0},
	{"test eq", "x is eq z", textSize},
	{"test equalto", "x is equalto z", textSize},
	{"test even", "2 is even", 0},
	{"test false", "x is false", 0},
	{"test float", "x is float", 0},
	{"test ge", "x is ge y", textSize - 10},
	{"test gt", "x is gt y", textSize - 10},
	{"test greaterthan", "x is greaterthan y", textSize - 10},
	{"test in", "'nowhere' is in(x)", textSize},
	{"test integer", "x is integer", 0},
	{"test iterable", "x is iterable", 0},
	{"test le", "x is le y", textSize - 10},
	{"test lessthan", "x is lessthan y", textSize - 10},
	{"test lower", "x is lower", textSize},
	{"test lt", "x is lt y", textSize - 10},
	{"test mapping", "x is mapping", 0},
	{"test ne", "x is ne y", textSize},
	{"test none", "x is none", 0},
	{"test number", "x is number", 0},
	{"test odd", "3 is odd", 0},
	{"test sequence", "x is sequence", 0},
	{"test string", "x is string", 0},
	{"test true", "x is true", 0},
	{"test undefined", "x is undefined", 0},
	{"test upper", "x is upper", textSize},

	{"method lower", "x.lower()", textSize},
	{"method upper", "x.upper()", textSize},
	{"method title", "x.title()", textSize},
	{"method capitalize", "x.capitalize()", textSize},
	{"method strip", "a.strip(a)", 2 * textSize},
	{"method lstrip", "a.lstrip(x ~ 'a')", 2 * textSize},
	{"method rstrip", "spaces.rstrip()", textSize},
	{"method startswith", "x.startswith(z)", textSize},
	{"method endswith", "x.endswith(z)", textSize},
	{"method isdigit", "zeros.isdigit()", textSize},
	{"method replace", "x.replace('', '-')", 2 * textSize},
	{"method split", "a.split('a')", textSize * 16},
	{"method join", "x.join(['a', 'b', 'c', 'd', 'e'])", 4 * textSize},
	{"method zfill", "x.zfill(1000)", textSize},
	{"split at spaces", "x.split()", textSize},

	{"dict get", "d.get(k)", 2000},
	{"dict items", "d.items()", 100 * 48},
	{"dict keys", "d.keys()", 100 * 16},
	{"dict values", "d.values()", 100 * 16},

	{"moment add", "m.add(years=1, months=1, days=1, hours=1)", 0},
	{"moment subtract", "m.subtract(years=1, months=1, days=1, hours=1)", 0},
	{"moment date", "m.date()", 0},
	{"moment end_of", "m.end_of('month')", 0},
	{"moment format", "m.format(opens)", 20_000},
	{"moment format of zones", "m.format(zs)", 20_000 * 3},
	{"moment in_timezone", "m.in_timezone('America/Argentina/ComodRivadavia')", 0},
	{"moment in_tz", "m.in_tz('Europe/Moscow')", 0},
	{"moment isoformat", "m.isoformat()", 0},
	{"moment isoweekday", "m.isoweekday()", 0},
	{"moment start_of", "m.start_of('month')", 0},
	{"moment strftime", "m.strftime(marks)", 20_000 * 24},
	{"moment timestamp", "m.timestamp()", 0},
	{"moment to_date_string", "m.to_date_string()", 0},
	{"moment to_datetime_string", "m.to_datetime_string()", 0},
	{"moment to_iso8601_string", "m.to_iso8601_string()", 0},
	{"moment to_time_string", "m.to_time_string()", 0},
	{"moment weekday", "m.weekday()", 0},

	{"macros.ds_add", "macros.ds_add('2026-01-31', 1)", 0},
	{"macros.ds_format", "macros.ds_format('2026', '%Y', marks)", 20_000 * 24},
	{"macros.timedelta", "macros.timedelta(days=1)", 0},
	{"macros.datetime", "macros.datetime(2026, 1, 1)", 0},
	{"macros.datetime.strptime", "macros.datetime.strptime('2026', '%Y')", 0},
	{"macros.datetime.fromisoformat", "macros.datetime.fromisoformat('2026-01-31')", 0},
	{"macros.json.dumps", "macros.json.dumps(d)", 100 * 4000},
	{"filter map", "n|map('string')", 20_000 * 16},
	{"filter rejectattr", "n|rejectattr('nope', 'defined')", 20_000 * 16},
	{"filter safe", "n|safe", 20_000 * 8},
	{"filter groupby", "([d] * 1000)|groupby(k)", 1000 * 2000},
	{"filter striptags", "('<a>' ~ x)|striptags", textSize},
	{"filter forceescape", "x|forceescape", textSize},
	{"filter batch", "n|batch(1)", 20_000 * 24},
	{"filter selectattr", "n|selectattr('nope', 'undefined')", 20_000 * 16},
	{"filter attr", "m|attr('year')", 0},
	{"filter format", "'%s%s'|format(x, x)", 2 * textSize},
	{"filter indent", "('\\n' * 100_000)|indent(1, true, true)", 200_000},
	{"filter reject", "l|reject('eq', k)", 100 * 2000},
	{"filter slice", "n|slice(10000, 1)", 30_000 * 16},
	{"filter center", "x|center(1000000)", 1_000_000},
	{"filter filesizeformat", "zeros|filesizeformat", textSize},
	{"filter select", "l|select('eq', k)", 100 * 2000},
	{"filter wordcount", "x|wordcount", textSize},
	{"filter wordwrap", "(x[:20000])|wordwrap(1)", 20_000},
	{"filter xmlattr", "d|xmlattr", 100 * 4000},
	{"filter dictsort", "d|dictsort", 100 * 2000},
	{"filter truncate", "x|truncate(1000)", textSize},
	{"test !=", "[x]|select('!=', z)|list", textSize},
	{"test <", "[x]|select('<', y)|list", textSize - 10},
	{"test ==", "[x]|select('==', z)|list", textSize},
	{"test >", "[x]|select('>', y)|list", textSize - 10},
	{"test >=", "[x]|select('>=', y)|list", textSize - 10},
	{"test <=", "[x]|select('<=', y)|list", textSize - 10},
	{"test callable", "x is callable", 0},
	{"test sameas", "x is sameas none", 0},
	{"test filter", "x is filter", 0},
	{"method center", "x.center(1000000, 'é')", 2_000_000},
	{"method ljust", "x.ljust(1000000)", 1_000_000},
	{"method rjust", "x.rjust(1000000)", 1_000_000},
	{"method removesuffix", "x.removesuffix(z)", textSize},
	{"method removeprefix", "x.removeprefix(z)", textSize},
	{"method rfind", "x.rfind('nowhere')", textSize},
	{"method rindex", "x.rindex('a')", textSize},
	{"method find", "x.find('nowhere')", textSize},
	{"method index", "y.rindex('b') + y.index('b')", textSize},
	{"method count", "x.count('a')", textSize},
	{"method format", "'{}{:1000}'.format(x, x)", 2 * textSize},
	{"method swapcase", "x.swapcase()", textSize},
	{"method casefold", "x.casefold()", textSize},
	{"method partition", "x.partition('nowhere')", textSize},
	{"method rpartition", "x.rpartition('nowhere')", textSize},
	{"method rsplit", "a.rsplit('a', 100000)", textSize * 16},
	{"method splitlines", "('\\n' * 100_000).splitlines()", 100_000 * 16},
	{"method isalpha", "a.isalpha()", textSize},
	{"method isalnum", "a.isalnum()", textSize},
	{"method isdecimal", "zeros.isdecimal()", textSize},
	{"method isspace", "spaces.isspace()", textSize},
	{"method istitle", "a.istitle()", textSize},
	{"method islower", "a.islower()", textSize},
	{"method isnumeric", "zeros.isnumeric()", textSize},
	{"method isupper", "a.isupper()", textSize},
	{"moment to_rfc2822_string", "m.to_rfc2822_string()", 0},
	{"moment to_rss_string", "m.to_rss_string()", 0},
	{"moment to_w3c_string", "m.to_w3c_string()", 0},
	{"moment is_utc", "m.is_utc()", 0},
	{"moment on", "m.on(2026, 1, 31)", 0},
	{"moment tzname", "m.tzname()", 0},
	{"moment to_rfc1123_string", "m.to_rfc1123_string()", 0},
	{"moment last_of", "m.last_of('year', 3)", 0},
	{"moment replace", "m.replace(year=2026, tzinfo=m.tz)", 0},
	{"moment to_atom_string", "m.to_atom_string()", 0},
	{"moment diff_for_humans", "m.diff_for_humans(m)", 0},
	{"moment dst", "m.dst()", 0},
	{"moment is_dst", "m.is_dst()", 0},
	{"moment is_leap_year", "m.is_leap_year()", 0},
	{"moment naive", "m.naive()", 0},
	{"moment time", "m.time()", 0},
	{"moment toordinal", "m.toordinal()", 0},
	{"moment to_formatted_date_string", "m.to_formatted_date_string()", 0},
	{"moment is_birthday", "m.is_birthday(m)", 0},
	{"moment is_same_day", "m.is_same_day(m)", 0},
	{"moment isocalendar", "m.isocalendar()", 0},
	{"moment next", "m.next()", 0},
	{"moment previous", "m.previous()", 0},
	{"moment to_rfc1036_string", "m.to_rfc1036_string()", 0},
	{"moment to_rfc3339_string", "m.to_rfc3339_string()", 0},
	{"moment utcoffset", "m.utcoffset()", 0},
	{"moment get_offset", "m.get_offset()", 0},
	{"moment nth_of", "m.nth_of('year', 50, 3)", 0},
	{"moment set", "m.set(year=2026, tz='Europe/Moscow')", 0},
	{"moment to_rfc850_string", "m.to_rfc850_string()", 0},
	{"moment astimezone", "m.astimezone(m.tz)", 0},
	{"moment average", "m.average(m)", 0},
	{"moment closest", "m.closest(m, m)", 0},
	{"moment diff", "m.diff(m)", 0},
	{"moment to_cookie_string", "m.to_cookie_string()", 0},
	{"moment to_rfc822_string", "m.to_rfc822_string()", 0},
	{"moment at", "m.at(12)", 0},
	{"moment ctime", "m.ctime()", 0},
	{"moment farthest", "m.farthest(m, m)", 0},
	{"moment first_of", "m.first_of('year', 3)", 0},
	{"moment is_anniversary", "m.is_anniversary(m)", 0},
	{"moment is_long_year", "m.is_long_year()", 0},
	{"moment to_day_datetime_string", "m.to_day_datetime_string()", 0},
	{"dict", "dict(d, a=x)", 100 * 2000},
	{"namespace", "namespace(d, a=x)", 100 * 2000},
	{"list count", "l.count(k)", 100 * 2000},
	{"list index", "l.index(k)", 37 * 2000},
	{"span in_words", "(m - m).in_words('en', x)", textSize},
	{"span total_seconds", "(m - m).total_seconds()", 0},
	{"span total_minutes", "(m - m).total_minutes()", 0},
	{"span total_hours", "(m - m).total_hours()", 0},
	{"span total_days", "(m - m).total_days()", 0},
	{"span total_weeks", "(m - m).total_weeks()", 0},
	{"span in_years", "(m - m).in_years()", 0},
	{"span in_months", "(m - m).in_months()", 0},
	{"span in_weeks", "(m - m).in_weeks()", 0},
	{"span in_days", "(m - m).in_days()", 0},
	{"span in_hours", "(m - m).in_hours()", 0},
	{"span in_minutes", "(m - m).in_minutes()", 0},
	{"span in_seconds", "(m - m).in_seconds()", 0},
	{"span as_duration", "(m - m).as_duration()", 0},
	{"span as_timedelta", "(m - m).as_timedelta()", 0},
	{"% text", "'%s%s' % (x, x)", 2 * textSize},
	{"% width", "'%1000000d' % 1", 1_000_000},
	{"% precision", "'%.1000f' % 1", 1000},
	{"% repeated", "('%s' * 20000) % (('ab',) * 20000)", 20_000},
	{"format of a width", "'{:é>1000000}'.format(1)", 2_000_000},
	{"format of dates", "('{0:%c}' * 10000).format(m)", 10_000 * 24},
	{"format of many braces", "('{{' * 60000).format(1)", 60_000},
	{"format along a path", "('{0' ~ '[0]' * 20000 ~ '}').format('a')", 20_000},
	{"slice with a step", "x[::2]", textSize},
	{"slice of a list with a step", "n[::-1]", 20_000 * 16},
	{"comparison of lists", "l < same", 100 * 2000},
	{"tuple literal", "(x, x, x)", 48},
	{"spread", "''.format(*n)", 20_000 * 16},
	{"repr of a text", "'%r' % x", textSize},
	{"sort by attributes", "([d] * 100)|sort(attribute=k ~ ',' ~ k)", 100 * 2000},
	{"query", "d|urlencode", 100 * 4000},
	{"unique tuples", "([(k, x)] * 2)|unique", 2 * textSize},
	{"macros.dateutil.parser.parse", "macros.dateutil.parser.parse('31 Jan 2026 3:04 PM')", 0},
	{"macros.dateutil.parser.isoparse", "macros.dateutil.parser.isoparse('2026-01-31')", 0},
	{"macros.dateutil.relativedelta.relativedelta",
		"m + macros.dateutil.relativedelta.relativedelta(months=1, weekday=0)", 0},
	{"macros.ds_format_locale", "macros.ds_format_locale('2026', '%Y', 'EEEE,' * 20000, 'en')", 0},
	{"macros.datetime_diff_for_humans", "macros.datetime_diff_for_humans(m, m)", 0},
	{"macros.datetime.strftime", "macros.datetime.strftime(m, marks)", 20_000 * 24},
	{"strptime of a long text", "macros.datetime.strptime('%' * 60000, '%%' * 60000)", 120_000},
	{"filter pprint", "['a']|pprint", 0},
	{"macros.json.loads", "macros.json.loads(json)", 100_000},
}

// TestEverythingIsCharged asks for a row of costly for whatever a template may
// call.
func TestEverythingIsCharged(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, row := range costly {
		have[row.name] = true
	}
	want := func(kind string, names ...string) {
		for _, name := range names {
			if !have[kind+name] {
				t.Errorf("nothing is known of the cost of %s%s", kind, name)
			}
		}
	}
	want("filter ", slices.Collect(maps.Keys(filters))...)
	want("test ", slices.Collect(maps.Keys(tests))...)
	want("method ", slices.Collect(maps.Keys(stringMethods))...)
	want("moment ", slices.Collect(maps.Keys(momentMethods))...)
	want("dict ", dictMethods...)
	want("list ", listMethods...)
	want("span ", spanMethods...)
	want("", slices.Collect(maps.Keys(globals))...)
}

// spent is what one expression took.
type spent struct {
	work, memory int
	allocated    uint64
	elapsed      time.Duration
	err          error
}

// evaluate executes a template with the values of costly and returns its budget.
func evaluate(tb testing.TB, parsed *template, values map[string]any) (*budget, error) {
	tb.Helper()
	b := newBudget(tb.Context(), time.Minute)
	e := &evaluation{
		budget: b, names: newNames(Context{DAG: &dag.DAG{}, Task: &dag.Task{}}, b),
		literals: parsed.literals, scopes: []map[string]any{maps.Clone(values)}, out: &strings.Builder{},
	}
	return b, e.run(parsed.body)
}

// measure evaluates one expression.
func measure(tb testing.TB, expression string, values map[string]any) spent {
	tb.Helper()
	parsed := parseForTest(tb, "{% set result = "+expression+" %}")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	b, err := evaluate(tb, parsed, values)
	elapsed := time.Since(began)
	runtime.ReadMemStats(&after)
	return spent{work: b.work, memory: b.memory, allocated: after.TotalAlloc - before.TotalAlloc,
		elapsed: elapsed, err: err}
}

func parseForTest(tb testing.TB, source string) *template {
	tb.Helper()
	parsed, err := parse(source)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed
}

// TestChargedBeforeSpent holds that no operation touches more than it is charged
// for, nor allocates more than three times its charge. It counts what the process
// allocates, so that it is not parallel.
func TestChargedBeforeSpent(t *testing.T) {
	values := costlyValues()
	for _, row := range costly {
		t.Run(row.name, func(t *testing.T) {
			measure(t, row.expression, values) // tables of the runtime and of zones are made once
			got := measure(t, row.expression, values)
			if got.err != nil {
				t.Fatal(got.err)
			}
			if got.work < row.touches {
				t.Errorf("%s was charged %d bytes and touches %d", row.expression, got.work, row.touches)
			}
			if most := uint64(3*got.memory + 16<<10); got.allocated > most {
				t.Errorf("%s was charged %d bytes of memory and took %d", row.expression, got.memory, got.allocated)
			}
		})
	}
}

// BenchmarkWorstStep reports, for each operation, the nanoseconds of a thousand
// charged bytes: the limit of 64 MiB times the worst of them is what a hostile
// task can take of a processor.
func BenchmarkWorstStep(b *testing.B) {
	values := costlyValues()
	for _, row := range costly {
		b.Run(strings.ReplaceAll(row.name, " ", "_"), func(b *testing.B) {
			source := "{% set result = " + row.expression + " %}"
			if row.touches < 1000 {
				source = "{% for i in range(100) %}" + source + "{% endfor %}"
			}
			parsed, work := parseForTest(b, source), 0
			for b.Loop() {
				took, err := evaluate(b, parsed, values)
				if err != nil {
					b.Fatal(err)
				}
				work += took.work
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())*1000/float64(work), "ns/1000charged")
		})
	}
}

// hostile are templates that took a whole instance's memory or time before their
// operations were charged.
var hostile = map[string]string{
	"characters": "{% set x = 'aaaaaaaa' * 500000 %}" + nested(40, "x"),
	"keys": "{% set x = macros.json.loads('{' ~ (range(3000)|join(',')).replace(',', '\":1,\"').replace('0\"', '\"0\"', 1) ~ '\":1}') %}" +
		nested(40, "x"),
	"unpacked":             "{% set x = 'ab' * 1000000 %}{% for i in range(10000) %}{% for a, b in [x] %}{% endfor %}{% endfor %}",
	"copies":               "{% set x = range(10000) %}{% for i in range(9999) %}{% set y = x|list %}{% endfor %}",
	"items":                "{% set x = 'a' * 2000000 %}" + loops("{% set y = x[0] ~ x[-1] ~ x[1000000] %}"),
	"extremes":             "{% set x = 'Ab' * 1000000 %}" + loops("{% set y = [x, x]|max %}"),
	"sorted":               "{% set x = 'a' * 2000000 %}" + loops("{% set y = ([x] * 300)|sort %}"),
	"sorted as they are":   "{% set x = 'a' * 2000000 %}" + loops("{% set y = ([x] * 300)|sort(case_sensitive=true) %}"),
	"compared":             "{% set x = 'a' * 2000000 %}{% set y = x ~ 'b' %}" + loops("{% set z = x ~ 'a' == y %}"),
	"ordered":              "{% set x = 'a' * 2000000 %}{% set y = x ~ 'b' %}" + loops("{% set z = x < y %}"),
	"counted":              "{% set x = 'ä' * 1000000 %}" + loops("{{ x|length }}"),
	"stripped":             "{% set x = 'ä' * 500000 %}" + loops("{% set y = x.strip(x) %}"),
	"searched":             "{% set x = 'a' * 2000000 %}" + loops("{% set y = 'ab' in x %}"),
	"keys of a dict":       "{% set x = 'a' * 1000000 %}{% set d = {x: 1} %}" + loops("{% set y = d[x] %}"),
	"replaced by nothing":  "{% set x = 'a' * 2000000 %}" + loops("{% set y = x.replace('b', '') %}"),
	"brackets of a format": "{% set x = '[' * 200000 %}" + loops("{% set y = logical_date.format(x) %}"),
	"zones":                loops("{% set y = logical_date.in_timezone('America/New_York') %}"),
	"unknown zones":        loops("{% if logical_date.in_timezone('Europe/Moscow') %}{% endif %}"),
	"trimmed":              loops("{{ '' -}}" + strings.Repeat(" ", 50_000) + "{{- '' }}"),
	"paths": "{{ 'a'" + strings.Repeat(" .0", 4000) + " }}" +
		loops("{% set y = 'a'"+strings.Repeat("[0]", 300)+" %}"),
	"formats":     "{% set x = '{0}' * 100000 %}" + loops("{% set y = x.format(1) %}"),
	"percents":    "{% set x = '%(a)s' * 100000 %}" + loops("{% set y = x % {'a': 1} %}"),
	"namespaces":  "{% set ns = namespace() %}" + loops("{% set ns.x = [ns, i, j] %}"),
	"maps":        "{% set x = range(1000) %}" + loops("{% set y = x|map('string')|map('upper')|select('in', ['A'])|list %}"),
	"sorted maps": "{% set x = [{'a': 'b' * 10000}] * 1000 %}" + loops("{% set y = x|sort(attribute='a,a,a') %}"),
	"wrapped":     "{% set x = 'ab-' * 30000 %}" + loops("{% set y = x|wordwrap(1) %}"),
	"dates read":  loops("{% set y = macros.dateutil.parser.parse('Sat, 31 January 2026 3:04:05 PM') %}"),
	"dates moved": loops("{% set y = logical_date.in_tz('Europe/Moscow').set(day=1).add(months=1).nth_of('year', 5, 3) %}"),
	"reversed":    "{% set x = 'ä' * 1000000 %}" + loops("{% set y = x[::-1] %}"),
	"digits":      "{% set x = '0' * 2000000 %}" + loops("{% set y = x|int %}"),
	"indented":    "{% set x = [[]] %}" + strings.Repeat("{% set x = [x] %}", 200) + loops("{% set y = x|tojson(16) %}"),
}

// TestWidths refuses what would be too long before it is made: it allocates nothing of
// that size. It counts what the process allocates, so that it is not parallel.
func TestWidths(t *testing.T) {
	for _, expression := range []string{
		"'%1000000000d' % 1", "'%*d' % (1000000000, 1)", "'%.999999999f' % 1", "'%-1000000000s' % 'a'",
		"'%.999999999d' % 1", "'%99999999999999999999d' % 1",
		"'{:999999999}'.format(1)", "'{:é>999999999}'.format('a')", "'{:.999999999f}'.format(1.5)",
		"'{:{}}'.format(1, 999999999)", "'{:99999999999999999999}'.format(1)", "'{:999999999,}'.format(1)",
		"'a'|center(1000000000)", "'a'.center(1000000000)", "'a'.ljust(1000000000, 'é')", "'a'.rjust(1000000000)",
		"'a'|indent(1000000000, true)", "'a'.zfill(1000000000)", "'a' * 1000000000", "(1,) * 1000000000",
		"[1]|batch(1000000000, 0)", "[1]|slice(1000000000)", "range(1000000000)",
		"('\\n' * 100000)|indent(1000, true, true)", "('a ' * 10000)|wordwrap(1, true, 'b' * 10000)",
		"macros.ds_format_locale('2026', '%Y', 'y' * 1000000, 'en')", "macros.timedelta(days=1) * 1000000000",
		"m.add(years=1000000000)", "m + macros.dateutil.relativedelta.relativedelta(years=1000000000)",
		"m + macros.dateutil.relativedelta.relativedelta(weekday=macros.dateutil.relativedelta.MO(1000000000))",
		"m.nth_of('year', 1000000000, 0)",
	} {
		got := measure(t, expression, costlyValues())
		if got.err == nil {
			t.Errorf("%s: want an error", expression)
		}
		if got.allocated > 4*maxMemory {
			t.Errorf("%s: %d bytes were allocated", expression, got.allocated)
		}
	}
}

func nested(n int, items string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{%% for v%d in %s %%}", i, items)
	}
	return b.String() + strings.Repeat("{% endfor %}", n)
}

func loops(body string) string {
	return "{% for i in range(9999) %}{% for j in range(9999) %}" + body + "{% endfor %}{% endfor %}"
}

// TestHostile holds that each ends with a limit's words, having allocated no more
// than a few times the limit. It counts what the process allocates, so that it is
// not parallel.
func TestHostile(t *testing.T) {
	for name, source := range hostile {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := New()
			r.Timeout = time.Minute
			_, err := r.Render(t.Context(),
				Context{DAG: &dag.DAG{}, Run: dag.Run{LogicalDate: time.Unix(0, 0)},
					Task: &dag.Task{Env: []dag.EnvVar{{Name: "B", Value: source}}}})
			runtime.ReadMemStats(&after)
			var fault *dag.SpecError
			if !errors.As(err, &fault) || fault.Path != "env_vars.B" || !strings.Contains(err.Error(), "the task's templates") {
				t.Errorf("error %v, want one of env_vars.B that says what the limit is", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 8*maxMemory {
				t.Errorf("allocated %d MiB, want %d at most", took>>20, 8*maxMemory>>20)
			}
		})
	}
}

// TestOneBudget holds that a task's fields share one budget, and that its conf
// counts.
func TestOneBudget(t *testing.T) {
	t.Parallel()
	task := dag.Task{}
	half := "{% set x = 'a' * 3000000 %}"
	for i := range 10 {
		task.Env = append(task.Env, dag.EnvVar{Name: fmt.Sprint("V", i), Value: half})
	}
	_, err := New().Render(t.Context(), Context{DAG: &dag.DAG{}, Task: &task})
	if want := "env_vars.V5: the task's templates make more than 16777216 bytes of values"; err == nil ||
		err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	numbers := make([]any, 600_000)
	for i := range numbers {
		numbers[i] = 1.0
	}
	c := Context{
		DAG: &dag.DAG{}, Run: dag.Run{Conf: map[string]any{"numbers": numbers}},
		Task: &dag.Task{Image: "{{ ds }}", Cmds: []string{"{{ params.numbers|length }}"}},
	}
	if _, err = New().Render(t.Context(), c); err == nil ||
		err.Error() != "cmds[0]: the task's templates make more than 16777216 bytes of values" {
		t.Errorf("error %v, want one about the size of the conf", err)
	}
}

// TestDeadline holds that rendering ends in time, and with whoever asked for it.
func TestDeadline(t *testing.T) {
	t.Parallel()
	c := Context{DAG: &dag.DAG{}, Task: &dag.Task{Image: loops("")}}
	r := New()
	r.Timeout = time.Nanosecond
	_, err := r.Render(t.Context(), c)
	if want := "image: the task's templates take longer than 1ns"; err == nil || err.Error() != want ||
		!errors.Is(err, dag.ErrInvalid) {
		t.Errorf("error %v, want %s", err, want)
	}
	ctx := &endsLater{Context: t.Context()}
	_, err = New().Render(ctx, c)
	if !errors.Is(err, context.Canceled) || errors.Is(err, dag.ErrInvalid) {
		t.Errorf("error %v, want that of the context alone", err)
	}
	c.Task = &dag.Task{Image: "{{ ds }}"}
	if _, err := r.Render(t.Context(), c); err != nil {
		t.Errorf("a small template after its time: %v, want no look at the clock", err)
	}
}

// endsLater is a context that ends after it was asked once.
type endsLater struct {
	context.Context
	asked int
}

func (c *endsLater) Err() error {
	if c.asked++; c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// TestCacheIsBounded counts what parsed templates hold and not their sources.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	r := New()
	for i := range 20 {
		source := strings.Repeat("{{1}}", 3000) + fmt.Sprint(i)
		if _, err := r.parsed(source, newBudget(t.Context(), time.Minute)); err != nil {
			t.Fatal(err)
		}
		if r.size > maxCachedSize {
			t.Fatalf("the cache holds %d bytes, want %d at most", r.size, maxCachedSize)
		}
	}
	if len(r.templates) == 0 || len(r.templates) == 20 {
		t.Errorf("the cache holds %d templates, want some of them", len(r.templates))
	}
}

// FuzzCost chains operations that its input chooses, each upon the result of the
// one before. What they take of memory and time must be in proportion to the
// charge, and below the limits.
func FuzzCost(f *testing.F) {
	values := costlyValues()
	var forms []string
	for _, row := range costly {
		for _, operand := range []string{"x + z", "x * 20", "n + n", "n * 20", "l == same", "x < y", "'nowhere' in x",
			"x[1:-1]", "x|", "n|", "l|", "x.", "a.", "spaces.", "zeros.", "d|", "d."} {
			if rest, ok := strings.CutPrefix(row.expression, operand); ok && strings.HasSuffix(operand, "|") || ok &&
				strings.HasSuffix(operand, ".") {
				forms = append(forms, "(%s)"+operand[len(operand)-1:]+rest)
			}
		}
	}
	forms = append(forms, "(%s) + (%[1]s)", "(%s) * 20", "(%s) ~ x", "[%s] * 100", "(%s) == (%[1]s)", "(%s)[1:-1]",
		"x in (%s)", "{'k': %s}")
	f.Add([]byte{0, 1, 2})
	f.Add([]byte{200, 17, 30, 255})
	f.Fuzz(func(t *testing.T, program []byte) {
		expression := "x"
		for _, op := range program[:min(len(program), 6)] {
			expression = fmt.Sprintf(forms[int(op)%len(forms)], expression)
		}
		if len(expression) > 4000 {
			t.Skip()
		}
		got := measure(t, expression, values)
		if got.memory > maxMemory || got.work > maxWork {
			t.Errorf("%s: charged %d bytes of memory and %d of work", expression, got.memory, got.work)
		}
		if got.allocated > uint64(4*got.memory+1<<20) {
			t.Errorf("%s: charged %d bytes of memory and took %d", expression, got.memory, got.allocated)
		}
		if got.elapsed > 10*time.Second+200*time.Duration(got.work) {
			t.Errorf("%s: charged %d bytes of work and took %s", expression, got.work, got.elapsed)
		}
	})
}
