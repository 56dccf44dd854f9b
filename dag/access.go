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

// Act is a kind of request to a DAG, or to the whole instance. Every route of
// the pages and of the API stands for one.
type Act string

// The acts.
const (
	ActRead          Act = "read"           // see
	ActSettings      Act = "settings"       // one's own settings and tokens
	ActPause         Act = "pause"          // pause and un-pause
	ActTrigger       Act = "trigger"        // start a run
	ActClear         Act = "clear"          // have tasks run again
	ActMarkRun       Act = "mark_run"       // set a run's state
	ActMarkTask      Act = "mark_task"      // set a task's state
	ActCancel        Act = "cancel"         // stop a task
	ActNote          Act = "note"           // write a run's note
	ActBackfill      Act = "backfill"       // start the runs of a past range
	ActDelete        Act = "delete"         // remove the DAG from the DAG repository
	ActRestore       Act = "restore"        // bring the file of a removed DAG back
	ActDeleteHistory Act = "delete_history" // remove what has been
	ActReplay        Act = "replay"         // look at a push again
	ActRerender      Act = "rerender"       // render many DAGs again
	ActPromote       Act = "promote"        // offer a DAG to the other instance
	ActTakeOver      Act = "take_over"      // give a DAG what a former owner of its id left
	ActAdminister    Act = "administer"     // other people's sessions and tokens
)

var actRoles = map[Act]Role{
	ActRead: RoleViewer, ActSettings: RoleViewer,
	ActPause: RoleOperator, ActTrigger: RoleOperator, ActClear: RoleOperator, ActMarkRun: RoleOperator,
	ActMarkTask: RoleOperator, ActCancel: RoleOperator, ActNote: RoleOperator, ActBackfill: RoleOperator,
	ActPromote: RoleOperator, ActReplay: RoleOperator,
	ActDelete: RoleAdmin, ActRestore: RoleAdmin, ActDeleteHistory: RoleAdmin, ActRerender: RoleAdmin, ActTakeOver: RoleAdmin,
	ActAdminister: RoleAdmin,
}

// Needs is the least role that may do the act; RoleAdmin for an act that is not
// known.
func (a Act) Needs() Role {
	if r, ok := actRoles[a]; ok {
		return r
	}
	return RoleAdmin
}
