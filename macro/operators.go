package macro

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

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
	case span:
		if v.d == math.MinInt64 {
			return nil, errRange
		}
		return span{d: v.d * time.Duration(sign), between: v.between}, nil
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
	if comparison(op) {
		if inner, ok := n.Left.(*nodes.BinaryExpression); ok && comparison(inner.Operator.Token.Type) {
			return nil, errors.New(`a chained comparison is not supported; write "a < b and b < c"`)
		}
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

func comparison(op tokens.Type) bool {
	switch op {
	case tokens.Equals, tokens.Ne, tokens.LowerThan, tokens.LowerThanOrEqual, tokens.GreaterThan, tokens.GreaterThanOrEqual:
		return true
	}
	return false
}

func (e *evaluation) operate(op tokens.Type, symbol string, left, right any) (any, error) {
	switch op {
	case tokens.Equals:
		return e.equal(left, right)
	case tokens.Ne:
		same, err := e.equal(left, right)
		return !same, err
	case tokens.LowerThan, tokens.LowerThanOrEqual, tokens.GreaterThan, tokens.GreaterThanOrEqual:
		return ordered(op, symbol, left, right)
	case tokens.Tilde:
		return e.concat(left, right)
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
	return e.made(a + b)
}

// made counts a new string and returns it.
func (e *evaluation) made(s string) (any, error) { return s, e.spend(len(s)) }

// sequence adds and repeats strings and lists.
func (e *evaluation) sequence(op tokens.Type, left, right any) (any, bool, error) {
	switch op {
	case tokens.Addition:
		switch a := left.(type) {
		case string:
			if b, ok := right.(string); ok {
				v, err := e.made(a + b)
				return v, true, err
			}
		case list:
			if b, ok := right.(list); ok {
				if err := e.spend(16 * (len(a) + len(b))); err != nil {
					return nil, true, err
				}
				return append(append(list(nil), a...), b...), true, nil
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
		n = max(n, 0)
		switch a := left.(type) {
		case string:
			if len(a) > 0 && n > int64(maxMemory/len(a)) || e.spend(len(a)*int(n)) != nil {
				return nil, true, errMemory
			}
			return strings.Repeat(a, int(n)), true, nil
		case list:
			if len(a) > 0 && n > int64(maxMemory/16/len(a)) || e.spend(16*len(a)*int(n)) != nil {
				return nil, true, errMemory
			}
			out := make(list, 0, len(a)*int(n))
			for range n {
				out = append(out, a...)
			}
			return out, true, nil
		}
	}
	return nil, false, nil
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
		return ok && a == b, nil
	case moment:
		b, ok := b.(moment)
		return ok && a.t.Equal(b.t), nil
	case span:
		b, ok := b.(span)
		return ok && a.d == b.d, nil
	case list:
		b, ok := b.(list)
		return e.equalLists(a, b, ok)
	case *dict:
		b, ok := b.(*dict)
		return e.equalDicts(a, b, ok)
	case *object:
		b, ok := b.(*object)
		return ok && a == b, nil
	}
	return false, nil
}

func (e *evaluation) equalLists(a, b list, ok bool) (bool, error) {
	if !ok || len(a) != len(b) {
		return false, nil
	}
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
	for _, k := range a.keys {
		v, ok := b.values[k]
		if !ok {
			return false, nil
		}
		if same, err := e.equal(a.values[k], v); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// contains is Python's "needle in haystack".
func (e *evaluation) contains(haystack, needle any) (bool, error) {
	switch h := haystack.(type) {
	case string:
		s, ok := needle.(string)
		if !ok {
			return false, fmt.Errorf("in: expected a string, not %s", typeName(needle))
		}
		return strings.Contains(h, s), nil
	case *dict:
		s, ok := needle.(string)
		_, found := h.values[s]
		return ok && found, nil
	case list:
		for _, item := range h {
			if same, err := e.equal(item, needle); same || err != nil {
				return same, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("%s contains nothing", typeName(haystack))
}

// compare orders two values of one kind.
func compare(a, b any) (int, bool) {
	if m, ok := asInt(a); ok {
		if n, ok := asInt(b); ok {
			return cmp.Compare(m, n), true
		}
	}
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		return cmp.Compare(x, y), ok
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return cmp.Compare(a, b), ok
	case moment:
		b, ok := b.(moment)
		return a.t.Compare(b.t), ok
	case span:
		b, ok := b.(span)
		return cmp.Compare(a.d, b.d), ok
	}
	return 0, false
}

func ordered(op tokens.Type, symbol string, left, right any) (any, error) {
	c, ok := compare(left, right)
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
