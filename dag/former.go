package dag

import (
	"strconv"
	"strings"
)

// formerMark stands between an id and the number of its former owner. No id of a
// spec holds it (CheckID).
const formerMark = "~"

// FormerID is the id under which the DAG of a former owner is kept once another
// project has the id: "churn~1" for the first owner (epoch 0), "churn~2" for the
// next.
func FormerID(id ID, epoch int) ID { return id + ID(formerMark+strconv.Itoa(epoch+1)) }

// Former reports whether the id is one of FormerID.
func (id ID) Former() bool { return strings.Contains(string(id), formerMark) }

// Taken is the id that went to another owner, for an id of FormerID; any other id
// is itself.
func (id ID) Taken() ID {
	taken, _, _ := strings.Cut(string(id), formerMark)
	return ID(taken)
}
