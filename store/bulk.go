package store

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// bulk is a statement for many rows of values. On PostgreSQL it is one statement for all
// of them, so that their number costs no round trips; on SQLite, which has none, it is
// one for each row.
type bulk struct {
	columns          int
	numbers          []bool // which columns are numbers, in place of text
	sqlite, postgres string
}

// newBulk makes a statement. Its SQL names the values of a row as {name}, and has {from}
// where an UPDATE has its FROM clause, or {values} where an INSERT has its values. The
// columns are names; "#" in front of one says that its values are numbers.
func newBulk(sql string, columns ...string) *bulk {
	b := &bulk{columns: len(columns)}
	var sqlite, postgres, params, arrays, fields []string
	for i, column := range columns {
		name, number := strings.CutPrefix(column, "#")
		b.numbers = append(b.numbers, number)
		n := strconv.Itoa(i + 1)
		sqlite = append(sqlite, "{"+name+"}", "$"+n)
		postgres = append(postgres, "{"+name+"}", "v.c"+n)
		params, fields = append(params, "$"+n), append(fields, "c"+n)
		kind := "text"
		if number {
			kind = "bigint"
		}
		arrays = append(arrays, "$"+n+"::"+kind+"[]")
	}
	table := " FROM unnest(" + strings.Join(arrays, ", ") + ") AS v (" + strings.Join(fields, ", ") + ")"
	sqlite = append(sqlite, "{from}", "", "{values}", "VALUES ("+strings.Join(params, ", ")+")")
	postgres = append(postgres, "{from}", table, "{values}", "SELECT "+strings.Join(fields, ", ")+table)
	b.sqlite = strings.NewReplacer(sqlite...).Replace(sql)
	b.postgres = strings.NewReplacer(postgres...).Replace(sql)
	return b
}

// bulk runs the statement for rows of values and returns how many rows it touched in all.
func (t *tx) bulk(b *bulk, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if t.locks {
		args, err := b.arrays(rows)
		if err != nil {
			return 0, err
		}
		return t.exec(b.postgres, args...)
	}
	var all int64
	for _, row := range rows {
		n, err := t.exec(b.sqlite, row...)
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// bulkRows is bulk for a statement that returns rows, each of which scan reads.
func (t *tx) bulkRows(b *bulk, rows [][]any, scan func(scanner) error) error {
	if len(rows) == 0 {
		return nil
	}
	if t.locks {
		args, err := b.arrays(rows)
		if err != nil {
			return err
		}
		found, err := t.query(b.postgres, args...)
		return each(found, err, scan)
	}
	for _, row := range rows {
		found, err := t.query(b.sqlite, row...)
		if err := each(found, err, scan); err != nil {
			return err
		}
	}
	return nil
}

// arrays turns rows into an array for each column.
func (b *bulk) arrays(rows [][]any) ([]any, error) {
	args := make([]any, b.columns)
	for i := range args {
		if b.numbers[i] {
			args[i] = make([]int64, 0, len(rows))
		} else {
			args[i] = make([]string, 0, len(rows))
		}
	}
	for _, row := range rows {
		if len(row) != b.columns {
			return nil, fmt.Errorf("a row of %d values is given to a statement with %d", len(row), b.columns)
		}
		for i, v := range bind(row) {
			switch array := args[i].(type) {
			case []int64:
				args[i] = append(array, reflect.ValueOf(v).Int())
			case []string:
				args[i] = append(array, reflect.ValueOf(v).String())
			}
		}
	}
	return args, nil
}
