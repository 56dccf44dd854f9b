package macro

import (
	"fmt"

	"github.com/nikolalohinski/gonja/v2/nodes"
)

// once counts what a template does in every run each time that it comes there: a lower
// bound of the steps that rendering charges. What a run may pass over counts nothing.
func (c *checker) once(steps int) {
	if c.steps += uint64(steps) * c.times; c.steps > maxSteps {
		c.fail(errSteps)
	}
}

// repeated checks what happens a number of times for each time that the checker is
// where it is; 0 when the number is not known before a run.
func (c *checker) repeated(times uint64, check func()) {
	before := c.times
	c.times = min(c.times*min(times, maxSteps+1), maxSteps+1)
	check()
	c.times = before
}

// rounds is how often a loop goes round in every run; 0 when that is not known.
func (c *checker) rounds(n *forBlock) uint64 {
	if n.condition != nil {
		return 0
	}
	switch items := n.items.(type) {
	case *nodes.List:
		return uint64(len(items.Val))
	case *nodes.Tuple:
		return uint64(len(items.Val))
	case *nodes.Call:
		count, _ := c.rangeCount(items)
		return count
	}
	return 0
}

// rangeCount is how many numbers a call of range with nothing but numbers makes.
func (c *checker) rangeCount(n *nodes.Call) (count uint64, ok bool) {
	name, named := n.Func.(*nodes.Name)
	if !named || name.Name.Val != "range" || len(n.Args) < 1 || len(n.Args) > 3 || len(n.Kwargs) > 0 {
		return 0, false
	}
	if f, global := c.name("range").(*function); !global || f != globals["range"] {
		return 0, false
	}
	bounds := [3]int64{0, 0, 1}
	for i, arg := range n.Args {
		if bounds[i], ok = integer(arg); !ok {
			return 0, false
		}
	}
	if len(n.Args) == 1 {
		bounds[0], bounds[1] = 0, bounds[0]
	}
	if bounds[2] == 0 {
		return 0, false
	}
	return rangeLength(bounds[0], bounds[1], bounds[2]), true
}

// integer is the value of an integer as it stands in a template.
func integer(n nodes.Node) (int64, bool) {
	switch n := n.(type) {
	case *nodes.Integer:
		return int64(n.Val), true
	case *nodes.UnaryExpression:
		v, ok := integer(n.Term)
		if n.Negative {
			v = -v
		}
		return v, ok
	}
	return 0, false
}

// checkRange refuses what range refuses in every run.
func (c *checker) checkRange(n *nodes.Call) {
	if count, ok := c.rangeCount(n); ok && count > maxRange {
		c.fail(errRangeSize)
	}
}

var errRangeSize = fmt.Errorf("range makes %d numbers at most", maxRange)
