package macro

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// maxNesting bounds how deep expressions stand in one another, brackets apart.
const maxNesting = 200

// parser reads tokens by the grammar of Jinja 3.1. After a fault it stands at the end,
// so that everything that is being read ends, too.
type parser struct {
	list     []*tokens.Token // ends in EOF
	at       int
	literals map[*tokens.Token]string
	depth    int
	err      error
}

// template reads a whole template.
func (p *parser) template() ([]nodes.Node, error) {
	body, _ := p.body()
	return body, p.err
}

func (p *parser) current() *tokens.Token { return p.list[p.at] }

func (p *parser) look() *tokens.Token { return p.list[min(p.at+1, len(p.list)-1)] }

func (p *parser) next() *tokens.Token {
	tok := p.current()
	p.at = min(p.at+1, len(p.list)-1)
	return tok
}

func (p *parser) is(types ...tokens.Type) bool { return slices.Contains(types, p.current().Type) }

func (p *parser) skip(t tokens.Type) bool {
	if !p.is(t) {
		return false
	}
	p.next()
	return true
}

func (p *parser) isName(name string) bool { return isWord(p.current(), name) }

func isWord(t *tokens.Token, word string) bool { return t.Type == tokens.Name && t.Val == word }

func (p *parser) skipName(name string) bool {
	if !p.isName(name) {
		return false
	}
	p.next()
	return true
}

// expect skips a token that must be there; what names it for people.
func (p *parser) expect(t tokens.Type, what string) *tokens.Token {
	if !p.is(t) {
		p.fail("expected " + what)
	}
	return p.next()
}

// fail keeps the first fault, at the current token, and goes to the end.
func (p *parser) fail(reason string) nodes.Expression {
	tok := p.current()
	if p.err == nil {
		if tok.Val != "" {
			reason += fmt.Sprintf(" near %q", clip(tok.Val, 40))
		}
		p.err = &syntaxError{line: tok.Line, reason: "the template's syntax is wrong: " + reason}
	}
	p.at = len(p.list) - 1
	return &nodes.None{Location: tok}
}

// body reads text, {{ … }} and {% … %} up to one of the given blocks, which it returns
// the name of; without any, up to the end.
func (p *parser) body(ends ...string) (list []nodes.Node, end string) {
	for p.err == nil {
		switch tok := p.current(); tok.Type {
		case tokens.EOF:
			if len(ends) > 0 {
				p.fail("the end of the template; expected {% " + strings.Join(ends, " %} or {% ") + " %}")
			}
			return list, ""
		case tokens.Data:
			list = append(list, p.data())
		case tokens.VariableBegin:
			p.next()
			out := &nodes.Output{Start: tok, Expression: p.tuple(false)}
			p.expect(tokens.VariableEnd, "}}")
			list = append(list, out)
		case tokens.CommentBegin:
			p.comment()
		case tokens.BlockBegin:
			p.next()
			name := p.current()
			if name.Type == tokens.Name && slices.Contains(ends, name.Val) {
				p.next()
				return list, name.Val
			}
			list = append(list, &nodes.ControlStructureBlock{Location: tok, ControlStructure: p.block()})
		default:
			p.fail("unexpected words")
		}
	}
	return list, ""
}

// data reads text, and what the marks around it say of the white space at its ends.
func (p *parser) data() nodes.Node {
	n := &nodes.Data{Data: p.current(), Trim: nodes.Trim{Left: p.current().Trim}}
	if p.at > 0 {
		switch before := p.list[p.at-1]; before.Type {
		case tokens.VariableEnd, tokens.BlockEnd, tokens.CommentEnd:
			n.Trim.Left = n.Trim.Left || strings.HasPrefix(before.Val, "-")
		}
	}
	switch after := p.look(); after.Type {
	case tokens.VariableBegin, tokens.BlockBegin, tokens.CommentBegin:
		n.Trim.Right = strings.HasSuffix(after.Val, "-")
	}
	p.next()
	return n
}

func (p *parser) comment() {
	p.next()
	p.skip(tokens.Data)
	p.expect(tokens.CommentEnd, "#}")
}

