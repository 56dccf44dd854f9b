package macro

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

var (
	errZero  = errors.New("division by zero")
	errRange = errors.New("a number is too large")
)

func (e *evaluation) unary(n *nodes.UnaryExpression) (any, error) {
	v, err := e.defined(n.Term)
	if err != nil {
		return nil, err
	}
	sign := int64(1)
	if n.Negative {
		sign = -1
	}
	switch v := v.(type) {
	case float64:
		return float64(sign) * v, nil
	case longNumber:
		return float64(sign) * v.float(), nil
	case span:
		if v.d == math.MinInt64 {
			return nil, errRange
		}
		if n.Negative {
			return v.negative(), nil
		}
		return v, nil
	case delta:
		if n.Negative {
			return v.negative(), nil
		}
		return v, nil
	}
	if i, ok := asInt(v); ok && i != math.MinInt64 {
		return sign * i, nil
	}
	return nil, fmt.Errorf("%s has no sign", typeName(v))
}

func (e *evaluation) binary(n *nodes.BinaryExpression) (any, error) {
	op := n.Operator.Token.Type
	if op == tokens.And || op == tokens.Or {
		left, err := e.defined(n.Left)
		if err != nil {
			return nil, err
		}
		ok, err := truth(left)
		if err != nil || ok == (op == tokens.Or) {
			return left, err
		}
		return e.defined(n.Right)
	}
	left, err := e.defined(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := e.defined(n.Right)
	if err != nil {
		return nil, err
	}
	return e.operate(op, n.Operator.Token.Val, left, right)
}

// comparison evaluates operands up to the first that is not as it says.
func (e *evaluation) comparison(n *comparison) (any, error) {
	left, err := e.defined(n.first)
	if err != nil {
		return nil, err
	}
	for _, next := range n.rest {
		right, err := e.defined(next.value)
		if err != nil {
			return nil, err
		}
		ok, err := e.compared(next, left, right)
		if err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (e *evaluation) compared(o operand, left, right any) (bool, error) {
	if err := e.step(); err != nil {
		return false, err
	}
	if o.operator.Type == tokens.In {
		ok, err := e.contains(right, left)
		return ok != o.negated, err
	}
	v, err := e.operate(o.operator.Type, o.operator.Val, left, right)
	ok, _ := v.(bool)
	return ok, err
}

func (e *evaluation) operate(op tokens.Type, symbol string, left, right any) (any, error) {
	switch op {
	case tokens.Equals:
		return e.equal(left, right)
	case tokens.Ne:
		same, err := e.equal(left, right)
		return !same, err
	case tokens.LowerThan, tokens.LowerThanOrEqual, tokens.GreaterThan, tokens.GreaterThanOrEqual:
		return e.ordered(op, symbol, left, right)
	case tokens.Tilde:
		return e.concat(left, right)
	}
	if s, ok := left.(string); ok && op == tokens.Modulo {
		return e.percentFormat(s, right)
	}
	if v, ok, err := calendar(op, left, right); ok || err != nil {
		return v, err
	}
	if v, ok, err := e.sequence(op, left, right); ok || err != nil {
		return v, err
	}
	a, ok1 := asInt(left)
	b, ok2 := asInt(right)
	if ok1 && ok2 && op != tokens.Division {
		return integers(op, a, b)
	}
	x, ok1 := asFloat(left)
	y, ok2 := asFloat(right)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%s does not work between %s and %s", symbol, typeName(left), typeName(right))
	}
	return floats(op, x, y)
}

func (e *evaluation) concat(left, right any) (any, error) {
	a, err := e.text(left)
	if err != nil {
		return nil, err
	}
	b, err := e.text(right)
	if err != nil {
		return nil, err
	}
	return e.joined(a, b)
}

// joined is a new string of two.
func (b *budget) joined(left, right string) (any, error) {
	if err := b.spend(len(left) + len(right)); err != nil {
		return nil, err
	}
	return left + right, nil
}

// sequence adds and repeats strings and lists.
func (e *evaluation) sequence(op tokens.Type, left, right any) (any, bool, error) {
	switch op {
	case tokens.Addition:
		switch a := left.(type) {
		case string:
			if b, ok := right.(string); ok {
				v, err := e.joined(a, b)
				return v, true, err
			}
		case list:
			if b, ok := right.(list); ok {
				v, err := e.appended(a, b)
				return v, true, err
			}
		case tuple:
			if b, ok := right.(tuple); ok {
				v, err := e.appended(list(a), list(b))
				return tuple(v), true, err
			}
		}
	case tokens.Multiply:
		if _, ok := asInt(left); ok {
			left, right = right, left
		}
		n, ok := asInt(right)
		if !ok {
			return nil, false, nil
		}
		return e.repeated(left, max(n, 0))
	}
	return nil, false, nil
}

func (b *budget) appended(left, right list) (list, error) {
	if err := b.spendEach(len(left)+len(right), itemSize); err != nil {
		return nil, err
	}
	return slices.Concat(left, right), nil
}

func (b *budget) repeated(v any, n int64) (any, bool, error) {
	times := int(min(n, maxMemory+1))
	switch v := v.(type) {
	case string:
		if v == "" {
			return v, true, nil
		}
		if err := b.spendEach(times, len(v)); err != nil {
			return nil, true, err
		}
		return strings.Repeat(v, times), true, nil
	case list:
		out, err := b.repeatedList(v, times)
		return out, true, err
	case tuple:
		out, err := b.repeatedList(list(v), times)
		return tuple(out), true, err
	}
	return nil, false, nil
}

func (b *budget) repeatedList(v list, times int) (list, error) {
	if len(v) == 0 {
		return v, nil
	}
	if err := b.spendEach(times, itemSize*len(v)); err != nil {
		return nil, err
	}
	return slices.Repeat(v, times), nil
}

func integers(op tokens.Type, a, b int64) (any, error) {
	switch op {
	case tokens.Addition:
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
		return nil, errRange
	case tokens.Subtraction:
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
		return nil, errRange
	case tokens.Multiply:
		return multiply(a, b)
	case tokens.FloorDivision, tokens.Modulo:
		if b == 0 {
			return nil, errZero
		}
		if a == math.MinInt64 && b == -1 {
			return nil, errRange
		}
		quotient, rest := a/b, a%b
		if rest != 0 && (rest < 0) != (b < 0) {
			quotient, rest = quotient-1, rest+b // Python rounds down
		}
		if op == tokens.Modulo {
			return rest, nil
		}
		return quotient, nil
	case tokens.Power:
		return power(a, b)
	}
	return nil, errors.New("this operator is not supported")
}

func multiply(a, b int64) (any, error) {
	if a == 0 || b == 0 {
		return int64(0), nil
	}
	c := a * b
	if c/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
		return nil, errRange
	}
	return c, nil
}

func power(a, b int64) (any, error) {
	if b < 0 {
		return floats(tokens.Power, float64(a), float64(b))
	}
	if a == 0 || a == 1 {
		if b == 0 {
			return int64(1), nil
		}
		return a, nil
	}
	if a == -1 {
		return 1 - 2*(b%2), nil
	}
	if b > 63 {
		return nil, errRange
	}
	var out any = int64(1)
	for range b {
		var err error
		if out, err = multiply(out.(int64), a); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func floats(op tokens.Type, x, y float64) (any, error) {
	var out float64
	switch op {
	case tokens.Addition:
		out = x + y
	case tokens.Subtraction:
		out = x - y
	case tokens.Multiply:
		out = x * y
	case tokens.Division, tokens.FloorDivision, tokens.Modulo:
		if y == 0 {
			return nil, errZero
		}
		switch op {
		case tokens.Division:
			out = x / y
		case tokens.FloorDivision:
			out = math.Floor(x / y)
		default:
			if out = math.Mod(x, y); out != 0 && (out < 0) != (y < 0) {
				out += y
			}
		}
	case tokens.Power:
		if x == 0 && y < 0 {
			return nil, errZero
		}
		out = math.Pow(x, y)
	default:
		return nil, errors.New("this operator is not supported")
	}
	if math.IsInf(out, 0) || math.IsNaN(out) {
		return nil, errRange
	}
	return out, nil
}

// equal is Python's ==.
func (e *evaluation) equal(a, b any) (bool, error) {
	if err := e.step(); err != nil {
		return false, err
	}
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		if m, ok1 := asInt(a); ok1 {
			if n, ok2 := asInt(b); ok2 {
				return m == n, nil
			}
		}
		return ok && x == y, nil
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case string:
		b, ok := b.(string)
		return e.sameText(a, b, ok)
	case moment:
		b, ok := b.(moment)
		return ok && a.equal(b), nil
	case span:
		b, ok := b.(span)
		return ok && a.d == b.d, nil
	case list:
		b, ok := b.(list)
		return e.equalLists(a, b, ok)
	case tuple:
		b, ok := b.(tuple)
		return e.equalLists(list(a), list(b), ok)
	case *dict:
		b, ok := b.(*dict)
		return e.equalDicts(a, b, ok)
	case clock, zone, delta, weekdayOf, isoDate, undefined, *object, *function, *namespace:
		return a == b, nil
	}
	return false, nil
}

func (b *budget) sameText(x, y string, ok bool) (bool, error) {
	if !ok || len(x) != len(y) {
		return false, nil
	}
	if err := b.touch(len(x)); err != nil {
		return false, err
	}
	return x == y, nil
}

func (e *evaluation) equalLists(a, b list, ok bool) (bool, error) {
	if !ok || len(a) != len(b) {
		return false, nil
	}
	if err := e.deeper(); err != nil {
		return false, err
	}
	defer e.shallower()
	for i := range a {
		if same, err := e.equal(a[i], b[i]); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (e *evaluation) equalDicts(a, b *dict, ok bool) (bool, error) {
	if !ok || len(a.keys) != len(b.keys) {
		return false, nil
	}
	if err := e.deeper(); err != nil {
		return false, err
	}
	defer e.shallower()
	for _, k := range a.keys {
		v, ok, err := e.lookup(b, k)
		if !ok || err != nil {
			return false, err
		}
		if same, err := e.equal(a.values[k], v); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// lookup finds a key of a dict.
func (b *budget) lookup(d *dict, key string) (any, bool, error) {
	if err := b.touch(2 * len(key)); err != nil { // to hash it and to compare it
		return nil, false, err
	}
	v, ok := d.values[key]
	return v, ok, nil
}

// contains is Python's "needle in haystack".
func (e *evaluation) contains(haystack, needle any) (bool, error) {
	switch h := haystack.(type) {
	case string:
		s, ok := needle.(string)
		if !ok {
			return false, fmt.Errorf("in: expected a string, not %s", typeName(needle))
		}
		if err := e.chargeSearch(h, s); err != nil {
			return false, err
		}
		return strings.Contains(h, s), nil
	case *dict:
		s, ok := needle.(string)
		if !ok {
			return false, nil
		}
		_, found, err := e.lookup(h, s)
		return found, err
	case list:
		return e.containsItem(h, needle)
	case tuple:
		return e.containsItem(list(h), needle)
	case undefined:
		if h.soft {
			return false, nil
		}
	}
	return false, fmt.Errorf("%s contains nothing", typeName(haystack))
}

func (e *evaluation) containsItem(all list, needle any) (bool, error) {
	for _, item := range all {
		if same, err := e.equal(item, needle); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// chargeSearch charges a search for s in all of text.
func (b *budget) chargeSearch(text, s string) error { return b.touch(4*len(text) + len(s)) }

// compare orders two values of one kind.
func (e *evaluation) compare(x, y any) (order int, ok bool, err error) {
	if m, ok := asInt(x); ok {
		if n, ok := asInt(y); ok {
			return cmp.Compare(m, n), true, nil
		}
	}
	if f, ok := asFloat(x); ok {
		g, ok := asFloat(y)
		return cmp.Compare(f, g), ok, nil
	}
	switch x := x.(type) {
	case string:
		y, ok := y.(string)
		if err := e.touch(min(len(x), len(y))); err != nil {
			return 0, false, err
		}
		return cmp.Compare(x, y), ok, nil
	case list:
		y, ok := y.(list)
		if !ok {
			return 0, false, nil
		}
		return e.compareLists(x, y)
	case tuple:
		y, ok := y.(tuple)
		if !ok {
			return 0, false, nil
		}
		return e.compareLists(list(x), list(y))
	case moment:
		y, ok := y.(moment)
		return x.t.Compare(y.t), ok && x.comparable(y), nil
	case clock:
		y, ok := y.(clock)
		return cmp.Compare(x.d, y.d), ok, nil
	case span:
		y, ok := y.(span)
		return cmp.Compare(x.d, y.d), ok, nil
	}
	return 0, false, nil
}

// compareLists orders two lists by their first items that differ.
func (e *evaluation) compareLists(x, y list) (order int, ok bool, err error) {
	if err := e.deeper(); err != nil {
		return 0, false, err
	}
	defer e.shallower()
	for i := range min(len(x), len(y)) {
		same, err := e.equal(x[i], y[i])
		if err != nil {
			return 0, false, err
		}
		if !same {
			return e.compare(x[i], y[i])
		}
	}
	return cmp.Compare(len(x), len(y)), true, nil
}

func (e *evaluation) ordered(op tokens.Type, symbol string, left, right any) (any, error) {
	c, ok, err := e.compare(left, right)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s does not work between %s and %s", symbol, typeName(left), typeName(right))
	}
	switch op {
	case tokens.LowerThan:
		return c < 0, nil
	case tokens.LowerThanOrEqual:
		return c <= 0, nil
	case tokens.GreaterThan:
		return c > 0, nil
	}
	return c >= 0, nil
}
