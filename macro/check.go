package macro

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"

	"dagwright/dag"
)

// checkTimeout bounds the check of one task.
const checkTimeout = time.Minute

// Check says what of a task's templates is wrong whatever run they are rendered for:
// their syntax, names that neither Airflow nor the template defines, names of Airflow
// that are not available here, unknown filters, tests and attributes, and too much of
// them to be read. The error is a dag.SpecErrors with a fault for each field.
//
// What may be absent is left alone: keys of params and of the conf, and a name that
// the template gives a default or asks for with "is defined".
func (r *Renderer) Check(task dag.Task) error {
	b := newBudget(context.Background(), checkTimeout)
	f := fields{renderer: r, budget: b, checks: true}
	f.task(&task)
	if len(f.faults) > 0 {
		return f.faults
	}
	return nil
}

// CheckText is Check for one template.
func (r *Renderer) CheckText(source string) error {
	if !isTemplate(source) {
		return nil
	}
	t, err := r.parsed(source, newBudget(context.Background(), checkTimeout))
	if err != nil {
		return err
	}
	return t.checked().fault
}

// someRun is a context in which every name has a value.
func someRun() *names {
	at := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	return newNames(Context{
		DAG: &dag.DAG{StartDate: at, EndDate: at},
		Run: dag.Run{
			LogicalDate: at, RunAfter: at, QueuedAt: at, StartedAt: at, EndedAt: at,
			Interval: dag.DataInterval{Start: at, End: at},
		},
		Task: &dag.Task{},
	}, newBudget(context.Background(), checkTimeout))
}

// checker goes over a template without evaluating it, and keeps the first fault.
type checker struct {
	names    *names
	literals map[*tokens.Token]string
	scopes   []map[string]any // by name, what is known of its value
	asked    map[string]bool  // what "is defined" was asked of, which may be absent
	line     int
	err      error
	// steps is how many steps a rendering takes at least; times is how often what is
	// being checked is done in every run.
	steps, times uint64
	used         []VariableUse
}

// checked is what is known of a template before a run.
type checked struct {
	fault error         // the first, nil when there is none
	used  []VariableUse // up to the fault, without their field
}

// check goes over a template up to its first fault.
func (t *template) check() checked {
	c := &checker{
		names: someRun(), literals: t.literals, scopes: []map[string]any{{}}, asked: map[string]bool{}, line: 1, times: 1,
	}
	c.names.asked = c.use
	c.body(t.body)
	out := checked{used: c.used}
	if c.err != nil {
		out.fault = &syntaxError{line: c.line, reason: c.err.Error()}
	}
	return out
}

func (c *checker) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// bind makes the names of a loop or of {% set %} known.
func (c *checker) bind(t *target) {
	for _, part := range t.parts {
		c.bind(part)
	}
	if t.parts == nil && t.attribute == "" {
		c.scopes[len(c.scopes)-1][t.name] = unknown{}
	}
}

func (c *checker) body(list []nodes.Node) {
	for _, n := range list {
		if c.err != nil {
			return
		}
		c.once(1)
		switch n := n.(type) {
		case *nodes.Output:
			c.line = n.Start.Line
			c.expression(n.Expression)
		case *nodes.ControlStructureBlock:
			c.line = n.Location.Line
			c.block(n.ControlStructure)
		}
	}
}

func (c *checker) block(n nodes.Node) {
	switch n := n.(type) {
	case *ifBlock:
		for _, b := range n.branches {
			c.optional(b.condition)
			c.repeated(0, func() { c.body(b.body) })
		}
	case *forBlock:
		c.expression(n.items)
		c.scopes = append(c.scopes, map[string]any{})
		c.bind(n.target)
		c.optional(n.condition)
		c.scopes[len(c.scopes)-1]["loop"] = (&loop{}).object()
		c.repeated(c.rounds(n), func() {
			c.once(1) // for its names
			c.body(n.body)
		})
		c.repeated(0, func() { c.body(n.otherwise) })
		c.scopes = c.scopes[:len(c.scopes)-1]
	case *setBlock:
		c.optional(n.value)
		c.scopes = append(c.scopes, map[string]any{})
		c.body(n.body)
		c.scopes = c.scopes[:len(c.scopes)-1]
		if n.target.attribute != "" {
			if u, ok := c.name(n.target.name).(undefined); ok {
				c.fail(u)
			}
		}
		c.bind(n.target)
	}
}

// conditional checks the condition first: it may ask whether the value is defined.
func (c *checker) conditional(n *conditional) {
	c.expression(n.condition)
	c.expression(n.value)
	c.optional(n.alternative)
}

func (c *checker) optional(n nodes.Expression) {
	if n != nil {
		c.expression(n)
	}
}

// unknown is a value of which nothing is known before a run.
type unknown struct{}

func (c *checker) all(list []nodes.Expression) {
	for _, n := range list {
		c.expression(n)
	}
}

// expression checks an expression that must be defined, and returns its value when
// it is the same kind of thing in every run.
func (c *checker) expression(n nodes.Node) any {
	v := c.value(n)
	if u, ok := v.(undefined); ok {
		if !c.asked[path(n)] {
			c.fail(u)
		}
		return unknown{}
	}
	return v
}

