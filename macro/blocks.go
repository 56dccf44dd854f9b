package macro

import (
	"fmt"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// blockError says that a block is not available here.
type blockError struct{ name string }

func (e *blockError) Error() string {
	return fmt.Sprintf("{%% %s %%} is not available: a template may use if, for, set and raw", clip(e.name, 40))
}

// block gives our nodes what gonja wants of one.
type block struct{ at *tokens.Token }

func (b block) Position() *tokens.Token { return b.at }
func (b block) String() string          { return "block" }

type ifBlock struct {
	block
	branches []branch
}

// branch is a condition and its body; the condition of {% else %} is nil.
type branch struct {
	condition nodes.Expression
	body      []nodes.Node
}

type forBlock struct {
	block
	target    *target
	items     nodes.Expression
	condition nodes.Expression // may be nil
	body      []nodes.Node
	otherwise []nodes.Node
}

type setBlock struct {
	block
	target *target
	value  nodes.Expression // nil when body counts
	body   []nodes.Node
}

type rawBlock struct {
	block
	body []nodes.Node
}

// target is what a loop or {% set %} gives values: a name, an attribute of a
// namespace, or several targets, which take the value apart.
type target struct {
	name, attribute string
	parts           []*target
}

// block reads a {% … %} behind its opening mark. None of them reads another template.
func (p *parser) block() nodes.Node {
	at := block{p.current()}
	switch name := p.expect(tokens.Name, "the name of a block"); name.Val {
	case "if":
		return p.ifBlock(at)
	case "for":
		return p.forBlock(at)
	case "set":
		return p.setBlock(at)
	case "raw":
		p.blockEnd()
		body, _ := p.body("endraw")
		p.blockEnd()
		return &rawBlock{at, body}
	default:
		if p.err == nil {
			p.err = &blockError{name.Val}
		}
	}
	return &rawBlock{block: at}
}

func (p *parser) blockEnd() { p.expect(tokens.BlockEnd, "%}") }

func (p *parser) ifBlock(at block) nodes.Node {
	b := &ifBlock{block: at}
	for end := "elif"; p.err == nil && end != "endif"; {
		var condition nodes.Expression
		ends := []string{"endif"}
		if end == "elif" {
			condition = p.withoutIf()
			ends = []string{"elif", "else", "endif"}
		}
		p.blockEnd()
		var body []nodes.Node
		body, end = p.body(ends...)
		b.branches = append(b.branches, branch{condition, body})
	}
	p.blockEnd()
	return b
}

// withoutIf reads an expression, or several, which an if may follow that is not theirs.
func (p *parser) withoutIf() nodes.Expression {
	at := p.current()
	x := p.or()
	if !p.is(tokens.Comma) {
		return x
	}
	all := []nodes.Expression{x}
	for p.err == nil && p.skip(tokens.Comma) && !p.is(tokens.BlockEnd) {
		all = append(all, p.or())
	}
	return &nodes.Tuple{Location: at, Val: all}
}

func (p *parser) forBlock(at block) nodes.Node {
	b := &forBlock{block: at, target: p.target(false)}
	p.expect(tokens.In, "in")
	b.items = p.withoutIf()
	if p.skipName("if") {
		b.condition = p.expression()
	}
	p.blockEnd()
	var end string
	if b.body, end = p.body("else", "endfor"); end == "else" {
		p.blockEnd()
		b.otherwise, _ = p.body("endfor")
	}
	p.blockEnd()
	return b
}

func (p *parser) setBlock(at block) nodes.Node {
	b := &setBlock{block: at, target: p.target(true)}
	if p.skip(tokens.Assign) {
		b.value = p.tuple(false)
		p.blockEnd()
		return b
	}
	if p.is(tokens.Pipe) {
		p.fail("expected =; a filter of {% set %} stands behind the value")
	}
	p.blockEnd()
	b.body, _ = p.body("endset")
	p.blockEnd()
	return b
}

// target reads the names that values go to. Those of {% set %} may be attributes of a
// namespace.
func (p *parser) target(attributes bool) *target {
	t := p.oneTarget(attributes)
	if !p.is(tokens.Comma) {
		return t
	}
	all := &target{parts: []*target{t}}
	for p.err == nil && p.skip(tokens.Comma) && !p.is(tokens.In, tokens.Assign, tokens.RightParenthesis) {
		all.parts = append(all.parts, p.oneTarget(attributes))
	}
	return all
}

func (p *parser) oneTarget(attributes bool) *target {
	p.deeper()
	defer p.shallower()
	if p.skip(tokens.LeftParenthesis) {
		t := p.target(attributes)
		p.expect(tokens.RightParenthesis, ")")
		return t
	}
	name := p.expect(tokens.Name, "a name")
	t := &target{name: name.Val}
	if _, isName := nameOrConstant(name).(*nodes.Name); !isName {
		p.fail(name.Val + " cannot be given a value")
	}
	if attributes && p.skip(tokens.Dot) {
		t.attribute = p.expect(tokens.Name, "a name").Val
	}
	return t
}
