package macro

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// The limits of a template's source.
const (
	maxSource   = 64 << 10
	maxBlocks   = 500 // {% … %}
	maxBrackets = 50  // nested
	maxTokens   = 10_000
)

// template is a parsed template. It is never changed after parse, so that many
// goroutines may execute it.
type template struct {
	body []nodes.Node
	// literals holds what the string literals stand for: gonja decodes their
	// escapes otherwise than Python.
	literals map[*tokens.Token]string
	size     int // bytes of memory, estimated
	// checked is what check finds, looked for once.
	checked func() checked
}

// chargeParse charges what reading a template takes at most.
func chargeParse(source string, b *budget) error {
	marks := strings.Count(source, "{{") + strings.Count(source, "{%")
	return b.touch(20_000 + 100*len(source) + 1000*marks)
}

// syntaxError is a fault of the source.
type syntaxError struct {
	line   int
	reason string
}

func (e *syntaxError) Error() string {
	if e.line > 1 {
		return fmt.Sprintf("line %d of the template: %s", e.line, e.reason)
	}
	return e.reason
}

// parse reads a template with gonja's lexer and a parser of Jinja's grammar. The
// tokens are checked and mended between the two, since the lexer skips over characters
// that it does not know.
func parse(source string) (t *template, err error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("a template may have %d bytes at most, this one has %d", maxSource, len(source))
	}
	defer func() {
		// gonja's lexer runs beyond the end of some broken templates.
		if recover() != nil {
			t, err = nil, &syntaxError{reason: "the template's syntax is wrong"}
		}
	}()
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	cfg := config.New()
	cfg.StrictUndefined, cfg.KeepTrailingNewline = true, true

	m := mender{source: source, literals: map[*tokens.Token]string{}}
	list, err := m.mend(tokens.LexAll(source, cfg))
	if err != nil {
		return nil, err
	}
	p := parser{list: list, literals: m.literals}
	body, err := p.template()
	if err != nil {
		return nil, err
	}
	// A token becomes about 400 bytes of nodes.
	t = &template{body: body, literals: m.literals, size: 1024 + 2*len(source) + 400*len(list)}
	t.checked = sync.OnceValue(t.check)
	return t, nil
}

// mender checks and corrects the tokens of one template.
type mender struct {
	source   string
	literals map[*tokens.Token]string
	brackets int
	blocks   int
}

func (m *mender) mend(stream *tokens.Stream) ([]*tokens.Token, error) {
	var list []*tokens.Token
	for {
		tok := stream.Current()
		if tok.Type == tokens.Error {
			return nil, &syntaxError{line: tok.Line, reason: "the template's syntax is wrong: " + clip(tok.Val, 80)}
		}
		if len(list) == maxTokens {
			return nil, &syntaxError{line: tok.Line,
				reason: fmt.Sprintf("a template may have %d words and signs at most", maxTokens)}
		}
		list = append(list, tok)
		if tok.Type == tokens.EOF {
			break
		}
		stream.Next()
	}
	for i, tok := range list {
		if err := m.token(tok, list[min(i+1, len(list)-1)]); err != nil {
			return nil, &syntaxError{line: tok.Line, reason: err.Error()}
		}
	}
	return list, nil
}

func (m *mender) token(tok, next *tokens.Token) error {
	switch tok.Type {
	case tokens.Data, tokens.EOF, tokens.CommentBegin, tokens.CommentEnd, tokens.Comment:
		return nil
	case tokens.String:
		return m.literal(tok, next)
	case tokens.BlockBegin:
		if m.blocks++; m.blocks > maxBlocks {
			return fmt.Errorf("a template may have %d blocks at most", maxBlocks)
		}
	case tokens.LeftParenthesis, tokens.LeftBracket, tokens.LeftBrace:
		if m.brackets++; m.brackets > maxBrackets {
			return fmt.Errorf("brackets may be nested %d deep at most", maxBrackets)
		}
	case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace:
		m.brackets--
	}
	if err := m.gap(tok.Pos+len(tok.Val), next); err != nil {
		return err
	}
	// The lexer knows no line break inside an expression and leaves it at the
	// front of the next token.
	tok.Val = strings.TrimLeft(tok.Val, " \t\n")
	if i := strings.IndexFunc(tok.Val, unknownCharacter); i >= 0 {
		return unexpected(tok.Val[i:])
	}
	if keyword, ok := keywords[tok.Val]; ok && tok.Type == tokens.Name {
		tok.Type = keyword
	}
	return nil
}

// gap checks that nothing but white space lies between two tokens.
func (m *mender) gap(end int, next *tokens.Token) error {
	if next.Type == tokens.EOF || next.Pos < end {
		return nil
	}
	if rest := strings.TrimLeft(m.source[end:next.Pos], " \t\n"); rest != "" {
		return unexpected(rest)
	}
	return nil
}

func unexpected(s string) error { return fmt.Errorf("unexpected character %q", []rune(s)[0]) }

// keywords that the lexer takes for names when a line break follows.
var keywords = map[string]tokens.Type{
	"and": tokens.And, "or": tokens.Or, "not": tokens.Not, "in": tokens.In, "is": tokens.Is,
}

func unknownCharacter(r rune) bool {
	return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("+-*/%<>=!()[]{}.,:|~", r)
}

// literal decodes a string literal from the source.
func (m *mender) literal(tok, next *tokens.Token) error {
	rest := strings.TrimLeft(m.source[tok.Pos:], " \t\n")
	start := len(m.source) - len(rest)
	value, length, err := pythonString(rest)
	if err != nil {
		return err
	}
	if next.Type != tokens.EOF && next.Pos < start+length || next.Type == tokens.String && next.Pos == start+length {
		return errors.New("a string literal that ends in a backslash is not supported")
	}
	if err := m.gap(start+length, next); err != nil {
		return errors.New("a string literal that ends in a backslash is not supported")
	}
	m.literals[tok] = value
	tok.Val = "" // what gonja makes of it is not used
	return nil
}

// clip shortens a text for an error.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
