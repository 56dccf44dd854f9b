package macro

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// tests are those of Jinja's "is"; "in" is one because gonja parses it so.
var tests = map[string]builtin{
	"!=":          compares(tokens.Ne),
	"<":           compares(tokens.LowerThan),
	"<=":          compares(tokens.LowerThanOrEqual),
	"==":          compares(tokens.Equals),
	">":           compares(tokens.GreaterThan),
	">=":          compares(tokens.GreaterThanOrEqual),
	"callable":    isType("function"),
	"filter":      bare(func(_ *evaluation, v any) (any, error) { return isKey(filters, v), nil }),
	"sameas":      sameAs,
	"boolean":     isType("bool"),
	"defined":     bare(func(_ *evaluation, v any) (any, error) { return given(v), nil }),
	"divisibleby": divisible,
	"eq":          compares(tokens.Equals),
	"equalto":     compares(tokens.Equals),
	"even":        bare(func(_ *evaluation, v any) (any, error) { return remainder(v, 2, 0) }),
	"false":       bare(func(_ *evaluation, v any) (any, error) { return v == false, nil }),
	"float":       isType("float"),
	"ge":          compares(tokens.GreaterThanOrEqual),
	"gt":          compares(tokens.GreaterThan),
	"greaterthan": compares(tokens.GreaterThan),
	"in":          isIn,
	"integer":     isType("int"),
	"iterable":    isType("list", "tuple", "dict", "str"),
	"le":          compares(tokens.LowerThanOrEqual),
	"lessthan":    compares(tokens.LowerThan),
	"lower": bare(func(e *evaluation, v any) (any, error) {
		return e.cased(v, strings.ToLower, strings.ToUpper)
	}),
	"lt":        compares(tokens.LowerThan),
	"mapping":   isType("dict"),
	"ne":        compares(tokens.Ne),
	"none":      bare(func(_ *evaluation, v any) (any, error) { return v == nil, nil }),
	"number":    isType("int", "float", "bool"),
	"odd":       bare(func(_ *evaluation, v any) (any, error) { return remainder(v, 2, 1) }),
	"sequence":  isType("list", "tuple", "dict", "str"),
	"string":    isType("str"),
	"true":      bare(func(_ *evaluation, v any) (any, error) { return v == true, nil }),
	"undefined": bare(func(_ *evaluation, v any) (any, error) { return !given(v), nil }),
	"upper": bare(func(e *evaluation, v any) (any, error) {
		return e.cased(v, strings.ToUpper, strings.ToLower)
	}),
}

// isKey reports whether v is a key of a table.
func isKey(table map[string]builtin, v any) bool {
	name, ok := v.(string)
	if !ok || len(name) > maxName {
		return false
	}
	_, found := table[name]
	return found
}

// sameAs compares None and booleans, of which there is one each; other values have no
// identity.
func sameAs(_ *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("sameas", "other!")
	if err != nil {
		return nil, err
	}
	for _, side := range []any{v, args[0]} {
		switch side.(type) {
		case nil, bool:
			return v == args[0], nil
		}
	}
	return nil, errors.New("only none, true and false can be the same; use ==")
}

func isType(names ...string) builtin {
	return bare(func(_ *evaluation, v any) (any, error) {
		return slices.Contains(names, typeName(v)), nil
	})
}

func compares(op tokens.Type) builtin {
	return func(e *evaluation, v any, a arguments) (any, error) {
		args, err := a.take("the test", "other!")
		if err != nil {
			return nil, err
		}
		return e.operate(op, "the test", v, args[0])
	}
}

func isIn(e *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("in", "seq!")
	if err != nil {
		return nil, err
	}
	return e.contains(args[0], v)
}

func divisible(_ *evaluation, v any, a arguments) (any, error) {
	args, err := a.take("divisibleby", "num!")
	if err != nil {
		return nil, err
	}
	n, err := intOr(args[0], 1)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errZero
	}
	return remainder(v, n, 0)
}

func remainder(v any, n, want int64) (any, error) {
	if f, ok := v.(float64); ok {
		return math.Mod(math.Mod(f, float64(n))+float64(n), float64(n)) == float64(want), nil
	}
	i, ok := asInt(v)
	if !ok {
		return nil, fmt.Errorf("expected an integer, not %s", typeName(v))
	}
	if n == -1 {
		return true, nil
	}
	return max(i%n, -(i%n)) == want, nil
}

func (b *budget) cased(v any, same, other func(string) string) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, errors.New("expected a string")
	}
	if err := b.touchEach(len(s), 32); err != nil {
		return nil, err
	}
	if err := b.spendEach(len(s), 4); err != nil {
		return nil, err
	}
	return s == same(s) && s != other(s), nil
}
