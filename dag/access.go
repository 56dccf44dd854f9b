package dag

import "fmt"

// Role is what somebody may do to a DAG; each role includes those below it. The
// zero Role may do nothing and see nothing.
type Role int

// The roles.
const (
	RoleNone     Role = iota
	RoleViewer        // sees the DAG, its runs and logs
	RoleOperator      // pauses, triggers, clears, marks and cancels
	RoleAdmin         // also deletes, and renders the fleet again
)

var roleNames = []string{"none", "viewer", "operator", "admin"}

// String is the role's name, such as "operator".
func (r Role) String() string {
	if r < RoleNone || r > RoleAdmin {
		return fmt.Sprintf("Role(%d)", int(r))
	}
	return roleNames[r]
}

// ParseRole reads a role's name. The error is ErrInvalid.
func ParseRole(name string) (Role, error) {
	for i, n := range roleNames {
		if n == name {
			return Role(i), nil
		}
	}
	return RoleNone, fmt.Errorf("role %.40q: want none, viewer, operator or admin: %w", name, ErrInvalid)
}

// Right is what a request to a DAG, or to the whole instance, needs. Every route of
// the pages and of the API names one.
type Right string

// The rights.
const (
	RightRead          Right = "read"           // see
	RightSettings      Right = "settings"       // one's own settings and tokens
	RightPause         Right = "pause"          // pause and un-pause
	RightTrigger       Right = "trigger"        // start a run
	RightClear         Right = "clear"          // have tasks run again
	RightMarkRun       Right = "mark_run"       // set a run's state
	RightMarkTask      Right = "mark_task"      // set a task's state
	RightCancel        Right = "cancel"         // stop a task
	RightNote          Right = "note"           // write a run's note
	RightBackfill      Right = "backfill"       // start the runs of a past range
	RightDelete        Right = "delete"         // remove the DAG from the DAG repository
	RightRestore       Right = "restore"        // bring the file of a removed DAG back
	RightDeleteHistory Right = "delete_history" // remove what has been
	RightReplay        Right = "replay"         // look at a push again
	RightRerender      Right = "rerender"       // render many DAGs again
	RightPromote       Right = "promote"        // offer a DAG to the other instance
	RightTakeOver      Right = "take_over"      // give a DAG what a former owner of its id left
	RightAdminister    Right = "administer"     // other people's sessions and tokens
	RightMetrics       Right = "metrics"        // read the figures of the whole instance
)

var rightRoles = map[Right]Role{
	RightRead: RoleViewer, RightSettings: RoleViewer, RightMetrics: RoleViewer,
	RightPause: RoleOperator, RightTrigger: RoleOperator, RightClear: RoleOperator, RightMarkRun: RoleOperator,
	RightMarkTask: RoleOperator, RightCancel: RoleOperator, RightNote: RoleOperator, RightBackfill: RoleOperator,
	RightPromote: RoleOperator, RightReplay: RoleOperator,
	RightDelete: RoleAdmin, RightRestore: RoleAdmin, RightDeleteHistory: RoleAdmin, RightRerender: RoleAdmin,
	RightTakeOver:   RoleAdmin,
	RightAdminister: RoleAdmin,
}

// Needs is the least role that has the right; RoleAdmin for a right that is not
// known.
func (r Right) Needs() Role {
	if role, ok := rightRoles[r]; ok {
		return role
	}
	return RoleAdmin
}
