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
	if err := e.run(t.body); err != nil {
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
		v, err := e.eval(n.Expression)
		if err != nil {
			return err
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

// conditional evaluates an inline if.
func (e *evaluation) conditional(n *conditional) (any, error) {
	ok, err := e.test(n.condition)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return e.eval(n.value)
	case n.alternative != nil:
		return e.eval(n.alternative)
	}
	return undefined{reason: "the condition of an inline if without else is false", soft: true}, nil
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
	if n.value != nil {
		v, err := e.eval(n.value)
		if err != nil {
			return err
		}
		return e.bind(n.target, v)
	}
	outer := e.out
	e.out = &strings.Builder{}
	e.push()
	err := e.run(n.body)
	e.pop()
	value := e.out.String()
	e.out = outer
	if err != nil {
		return err
	}
	return e.bind(n.target, value)
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
	l := loop{items: all}
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
	if err := e.bind(n.target, item); err != nil {
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
		if err := e.bind(n.target, item); err != nil {
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

// bind gives the names of a loop or of {% set %} their values.
func (e *evaluation) bind(t *target, v any) error {
	if err := e.step(); err != nil {
		return err
	}
	switch {
	case t.attribute != "":
		return e.setAttribute(t, v)
	case t.parts == nil:
		return e.set(t.name, v)
	}
	parts, err := e.items(v)
	if err != nil {
		return err
	}
	if len(parts) != len(t.parts) {
		return fmt.Errorf("there are %d names, but %d values for them", len(t.parts), len(parts))
	}
	for i, part := range t.parts {
		if err := e.bind(part, parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// setAttribute gives an attribute of a namespace its value.
func (e *evaluation) setAttribute(t *target, v any) error {
	owner, err := e.name(t.name)
	if err != nil {
		return err
	}
	n, ok := owner.(*namespace)
	if !ok {
		return fmt.Errorf("%s is not a namespace: only a namespace has attributes that can be set", clip(t.name, 80))
	}
	if err := e.spend(pairSize + len(t.attribute)); err != nil {
		return err
	}
	n.set(t.attribute, v)
	return nil
}

// loop is Jinja's variable of that name: one for all rounds of a loop.
type loop struct {
	items   list
	index   int
	changed list // what loop.changed was asked of last
	value   *object
}

func (l *loop) object() *object {
	if l.value == nil {
		l.value = &object{name: "loop", attribute: l.attribute}
	}
	return l.value
}

func (l *loop) attribute(name string) (any, bool, error) {
	length := len(l.items)
	switch name {
	case "index":
		return int64(l.index + 1), true, nil
	case "index0":
		return int64(l.index), true, nil
	case "revindex":
		return int64(length - l.index), true, nil
	case "revindex0":
		return int64(length - l.index - 1), true, nil
	case "first":
		return l.index == 0, true, nil
	case "last":
		return l.index == length-1, true, nil
	case "length":
		return int64(length), true, nil
	case "depth":
		return int64(1), true, nil
	case "depth0":
		return int64(0), true, nil
	case "previtem":
		return l.neighbour(l.index-1, "there is no previous item"), true, nil
	case "nextitem":
		return l.neighbour(l.index+1, "there is no next item"), true, nil
	case "cycle":
		return &function{"loop.cycle", l.cycle}, true, nil
	case "changed":
		return &function{"loop.changed", l.hasChanged}, true, nil
	}
	return nil, false, nil
}

func (l *loop) neighbour(i int, otherwise string) any {
	if i < 0 || i >= len(l.items) {
		return undefined{reason: otherwise}
	}
	return l.items[i]
}

// cycle is the argument whose turn it is.
func (l *loop) cycle(_ *evaluation, a arguments) (any, error) {
	if len(a.positional) == 0 || len(a.named) > 0 {
		return nil, errors.New("loop.cycle: expected items")
	}
	return a.positional[l.index%len(a.positional)], nil
}

// hasChanged reports whether the arguments differ from those of the last call.
func (l *loop) hasChanged(e *evaluation, a arguments) (any, error) {
	if len(a.named) > 0 {
		return nil, errors.New("loop.changed takes no argument by name")
	}
	same, err := e.equal(l.changed, list(a.positional))
	if err != nil || same && l.changed != nil {
		return false, err
	}
	l.changed = append(list{}, a.positional...)
	return true, nil
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
		return undefined{reason: clip(name, 80) + " is not defined"}, nil
	}
	return v, nil
}