// value is expression for one that may be undefined.
func (c *checker) value(n nodes.Node) any {
	switch n := n.(type) {
	case *nodes.None, *nodes.Bool, *nodes.Integer, *nodes.Float:
	case *nodes.String:
		return ""
	case *nodes.Name:
		return c.name(n.Name.Val)
	case *nodes.List:
		c.all(n.Val)
	case *nodes.Tuple:
		c.all(n.Val)
	case *nodes.Dict:
		for _, p := range n.Pairs {
			c.expression(p.Key)
			c.expression(p.Value)
		}
	case *nodes.GetAttribute:
		return c.attribute(c.expression(n.Node), n.Attribute, n)
	case *nodes.GetItem:
		return c.item(n)
	case *nodes.GetSlice:
		c.slice(n)
	case *nodes.Call:
		return c.call(n)
	case *nodes.Negation:
		c.expression(n.Term)
	case *nodes.UnaryExpression:
		c.expression(n.Term)
	case *conditional:
		c.conditional(n)
	case *spread:
		c.expression(n.value)
	case *comparison:
		c.expression(n.first)
		for _, next := range n.rest {
			c.expression(next.value)
		}
	case *nodes.BinaryExpression:
		c.expression(n.Left)
		c.expression(n.Right)
	case *nodes.FilteredExpression:
		c.filtered(n)
	case *nodes.TestExpression:
		c.tested(n)
	default:
		c.fail(errNoExpression)
	}
	return unknown{}
}

func (c *checker) name(name string) any {
	for _, scope := range slices.Backward(c.scopes) {
		if v, ok := scope[name]; ok {
			return v
		}
	}
	v, ok, err := c.names.lookup(name)
	switch {
	case err != nil:
		c.fail(err)
		return unknown{}
	case ok:
		return v
	}
	if f, ok := globals[name]; ok {
		return f
	}
	return undefined{reason: clip(name, 80) + " is not defined"}
}

// attribute finds an attribute of a value of which something is known.
func (c *checker) attribute(owner any, name string, n nodes.Node) any {
	switch owner.(type) {
	case unknown, nil, *dict:
		return unknown{}
	}
	if name == "" {
		return unknown{} // x.0
	}
	v, ok, err := attribute(owner, name)
	switch {
	case err != nil:
		c.fail(err)
		return unknown{}
	case ok:
		return v
	}
	return undefined{reason: path(n) + " is not defined"}
}

func (c *checker) item(n *nodes.GetItem) any {
	owner := c.expression(n.Node)
	if n.Arg == nil {
		c.fail(errNoExpression)
		return unknown{}
	}
	c.expression(n.Arg)
	if key, ok := n.Arg.(*nodes.String); ok && isAccessor(owner) {
		c.attribute(owner, c.literals[key.Location], n)
	}
	return unknown{}
}

func (c *checker) slice(n *nodes.GetSlice) {
	c.expression(n.Node)
	for _, bound := range []nodes.Node{n.Start, n.End, n.Step} {
		if bound != nil {
			c.expression(bound)
		}
	}
}

func (c *checker) call(n *nodes.Call) any {
	c.checkRange(n)
	switch v := c.expression(n.Func).(type) {
	case unknown:
	case *function:
		c.checkGet(v, n)
	case *object:
		if _, ok, _ := v.attribute("__call__"); !ok {
			c.fail(notCallable(n.Func, v))
		}
	default:
		c.fail(notCallable(n.Func, v))
	}
	c.all(n.Args)
	for _, x := range n.Kwargs {
		c.expression(x)
	}
	return unknown{}
}

func (c *checker) filtered(n *nodes.FilteredExpression) {
	for i, call := range n.Filters {
		if _, err := filterOf(call.Name); err != nil {
			c.fail(err)
		}
		switch {
		case i > 0:
		case takesUndefined(call.Name):
			c.value(n.Expression)
		default:
			c.expression(n.Expression)
		}
		c.namedBuiltin(call)
		c.all(call.Args)
		for _, x := range call.Kwargs {
			c.expression(x)
		}
	}
}

// namedBuiltin checks the name that map, select and the like are given as a text.
func (c *checker) namedBuiltin(call *nodes.FilterCall) {
	at, find := 0, testOf
	switch call.Name {
	case "map":
		find = filterOf
	case "select", "reject":
	case "selectattr", "rejectattr":
		at = 1
	default:
		return
	}
	if at >= len(call.Args) {
		return
	}
	if name, ok := call.Args[at].(*nodes.String); ok {
		if _, err := find(c.literals[name.Location]); err != nil {
			c.fail(err)
		}
	}
}

func (c *checker) tested(n *nodes.TestExpression) {
	name := n.Test.Name
	if _, err := testOf(name); err != nil {
		c.fail(err)
	}
	if asksDefined(name) {
		c.asked[path(n.Expression)] = true
		c.value(n.Expression)
	} else {
		c.expression(n.Expression)
	}
	c.all(n.Test.Args)
	for _, x := range n.Test.Kwargs {
		c.expression(x)
	}
}

func notCallable(n nodes.Node, v any) error {
	return fmt.Errorf("%s cannot be called: it is %s", path(n), typeName(v))
}

func filterOf(name string) (builtin, error) {
	if f, ok := filters[name]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("there is no filter %q; there are: %s", clip(name, 40), known(filters))
}

// takesUndefined reports whether a filter may be given what is not defined.
func takesUndefined(filter string) bool { return filter == "default" || filter == "d" }

func testOf(name string) (builtin, error) {
	if t, ok := tests[name]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("there is no test %q; there are: %s", clip(name, 40), known(tests))
}

func asksDefined(test string) bool { return test == "defined" || test == "undefined" }
