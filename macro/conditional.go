package macro

import (
	"slices"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// conditional is the function that an inline if inside brackets becomes. No
// template can write this name.
const conditional = "?:"

// rewriteConditionals makes "(a if b else c)" a call, since gonja reads an
// inline if only at the top of {{ … }} and {% set %}.
func rewriteConditionals(list []*tokens.Token) []*tokens.Token {
	r := rewriter{in: list}
	out := make([]*tokens.Token, 0, len(list))
	variable := false
	for r.at < len(r.in) {
		tok := r.in[r.at]
		r.at++
		out = append(out, tok)
		switch {
		case tok.Type == tokens.VariableBegin || tok.Type == tokens.VariableEnd:
			variable = tok.Type == tokens.VariableBegin
		case opens(tok), variable && isWord(tok, "else"):
			out = append(out, r.group()...)
		}
	}
	return out
}

type rewriter struct {
	in []*tokens.Token
	at int
}

// group rewrites the tokens up to the closing bracket or the end of the
// expression, which it leaves.
func (r *rewriter) group() []*tokens.Token {
	var out, segment []*tokens.Token
	for r.at < len(r.in) {
		tok := r.in[r.at]
		if closes(tok) {
			break
		}
		r.at++
		switch {
		case opens(tok):
			segment = append(append(segment, tok), r.group()...)
			if r.at < len(r.in) {
				segment = append(segment, r.in[r.at])
				r.at++
			}
		case tok.Type == tokens.Comma || tok.Type == tokens.Colon || tok.Type == tokens.Assign:
			out = append(append(out, rewriteSegment(segment)...), tok)
			segment = nil
		default:
			segment = append(segment, tok)
		}
	}
	return append(out, rewriteSegment(segment)...)
}

// rewriteSegment makes "a if b else c" the call ?:(b, a, c), and so on with c. The
// brackets in it have been rewritten, so that what is left is at its top.
func rewriteSegment(segment []*tokens.Token) []*tokens.Token {
	var out []*tokens.Token
	var open []*tokens.Token // the ifs whose call is not closed yet
	for {
		at := slices.IndexFunc(segment, func(t *tokens.Token) bool { return isWord(t, "if") })
		if at <= 0 {
			break
		}
		word, value, rest := segment[at], segment[:at], segment[at+1:]
		end := slices.IndexFunc(rest, func(t *tokens.Token) bool { return isWord(t, "else") })
		if end >= 0 && end+1 == len(rest) {
			break // nothing after else: the parser says so
		}
		out = append(out, like(word, tokens.Name, conditional), like(word, tokens.LeftParenthesis, "("))
		open = append(open, word)
		if end < 0 {
			out = append(append(append(out, rest...), like(word, tokens.Comma, ",")), value...)
			segment = nil
			break
		}
		out = append(append(append(out, rest[:end]...), like(word, tokens.Comma, ",")), value...)
		out = append(out, like(word, tokens.Comma, ","))
		segment = rest[end+1:]
	}
	out = append(out, segment...)
	for _, word := range open {
		out = append(out, like(word, tokens.RightParenthesis, ")"))
	}
	return out
}

// like makes a token at the place of another.
func like(at *tokens.Token, kind tokens.Type, val string) *tokens.Token {
	return &tokens.Token{Type: kind, Val: val, Pos: at.Pos, Line: at.Line, Col: at.Col}
}

func isWord(t *tokens.Token, word string) bool { return t.Type == tokens.Name && t.Val == word }

func opens(t *tokens.Token) bool {
	return t.Type == tokens.LeftParenthesis || t.Type == tokens.LeftBracket || t.Type == tokens.LeftBrace
}

func closes(t *tokens.Token) bool {
	switch t.Type {
	case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace, tokens.VariableEnd, tokens.BlockEnd, tokens.EOF:
		return true
	}
	return false
}

// isConditional tells an inline if from a call.
func isConditional(n *nodes.Call) bool {
	name, ok := n.Func.(*nodes.Name)
	return ok && name.Name.Val == conditional
}

// conditional evaluates an inline if inside brackets.
func (e *evaluation) conditional(n *nodes.Call) (any, error) {
	if len(n.Args) < 2 || len(n.Args) > 3 {
		return nil, errNoExpression
	}
	ok, err := e.test(n.Args[0])
	switch {
	case err != nil:
		return nil, err
	case ok:
		return e.eval(n.Args[1])
	case len(n.Args) == 3:
		return e.eval(n.Args[2])
	}
	return undefined{"the condition of an inline if without else is false"}, nil
}
