package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	defaultLimit = 50
	maxLimit     = 100
)

// query reads a request's query parameters, collects their faults, and knows
// which of them nobody asked for.
type query struct {
	values url.Values
	known  map[string]bool // those that the operation declares; nil knows all
	used   map[string]bool
	faults []fieldError
	first  error // the first fault that is not a fieldError
}

func readQuery(c echo.Context) *query {
	op, ok := declared(c)
	return &query{values: c.QueryParams(), known: names(op.query, ok), used: map[string]bool{}}
}

// err says what is wrong with the query, after everything was read: first the
// faults of types, then of meaning, then parameters that dagwright lacks.
func (q *query) err() error {
	if len(q.faults) > 0 {
		return invalid(q.faults...)
	}
	if q.first != nil {
		return q.first
	}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !q.used[name] || q.known != nil && !q.known[name] {
			return refuse(http.StatusBadRequest, "The query parameter `%s` is not supported", short(name))
		}
		if slices.ContainsFunc(q.values[name], func(v string) bool { return !storable(v) }) {
			return refuse(http.StatusBadRequest, "The query parameter `%s` is not valid UTF-8", name)
		}
	}
	return nil
}

// text returns a parameter and whether it was given. The last one counts, as
// in FastAPI.
func (q *query) text(name string) (string, bool) {
	q.used[name] = true
	all := q.values[name]
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}

// str is text for parameters whose absence is the empty text.
func (q *query) str(name string) string {
	v, _ := q.text(name)
	return v
}

// list returns every value of a parameter that may be repeated.
func (q *query) list(name string) []string {
	q.used[name] = true
	return q.values[name]
}

// page reads limit and offset.
func (q *query) page() (limit, offset int) {
	return min(q.number("limit", defaultLimit), maxLimit), q.number("offset", 0)
}

// number reads a whole number that is not negative.
func (q *query) number(name string, whenAbsent int) int {
	text, ok := q.text(name)
	if !ok {
		return whenAbsent
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		q.faults = append(q.faults, intParsing("query", name, text))
	case n < 0:
		q.faults = append(q.faults, fieldError{
			Type: "greater_than_equal", Loc: []any{"query", name}, Input: text,
			Msg: "Input should be greater than or equal to 0", Ctx: map[string]any{"ge": 0},
		})
	}
	return n
}

// boolean reads a truth value; nil when it was not given.
func (q *query) boolean(name string) *bool {
	text, ok := q.text(name)
	if !ok {
		return nil
	}
	b, ok := parseBool(text)
	if !ok {
		q.faults = append(q.faults, boolParsing(text, "query", name))
		return nil
	}
	return &b
}

// choice reads a parameter that must be one of a fixed set.
func (q *query) choice(name string, allowed ...string) string {
	text, ok := q.text(name)
	if ok && !slices.Contains(allowed, text) {
		q.faults = append(q.faults, oneOf("literal_error", text, allowed, "query", name))
		return ""
	}
	return text
}

// choices reads a parameter that may be repeated and must be of a fixed set, or
// one of the words that Airflow understands and does not name in its refusal.
func (q *query) choices(name string, allowed []string, unnamed ...string) []string {
	all := q.list(name)
	for _, v := range all {
		if !slices.Contains(allowed, v) && !slices.Contains(unnamed, v) {
			q.refuse(http.StatusUnprocessableEntity, "Invalid value for %s. Valid values are %s",
				strings.ReplaceAll(name, "_", " "), strings.Join(allowed, ", "))
		}
	}
	return all
}

// refuse notes a fault of meaning.
func (q *query) refuse(status int, format string, args ...any) {
	if q.first == nil {
		q.first = refuse(status, format, args...)
	}
}

// order reads order_by and translates it by names (Airflow's to the store's),
// keeping the sign. One criterion is all that dagwright sorts by.
func (q *query) order(whenAbsent string, names map[string]string) string {
	all := q.list("order_by")
	if len(all) == 0 {
		all = []string{whenAbsent}
	}
	if len(all) > 1 {
		q.refuse(http.StatusBadRequest, "Ordering with more than 1 parameter is not supported")
	}
	column, err := translateOrder(all[0], whenAbsent, names)
	if err != nil && q.first == nil {
		q.first = err
	}
	return column
}

// between reads the four bounds that Airflow offers for a time.
func (q *query) between(name string) (from, to time.Time) { return timeBounds(q.time, name) }

func (q *query) time(name string) time.Time {
	text, ok := q.text(name)
	if !ok {
		return time.Time{}
	}
	// A client that forgot to encode the plus of an offset sent a space.
	if i := strings.LastIndexByte(text, ' '); i > len("2006-01-02") {
		text = text[:i] + "+" + text[i+1:]
	}
	t, ok := parseTime(text)
	if !ok {
		q.faults = append(q.faults, fieldError{
			Type: "datetime_from_date_parsing", Loc: []any{"query", name}, Input: short(text),
			Msg: "Input should be a valid datetime or date, such as 2026-01-31T00:00:00Z",
			Ctx: map[string]any{"error": "not ISO 8601"},
		})
	}
	return t
}

// span reads the four bounds of a duration in seconds.
func (q *query) span(name string) (least, most time.Duration) { return spanBounds(q.seconds, name) }

func (q *query) seconds(name string) time.Duration {
	text, ok := q.text(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || n > maxSeconds {
		q.faults = append(q.faults, fieldError{
			Type: "float_parsing", Loc: []any{"query", name}, Input: short(text),
			Msg: "Input should be a valid number of seconds",
		})
		return 0
	}
	return time.Duration(n * float64(time.Second)).Truncate(time.Microsecond)
}

// numbers reads every value of a parameter of whole numbers.
func (q *query) numbers(name string) []int {
	var all []int
	for _, text := range q.list(name) {
		n, err := strconv.Atoi(text)
		if err != nil {
			q.faults = append(q.faults, intParsing("query", name, short(text)))
		}
		all = append(all, n)
	}
	return all
}

// like reads a search term as a pattern of SQL's LIKE; empty when there is none.
func (q *query) like(name string) string {
	term, ok := q.text(name)
	if !ok {
		return ""
	}
	p := newPattern(term)
	if !p.single() {
		q.refuse(http.StatusBadRequest, "Alternatives (`|`) in `%s` are not supported", name)
	}
	return p.like()
}

// parseTime reads an ISO 8601 date or time; UTC where it has no offset.
func parseTime(text string) (time.Time, bool) {
	// Airflow's client writes offsets without a colon.
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Truncate(time.Microsecond), true
		}
	}
	return time.Time{}, false
}

// parseBool reads a truth value as FastAPI does.
func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y", "on", "1":
		return true, true
	case "false", "f", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

func boolParsing(input any, loc ...any) fieldError {
	return fieldError{
		Type: "bool_parsing", Loc: loc, Input: input,
		Msg: "Input should be a valid boolean, unable to interpret input",
	}
}
