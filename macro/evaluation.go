package macro

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// evaluation executes one template once.
type evaluation struct {
	*budget
	names    *names
	literals map[*tokens.Token]string
	scopes   []map[string]any
	out      *strings.Builder
	line     int
}

// execute renders the template. The error names the line when there are
// several.
func (t *template) execute(n *names, b *budget) (string, error) {
	e := &evaluation{budget: b, names: n, literals: t.literals, scopes: []map[string]any{nil},
		out: &strings.Builder{}, line: 1}
	if err := e.run(t.root.Nodes); err != nil {
		if s := (stopped{}); errors.As(err, &s) {
			return "", s
		}
		return "", &syntaxError{line: e.line, reason: err.Error()}
	}
	return e.out.String(), nil
}

func (e *evaluation) write(s string) error {
	if e.out.Len()+len(s) > maxOutput {
		return errOutput
	}
	if err := e.spend(len(s)); err != nil {
		return err
	}
	e.out.WriteString(s)
	return nil
}

func (e *evaluation) run(body []nodes.Node) error {
	for _, n := range body {
		if err := e.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (e *evaluation) node(n nodes.Node) error {
	if err := e.step(); err != nil {
		return err
	}
	switch n := n.(type) {
	case nil, *nodes.Comment:
		return nil
	case *nodes.Data:
		if err := e.touch(len(n.Data.Val)); err != nil {
			return err
		}
		return e.write(dataText(n))
	case *nodes.Output:
		e.line = n.Start.Line
		v, err := e.inlineIf(n.Expression, n.Condition, n.Alternative)
		if err != nil {
			return err
		}
		if _, ok := v.(skipped); ok {
			return nil
		}
		s, err := e.text(v)
		if err != nil {
			return err
		}
		return e.write(s)
	case *nodes.ControlStructureBlock:
		e.line = n.Location.Line
		return e.block(n.ControlStructure)
	}
	return errors.New("the template's syntax is wrong")
}

// dataText is the text between the marks, trimmed where {%- or -%} asks for it.
func dataText(n *nodes.Data) string {
	s := n.Data.Val
	if n.Trim.Left {
		s = strings.TrimLeft(s, " \n\t")
	}
	if n.Trim.Right {
		s = strings.TrimRight(s, " \n\t")
	}
	return s
}

// skipped is what an inline if without else gives when its condition fails.
type skipped struct{}

func (e *evaluation) inlineIf(value, condition, alternative nodes.Expression) (any, error) {
	if condition == nil {
		return e.eval(value)
	}
	ok, err := e.test(condition)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return e.eval(value)
	case alternative == nil:
		return skipped{}, nil
	}
	return e.eval(alternative)
}

func (e *evaluation) test(condition nodes.Expression) (bool, error) {
	v, err := e.eval(condition)
	if err != nil {
		return false, err
	}
	return truth(v)
}

func (e *evaluation) block(n nodes.Node) error {
	switch n := n.(type) {
	case *ifBlock:
		return e.ifBlock(n)
	case *forBlock:
		return e.forBlock(n)
	case *setBlock:
		return e.setBlock(n)
	case *rawBlock:
		return e.run(n.body)
	}
	return errors.New("the template's syntax is wrong")
}

func (e *evaluation) ifBlock(n *ifBlock) error {
	for _, b := range n.branches {
		if b.condition != nil {
			ok, err := e.test(b.condition)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		return e.run(b.body)
	}
	return nil
}

func (e *evaluation) setBlock(n *setBlock) error {
	if n.value == nil {
		outer := e.out
		e.out = &strings.Builder{}
		err := e.run(n.body)
		value := e.out.String()
		e.out = outer
		if err != nil {
			return err
		}
		return e.set(n.name, value)
	}
	v, err := e.inlineIf(n.value, n.condition, n.alternative)
	if err != nil {
		return err
	}
	if _, ok := v.(skipped); ok {
		v = undefined{n.name + " is not defined: the condition of its inline if is false"}
	}
	return e.set(n.name, v)
}

func (e *evaluation) forBlock(n *forBlock) error {
	v, err := e.eval(n.items)
	if err != nil {
		return err
	}
	all, err := e.items(v)
	if err != nil {
		return err
	}
	e.push()
	defer e.pop()
	if n.condition != nil {
		if all, err = e.filter(n, all); err != nil {
			return err
		}
	}
	l := loop{length: len(all)}
	for i := range all {
		l.index = i
		if err := e.iteration(n, all[i], &l); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return e.run(n.otherwise)
	}
	return nil
}

// iteration runs the body of a loop once. It begins with nothing that another
// iteration has set.
func (e *evaluation) iteration(n *forBlock, item any, l *loop) error {
	clear(e.scopes[len(e.scopes)-1])
	if err := e.bind(n.targets, item); err != nil {
		return err
	}
	if err := e.set("loop", l.object()); err != nil {
		return err
	}
	return e.run(n.body)
}

func (e *evaluation) filter(n *forBlock, all list) (list, error) {
	if err := e.spendEach(len(all), itemSize); err != nil {
		return nil, err
	}
	kept := make(list, 0, len(all))
	for _, item := range all {
		if err := e.bind(n.targets, item); err != nil {
			return nil, err
		}
		ok, err := e.test(n.condition)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// bind gives the names of a loop their values.
func (e *evaluation) bind(targets []string, item any) error {
	if err := e.step(); err != nil {
		return err
	}
	if len(targets) == 1 {
		return e.set(targets[0], item)
	}
	parts, err := e.items(item)
	if err != nil {
		return err
	}
	if len(parts) != len(targets) {
		return fmt.Errorf("for has %d names, but an item has %d parts", len(targets), len(parts))
	}
	for i, name := range targets {
		if err := e.set(name, parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// loop is Jinja's variable of that name: one for all rounds of a loop.
type loop struct {
	index, length int
	value         *object
}

func (l *loop) object() *object {
	if l.value == nil {
		l.value = &object{name: "loop", attribute: l.attribute}
	}
	return l.value
}

func (l *loop) attribute(name string) (any, bool, error) {
	switch name {
	case "index":
		return int64(l.index + 1), true, nil
	case "index0":
		return int64(l.index), true, nil
	case "revindex":
		return int64(l.length - l.index), true, nil
	case "revindex0":
		return int64(l.length - l.index - 1), true, nil
	case "first":
		return l.index == 0, true, nil
	case "last":
		return l.index == l.length-1, true, nil
	case "length":
		return int64(l.length), true, nil
	}
	return nil, false, nil
}

func (e *evaluation) push() { e.scopes = append(e.scopes, nil) }
func (e *evaluation) pop()  { e.scopes = e.scopes[:len(e.scopes)-1] }

// set gives a name of the innermost scope a value.
func (e *evaluation) set(name string, v any) error {
	scope := &e.scopes[len(e.scopes)-1]
	if *scope == nil {
		if err := e.spend(pairSize); err != nil {
			return err
		}
		*scope = map[string]any{}
	}
	if err := e.touch(len(name)); err != nil {
		return err
	}
	(*scope)[name] = v
	return nil
}

// name looks a name up, from the innermost scope outwards.
func (e *evaluation) name(name string) (any, error) {
	if err := e.touchEach(len(e.scopes), 20+len(name)); err != nil {
		return nil, err
	}
	for i := len(e.scopes) - 1; i >= 0; i-- {
		if v, ok := e.scopes[i][name]; ok {
			return v, nil
		}
	}
	v, ok, err := e.names.lookup(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		if f, ok := globals[name]; ok {
			return f, nil
		}
		return undefined{clip(name, 80) + " is not defined"}, nil
	}
	return v, nil
}
