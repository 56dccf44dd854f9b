package macro

import (
	"fmt"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// blockParsers are the {% … %} blocks that a template may use. None of them
// reads another template.
type blockParsers struct{}

// Get returns the parser of a block by its name.
func (blockParsers) Get(name string) (parser.ControlStructureParser, bool) {
	switch name {
	case "if":
		return parseIf, true
	case "for":
		return parseFor, true
	case "set":
		return parseSet, true
	case "raw":
		return parseRaw, true
	}
	return func(p, _ *parser.Parser) (nodes.ControlStructure, error) {
		return nil, &blockError{name: name}
	}, true
}

// blockError says that a block is not available here.
type blockError struct{ name string }

func (e *blockError) Error() string {
	return fmt.Sprintf("{%% %s %%} is not available: a template may use if, for, set and raw", clip(e.name, 40))
}

// block gives our blocks what gonja wants of a node.
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
	targets   []string
	items     nodes.Expression
	condition nodes.Expression // may be nil
	body      []nodes.Node
	otherwise []nodes.Node
}

type setBlock struct {
	block
	name  string
	value nodes.Expression // nil when body counts
	// condition and alternative of an inline if; may be nil.
	condition, alternative nodes.Expression
	body                   []nodes.Node
}

type rawBlock struct {
	block
	body []nodes.Node
}

func parseIf(p, args *parser.Parser) (nodes.ControlStructure, error) {
	b := &ifBlock{block: block{p.Current()}}
	for {
		condition, err := onlyExpression(args)
		if err != nil {
			return nil, err
		}
		body, rest, err := p.WrapUntil("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		b.branches = append(b.branches, branch{condition, body.Nodes})
		switch body.EndTag {
		case "elif":
			args = rest
			continue
		case "else":
			if err := atEnd(rest); err != nil {
				return nil, err
			}
			if body, rest, err = p.WrapUntil("endif"); err != nil {
				return nil, err
			}
			b.branches = append(b.branches, branch{nil, body.Nodes})
		}
		return b, atEnd(rest)
	}
}

func parseFor(p, args *parser.Parser) (nodes.ControlStructure, error) {
	b := &forBlock{block: block{p.Current()}}
	for {
		target := args.Match(tokens.Name)
		if target == nil {
			return nil, args.Error("expected a name after for", args.Current())
		}
		b.targets = append(b.targets, target.Val)
		if args.Match(tokens.Comma) == nil {
			break
		}
	}
	if args.Match(tokens.In) == nil {
		return nil, args.Error("expected in", args.Current())
	}
	var err error
	if b.items, err = args.ParseExpression(); err != nil {
		return nil, err
	}
	if args.MatchName("if") != nil {
		if b.condition, err = args.ParseExpression(); err != nil {
			return nil, err
		}
	}
	if err := atEnd(args); err != nil {
		return nil, err
	}
	body, rest, err := p.WrapUntil("else", "endfor")
	if err != nil {
		return nil, err
	}
	b.body = body.Nodes
	if body.EndTag == "else" {
		if err := atEnd(rest); err != nil {
			return nil, err
		}
		if body, rest, err = p.WrapUntil("endfor"); err != nil {
			return nil, err
		}
		b.otherwise = body.Nodes
	}
	return b, atEnd(rest)
}

func parseSet(p, args *parser.Parser) (nodes.ControlStructure, error) {
	b := &setBlock{block: block{p.Current()}}
	name := args.Match(tokens.Name)
	if name == nil {
		return nil, args.Error("expected a name after set", args.Current())
	}
	b.name = name.Val
	if args.End() {
		body, rest, err := p.WrapUntil("endset")
		if err != nil {
			return nil, err
		}
		b.body = body.Nodes
		return b, atEnd(rest)
	}
	if args.Match(tokens.Assign) == nil {
		return nil, args.Error("expected = after the name", args.Current())
	}
	var err error
	if b.value, err = args.ParseExpression(); err != nil {
		return nil, err
	}
	if b.condition, b.alternative, err = args.ParseCondition(); err != nil {
		return nil, err
	}
	return b, atEnd(args)
}

func parseRaw(p, args *parser.Parser) (nodes.ControlStructure, error) {
	b := &rawBlock{block: block{p.Current()}}
	if err := atEnd(args); err != nil {
		return nil, err
	}
	body, rest, err := p.WrapUntil("endraw")
	if err != nil {
		return nil, err
	}
	b.body = body.Nodes
	return b, atEnd(rest)
}

func onlyExpression(args *parser.Parser) (nodes.Expression, error) {
	e, err := args.ParseExpression()
	if err != nil {
		return nil, err
	}
	return e, atEnd(args)
}

func atEnd(args *parser.Parser) error {
	if !args.End() {
		return args.Error("unexpected words", args.Current())
	}
	return nil
}
