package macro

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// The limits of one evaluation. Together they bound its time and memory,
// whatever the template does.
const (
	maxOutput = 1 << 20
	maxSteps  = 200_000
	maxMemory = 8 << 20 // bytes of values made on the way, in sum
	maxRange  = 10_000
)

var (
	errOutput = fmt.Errorf("the result is longer than %d bytes", maxOutput)
	errSteps  = fmt.Errorf("the template takes more than %d steps", maxSteps)
	errMemory = fmt.Errorf("the template makes more than %d bytes of values", maxMemory)
)

// evaluation executes one template once.
type evaluation struct {
	names    *names
	literals map[*tokens.Token]string
	scopes   []map[string]any
	out      *strings.Builder
	steps    int
	memory   int
	line     int
}

// execute renders the template. The error names the line when there are
// several.
func (t *template) execute(n *names) (string, error) {
	e := &evaluation{names: n, literals: t.literals, scopes: []map[string]any{nil}, out: &strings.Builder{}, line: 1}
	if err := e.run(t.root.Nodes); err != nil {
		return "", &syntaxError{line: e.line, reason: err.Error()}
	}
	return e.out.String(), nil
}

// step counts one step of the evaluation.
func (e *evaluation) step() error {
	if e.steps++; e.steps > maxSteps {
		return errSteps
	}
	return nil
}

// spend counts memory before it is used.
func (e *evaluation) spend(bytes int) error {
	if bytes < 0 || bytes > maxMemory-e.memory {
		return errMemory
	}
	e.memory += bytes
	return nil
}

func (e *evaluation) write(s string) error {
	if e.out.Len()+len(s) > maxOutput {
		return errOutput
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
		e.set(n.name, value)
		return e.spend(len(value))
	}
	v, err := e.inlineIf(n.value, n.condition, n.alternative)
	if err != nil {
		return err
	}
	if _, ok := v.(skipped); ok {
		v = undefined{n.name + " is not defined: the condition of its inline if is false"}
	}
	e.set(n.name, v)
	return nil
}

func (e *evaluation) forBlock(n *forBlock) error {
	v, err := e.eval(n.items)
	if err != nil {
		return err
	}
	all, err := items(v)
	if err != nil {
		return err
	}
	e.push()
	defer e.pop()
	kept := all
	if n.condition != nil {
		if kept, err = e.filter(n, all); err != nil {
			return err
		}
	}
	for i := range kept {
		e.scopes[len(e.scopes)-1] = nil
		if err := e.bind(n.targets, kept[i]); err != nil {
			return err
		}
		e.set("loop", loop(kept, i))
		if err := e.run(n.body); err != nil {
			return err
		}
	}
	if len(kept) == 0 {
		return e.run(n.otherwise)
	}
	return nil
}

func (e *evaluation) filter(n *forBlock, all list) (list, error) {
	if err := e.spend(16 * len(all)); err != nil {
		return nil, err
	}
	var kept list
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
		e.set(targets[0], item)
		return nil
	}
	parts, err := items(item)
	if err != nil {
		return err
	}
	if len(parts) != len(targets) {
		return fmt.Errorf("for has %d names, but an item has %d parts", len(targets), len(parts))
	}
	for i, name := range targets {
		e.set(name, parts[i])
	}
	return nil
}

// loop is Jinja's variable of that name.
func loop(all list, i int) *object {
	return &object{name: "loop", attribute: func(name string) (any, bool, error) {
		switch name {
		case "index":
			return int64(i + 1), true, nil
		case "index0":
			return int64(i), true, nil
		case "revindex":
			return int64(len(all) - i), true, nil
		case "revindex0":
			return int64(len(all) - i - 1), true, nil
		case "first":
			return i == 0, true, nil
		case "last":
			return i == len(all)-1, true, nil
		case "length":
			return int64(len(all)), true, nil
		}
		return nil, false, nil
	}}
}

func (e *evaluation) push() { e.scopes = append(e.scopes, nil) }
func (e *evaluation) pop()  { e.scopes = e.scopes[:len(e.scopes)-1] }

func (e *evaluation) set(name string, v any) {
	scope := &e.scopes[len(e.scopes)-1]
	if *scope == nil {
		*scope = map[string]any{}
	}
	(*scope)[name] = v
}

// name looks a name up, from the innermost scope outwards.
func (e *evaluation) name(name string) (any, error) {
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
