package store

import (
	"fmt"
	"strconv"
	"strings"

	"dagwright/dag"
)

// where collects the conditions of a query and their arguments.
type where struct {
	conds []string
	args  []any
}

// add adds a condition in which each "?" stands for the next argument.
func (w *where) add(cond string, args ...any) {
	w.conds = append(w.conds, w.number(cond, args...))
}

// in adds "column IN (values)", unless there are no values.
func in[T any](w *where, column string, values []T) {
	if len(values) > 0 {
		w.conds = append(w.conds, column+" IN "+list(&w.args, values))
	}
}

// number appends args and replaces each "?" by its argument's number.
func (w *where) number(text string, args ...any) string {
	var b strings.Builder
	for _, a := range args {
		before, after, _ := strings.Cut(text, "?")
		w.args = append(w.args, a)
		b.WriteString(before + "$" + strconv.Itoa(len(w.args)))
		text = after
	}
	b.WriteString(text)
	return b.String()
}

// String is the WHERE clause with a space in front, or nothing.
func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// page is the LIMIT clause; zero limits are 50.
func (w *where) page(limit, offset int) string {
	return w.number(" LIMIT ? OFFSET ?", pageSize(limit), max(offset, 0))
}

func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return limit
}

// literal makes text safe to stand in a LIKE pattern with ESCAPE '\'.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// likePattern takes a SQL LIKE pattern of a caller: % and _ count, a backslash
// is a backslash. Both databases then compare it in the same way.
func likePattern(pattern string) string {
	return strings.ToLower(strings.ReplaceAll(pattern, `\`, `\\`))
}

// sorted makes an ORDER BY clause, of numbers, one that no index gives: the rows
// are found first and sorted then.
func sorted(order string) string {
	return strings.Replace(order, " ORDER BY ", " ORDER BY +", 1)
}

// orderBy looks an ORDER BY name up, "-" in front meaning descending, and
// returns its SQL with the direction filled in.
func orderBy(name string, allowed map[string]string) (string, error) {
	key, desc := strings.CutPrefix(name, "-")
	order, ok := allowed[key]
	if !ok {
		return "", fmt.Errorf("cannot order by %.60q: %w", name, dag.ErrInvalid)
	}
	dir := "ASC"
	if desc {
		dir = "DESC"
	}
	return " ORDER BY " + strings.ReplaceAll(order, "DIR", dir), nil
}