// tuple reads an expression, or several with commas between, as Jinja does where no
// bracket is needed. In brackets there may be none.
func (p *parser) tuple(brackets bool) nodes.Expression {
	at := p.current()
	var all []nodes.Expression
	isTuple := false
	for p.err == nil {
		if len(all) > 0 {
			isTuple = true
			p.expect(tokens.Comma, "a comma")
		}
		if p.is(tokens.VariableEnd, tokens.BlockEnd, tokens.RightParenthesis) {
			break
		}
		all = append(all, p.expression())
		if !p.is(tokens.Comma) {
			break
		}
	}
	switch {
	case isTuple:
	case len(all) == 1:
		return all[0]
	case !brackets:
		return p.fail("an expression is missing")
	}
	return &nodes.Tuple{Location: at, Val: all}
}

// deeper counts expressions that stand in one another. Each call has one of shallower.
func (p *parser) deeper() {
	if p.depth++; p.depth > maxNesting+maxBrackets {
		p.fail(fmt.Sprintf("expressions may be nested %d deep at most", maxNesting))
	}
}

func (p *parser) shallower() { p.depth-- }

// conditional is "value if condition else alternative".
type conditional struct {
	block
	value, condition nodes.Expression
	alternative      nodes.Expression // may be nil
}

// expression reads an expression with its inline if.
func (p *parser) expression() nodes.Expression {
	p.deeper()
	defer p.shallower()
	x := p.or()
	for p.err == nil && p.isName("if") {
		n := &conditional{block: block{p.next()}, value: x}
		n.condition = p.or()
		if p.skipName("else") {
			n.alternative = p.expression()
		}
		x = n
	}
	return x
}

// binary reads operands that one of the given operators stands between.
func (p *parser) binary(operand func() nodes.Expression, operators ...tokens.Type) nodes.Expression {
	left := operand()
	for p.err == nil && p.is(operators...) {
		op := p.next()
		left = &nodes.BinaryExpression{Left: left, Operator: &nodes.BinOperator{Token: op}, Right: operand()}
	}
	return left
}

func (p *parser) or() nodes.Expression  { return p.binary(p.and, tokens.Or) }
func (p *parser) and() nodes.Expression { return p.binary(p.not, tokens.And) }

func (p *parser) not() nodes.Expression {
	if !p.is(tokens.Not) {
		return p.compare()
	}
	p.deeper()
	defer p.shallower()
	op := p.next()
	return &nodes.Negation{Operator: op, Term: p.not()}
}

// comparison is "a < b <= c" and "a in b": each operand is compared with the one
// before it.
type comparison struct {
	block
	first nodes.Expression
	rest  []operand
}

type operand struct {
	operator *tokens.Token
	negated  bool // not in
	value    nodes.Expression
}

func (p *parser) compare() nodes.Expression {
	first := p.sum()
	var rest []operand
	for p.err == nil {
		negated := p.is(tokens.Not) && p.look().Type == tokens.In
		if negated {
			p.next()
		}
		if !p.is(tokens.In) && !isComparison(p.current().Type) {
			break
		}
		op := p.next()
		rest = append(rest, operand{op, negated, p.sum()})
	}
	if rest == nil {
		return first
	}
	return &comparison{block{rest[0].operator}, first, rest}
}

func isComparison(op tokens.Type) bool {
	switch op {
	case tokens.Equals, tokens.Ne, tokens.LowerThan, tokens.LowerThanOrEqual, tokens.GreaterThan, tokens.GreaterThanOrEqual:
		return true
	}
	return false
}

func (p *parser) sum() nodes.Expression {
	return p.binary(p.concatenation, tokens.Addition, tokens.Subtraction)
}

func (p *parser) concatenation() nodes.Expression { return p.binary(p.product, tokens.Tilde) }

func (p *parser) product() nodes.Expression {
	return p.binary(p.power, tokens.Multiply, tokens.Division, tokens.FloorDivision, tokens.Modulo)
}

func (p *parser) power() nodes.Expression { return p.binary(p.filtered, tokens.Power) }

