package macro

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/nodes"

	"dagwright/dag"
)

// Variables gives the text of a variable of the instance that a DAG may read. The error
// names the variable and never has a value in it. It is ErrNoVariable when there is none of
// that name; another says why the DAG may not read it.
type Variables func(d *dag.DAG, name string) (string, error)

// ErrNoVariable says that an instance has no variable of a name.
var ErrNoVariable = errors.New("there is no such variable")

// NoVariable is an ErrNoVariable in the words of reason.
func NoVariable(reason string) error { return noVariable(reason) }

type noVariable string

func (e noVariable) Error() string        { return string(e) }
func (e noVariable) Is(target error) bool { return target == ErrNoVariable }

// lookupCost is what a look for a variable costs at most, in bytes touched: the names
// that an instance gives to projects are gone through.
const lookupCost = 20_000

// variable is a variable that a task's templates have asked for.
type variable struct {
	text   string
	err    error
	json   any // what the text is as JSON, if parsed
	parsed bool
}

// variable finds a variable of the instance, once for each name and task.
func (n *names) variable(name string) (*variable, error) {
	if err := n.budget.touch(2 * len(name)); err != nil {
		return nil, err
	}
	if v, ok := n.read[name]; ok {
		return v, v.err
	}
	if err := n.budget.spend(pairSize + len(name)); err != nil {
		return nil, err
	}
	if err := n.budget.touch(lookupCost); err != nil {
		return nil, err
	}
	v := &variable{}
	if n.Variables != nil {
		v.text, v.err = n.Variables(n.DAG, name)
	} else {
		v.err = NoVariable(fmt.Sprintf("variable %q does not exist: this instance has none", clip(name, 80)))
	}
	if n.read == nil {
		n.read = map[string]*variable{}
	}
	n.read[name], n.tried = v, true // the next try may find another value
	return v, v.err
}

// The names of Airflow's accessors of variables.
const (
	varValue = "var.value"
	varJSON  = "var.json"
)

// accessor is var.value or var.json: the variables of the instance as attributes.
func (n *names) accessor(name string) *object {
	return &object{name, func(key string) (any, bool, error) {
		switch {
		case key == "get":
			return &function{name + ".get", n.getVariable(name)}, true, nil
		case strings.HasPrefix(key, "__"): // Jinja's sandbox has none of these
			return nil, false, nil
		case n.asked != nil:
			n.asked(key, false)
			return unknown{}, true, nil
		}
		return found(n.variableAs(name, key))
	}}
}

// variableAs is a variable as an accessor gives it: its text, or what that is as JSON.
func (n *names) variableAs(accessor, key string) (any, error) {
	v, err := n.variable(key)
	if err != nil {
		return nil, err
	}
	if accessor == varValue {
		return v.text, nil
	}
	if !v.parsed {
		if v.json, err = n.budget.parseJSON(v.text); err != nil {
			return nil, fmt.Errorf("variable %q: %w", clip(key, 80), err)
		}
		v.parsed = true
	}
	return v.json, nil
}

// getVariable is the method get of an accessor: a default stands for a variable that the
// instance does not have, and for no other.
func (n *names) getVariable(accessor string) func(*evaluation, arguments) (any, error) {
	return func(_ *evaluation, a arguments) (any, error) {
		args, err := a.take(accessor+".get", "key!", "default")
		if err != nil {
			return nil, err
		}
		key, err := stringOr(args[0], "")
		if err != nil {
			return nil, fmt.Errorf("%s.get: %w", accessor, err)
		}
		v, err := n.variableAs(accessor, key)
		if given(args[1]) && errors.Is(err, ErrNoVariable) {
			return args[1], nil
		}
		return v, err
	}
}

// vars is Airflow's name var.
func (n *names) vars(name string) (any, bool, error) {
	switch name {
	case "value", "json":
		return n.accessor("var." + name), true, nil
	}
	return nil, false, nil
}

// quotation is a text in quotes within an error.
var quotation = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// withoutValues is the text of a template's error. When variables were read, it quotes
// nothing but what stands in the template itself.
func (n *names) withoutValues(source string, err error) string {
	if len(n.read) == 0 {
		return err.Error()
	}
	return quotation.ReplaceAllStringFunc(err.Error(), func(q string) string {
		if text, err := strconv.Unquote(q); err == nil && strings.Contains(source, text) {
			return q
		}
		return `"…"`
	})
}

// VariableUse is a variable that a template names.
type VariableUse struct {
	// Field of the task, as in the paths of Check's faults.
	Field string
	Name  string
	// Optional says that the template has a default for it.
	Optional bool
}

// VariablesOf lists the variables that a task's templates name as they are written: not
// those whose names they make. Of a template that cannot be read it lists none.
func (r *Renderer) VariablesOf(task dag.Task) []VariableUse {
	f := fields{renderer: r, budget: newBudget(context.Background(), checkTimeout), checks: true, lists: true}
	f.task(&task)
	return f.uses
}

// CheckVariables says which variables the templates of a DAG's tasks name that it may not
// read, or that the instance does not have. The error is a dag.SpecErrors whose paths
// begin with tasks[i].
func (r *Renderer) CheckVariables(d *dag.DAG, variables Variables) error {
	var faults dag.SpecErrors
	for i := range d.Tasks {
		for _, use := range r.VariablesOf(d.Tasks[i]) {
			_, err := variables(d, use.Name)
			if err == nil || use.Optional && errors.Is(err, ErrNoVariable) {
				continue
			}
			faults = append(faults, &dag.SpecError{Path: fmt.Sprintf("tasks[%d].%s", i, use.Field), Reason: err.Error()})
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// use records a variable that the template names.
func (c *checker) use(name string, optional bool) {
	for i, u := range c.used {
		if u.Name == name {
			c.used[i].Optional = u.Optional && optional
			return
		}
	}
	c.used = append(c.used, VariableUse{Name: name, Optional: optional})
}

// checkGet records the variable that a call of an accessor's get names.
func (c *checker) checkGet(f *function, n *nodes.Call) {
	if f.name != varValue+".get" && f.name != varJSON+".get" {
		return
	}
	key, named := n.Kwargs["key"]
	if len(n.Args) > 0 {
		key, named = n.Args[0], true
	}
	if !named {
		return
	}
	if text, ok := key.(*nodes.String); ok {
		_, byName := n.Kwargs["default"]
		c.use(c.literals[text.Location], byName || len(n.Args) > 1)
	}
}

// isAccessor reports whether a value is var.value or var.json.
func isAccessor(v any) bool {
	o, ok := v.(*object)
	return ok && (o.name == varValue || o.name == varJSON)
}