// filtered reads a sign, a value, what follows it, and its filters and tests.
func (p *parser) filtered() nodes.Expression {
	x := p.unary()
	for p.err == nil {
		switch {
		case p.is(tokens.Pipe):
			x = p.filters(x)
		case p.is(tokens.Is):
			x = p.test(x)
		case p.is(tokens.LeftParenthesis):
			x = p.call(x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) unary() nodes.Expression {
	if !p.is(tokens.Subtraction, tokens.Addition) {
		return p.postfix(p.primary())
	}
	p.deeper()
	defer p.shallower()
	sign := p.next()
	return p.postfix(&nodes.UnaryExpression{Operator: sign, Negative: sign.Val == "-", Term: p.unary()})
}

// filters reads "| a | b(1)".
func (p *parser) filters(x nodes.Expression) nodes.Expression {
	out := &nodes.FilteredExpression{Expression: x}
	for p.err == nil && p.skip(tokens.Pipe) {
		name := p.expect(tokens.Name, "the name of a filter")
		f := &nodes.FilterCall{Token: name, Name: name.Val}
		if p.is(tokens.LeftParenthesis) {
			f.Args, f.Kwargs = p.arguments()
		}
		out.Filters = append(out.Filters, f)
	}
	return out
}

// test reads "is a", "is not a(1)" and "is a 1".
func (p *parser) test(x nodes.Expression) nodes.Expression {
	p.next()
	not := p.current()
	negated := p.skip(tokens.Not)
	name := p.current()
	if !p.skip(tokens.In) {
		p.expect(tokens.Name, "the name of a test")
	}
	t := &nodes.TestCall{Token: name, Name: name.Val}
	switch {
	case p.is(tokens.Is):
		p.fail("tests cannot follow one another")
	case p.is(tokens.LeftParenthesis):
		t.Args, t.Kwargs = p.arguments()
	case p.is(tokens.String, tokens.Integer, tokens.Float, tokens.LeftBracket, tokens.LeftBrace),
		p.is(tokens.Name) && !p.isName("else") && !p.isName("if"):
		t.Args = []nodes.Expression{p.postfix(p.primary())}
	}
	var out nodes.Expression = &nodes.TestExpression{Expression: x, Test: t}
	if negated {
		out = &nodes.Negation{Operator: not, Term: out}
	}
	return out
}

// primary reads a name, a literal or what stands in brackets.
func (p *parser) primary() nodes.Expression {
	tok := p.current()
	switch tok.Type {
	case tokens.Name:
		p.next()
		return nameOrConstant(tok)
	case tokens.String:
		return p.text()
	case tokens.Integer, tokens.Float:
		return p.number()
	case tokens.LeftParenthesis:
		p.next()
		x := p.tuple(true)
		p.expect(tokens.RightParenthesis, ")")
		return x
	case tokens.LeftBracket:
		p.next()
		return &nodes.List{Location: tok, Val: p.expressions(tokens.RightBracket, "]")}
	case tokens.LeftBrace:
		return p.dict()
	}
	return p.fail("an expression is missing")
}

func nameOrConstant(tok *tokens.Token) nodes.Expression {
	switch tok.Val {
	case "true", "True":
		return &nodes.Bool{Location: tok, Val: true}
	case "false", "False":
		return &nodes.Bool{Location: tok}
	case "none", "None":
		return &nodes.None{Location: tok}
	}
	return &nodes.Name{Name: tok}
}

// text reads a string literal, or several that stand side by side.
func (p *parser) text() nodes.Expression {
	tok := p.next()
	for p.is(tokens.String) {
		p.literals[tok] += p.literals[p.next()]
	}
	return &nodes.String{Location: tok}
}

func (p *parser) number() nodes.Expression {
	tok := p.current()
	digits := strings.ReplaceAll(tok.Val, "_", "")
	if tok.Type == tokens.Float {
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return p.fail("a number is wrong")
		}
		p.next()
		return &nodes.Float{Location: tok, Val: f}
	}
	if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" {
		if strings.Trim(digits, "0") != "" {
			return p.fail("an integer begins with 0")
		}
		digits = "0"
	}
	i, err := strconv.ParseInt(digits, 0, 64)
	if err != nil {
		return p.fail("an integer is wrong or too large")
	}
	p.next()
	return &nodes.Integer{Location: tok, Val: int(i)}
}

// expressions reads a list up to its closing bracket; a comma may be its last.
func (p *parser) expressions(end tokens.Type, what string) []nodes.Expression {
	var all []nodes.Expression
	for p.err == nil && !p.is(end) {
		all = append(all, p.expression())
		if !p.skip(tokens.Comma) {
			break
		}
	}
	p.expect(end, what)
	return all
}

func (p *parser) dict() nodes.Expression {
	d := &nodes.Dict{Token: p.next()}
	for p.err == nil && !p.is(tokens.RightBrace) {
		key := p.expression()
		p.expect(tokens.Colon, "a colon")
		d.Pairs = append(d.Pairs, &nodes.Pair{Key: key, Value: p.expression()})
		if !p.skip(tokens.Comma) {
			break
		}
	}
	p.expect(tokens.RightBrace, "}")
	return d
}

// postfix reads the attributes, items and calls of a value.
func (p *parser) postfix(x nodes.Expression) nodes.Expression {
	for p.err == nil {
		switch {
		case p.is(tokens.Dot):
			x = p.attribute(x)
		case p.is(tokens.LeftBracket):
			x = p.item(x)
		case p.is(tokens.LeftParenthesis):
			x = p.call(x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) attribute(x nodes.Expression) nodes.Expression {
	out := &nodes.GetAttribute{Location: p.next(), Node: x}
	switch name := p.current(); {
	case name.Type == tokens.Integer:
		n, ok := p.number().(*nodes.Integer)
		if ok {
			out.Index = n.Val
		}
	case name.Type == tokens.Name, keywords[name.Val] != 0:
		out.Attribute = p.next().Val
	default:
		p.fail("expected a name or a number after the dot")
	}
	return out
}

// item reads "[key]" and "[from:to:step]".
func (p *parser) item(x nodes.Expression) nodes.Expression {
	open := p.next()
	var parts [3]nodes.Node
	colons := 0
	for p.err == nil && !p.is(tokens.RightBracket) {
		switch {
		case p.is(tokens.Colon) && colons < 2:
			p.next()
			colons++
		case parts[colons] != nil:
			p.fail("expected ]")
		default:
			parts[colons] = p.expression()
		}
	}
	p.expect(tokens.RightBracket, "]")
	switch {
	case colons > 0:
		return &nodes.GetSlice{Location: open, Node: x, Start: parts[0], End: parts[1], Step: parts[2]}
	case parts[0] == nil:
		return p.fail("an expression is missing")
	}
	return &nodes.GetItem{Location: open, Node: x, Arg: parts[0]}
}

func (p *parser) call(x nodes.Expression) nodes.Expression {
	n := &nodes.Call{Location: p.current(), Func: x}
	n.Args, n.Kwargs = p.arguments()
	return n
}

// spread is *values, the last of the arguments without a name.
type spread struct {
	block
	value nodes.Expression
}

func isSpread(all []nodes.Expression) bool {
	if len(all) == 0 {
		return false
	}
	_, ok := all[len(all)-1].(*spread)
	return ok
}

// arguments reads those of a call with their brackets.
func (p *parser) arguments() (all []nodes.Expression, named map[string]nodes.Expression) {
	p.next()
	for p.err == nil && !p.is(tokens.RightParenthesis) {
		switch {
		case p.is(tokens.Power):
			p.fail("arguments by ** are not supported")
		case p.is(tokens.Multiply):
			at := block{p.next()}
			all = append(all, &spread{at, p.expression()})
		case p.is(tokens.Name) && p.look().Type == tokens.Assign:
			name := p.next().Val
			p.next()
			if _, twice := named[name]; twice {
				p.fail("an argument is given twice")
			}
			if named == nil {
				named = map[string]nodes.Expression{}
			}
			named[name] = p.expression()
		case named != nil || isSpread(all):
			p.fail("an argument follows one that must be the last")
		default:
			all = append(all, p.expression())
		}
		if !p.skip(tokens.Comma) {
			break
		}
	}
	p.expect(tokens.RightParenthesis, ")")
	return all, named
}
