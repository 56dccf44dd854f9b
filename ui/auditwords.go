package ui

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/store"
)

// auditWords says in words what the audit log calls by an event's name. A test
// finds every event that the sources write, and demands words for it.
var auditWords = map[string]string{
	"trigger": say("Triggered a run"), "pause": say("Paused the DAG"), "unpause": say("Un-paused the DAG"),
	"clear": say("Cleared tasks"), "cancel": say("Cancelled the task"), "set_note": say("Changed the note"),
	"mark_success": say("Marked the run as success"), "mark_failed": say("Marked the run as failed"),
	"mark_task_success": say("Marked the task as success"), "mark_task_failed": say("Marked the task as failed"),
	"mark_task_skipped": say("Marked the task as skipped"),
	"delete_run":        say("Deleted the run"), "delete": say("Deleted the DAG's history"),
	"archive":         say("Archived the DAG: its file is gone"),
	"request_removal": say("Asked to remove the DAG file"), "remove_file": say("Removed the DAG file"),
	"propose_removal": say("Opened a merge request that removes the DAG file"),
	"request_restore": say("Asked to restore the DAG file"), "restore_file": say("Restored the DAG file"),
	"propose_restoring": say("Opened a merge request that restores the DAG file"),
	"set_aside":         say("Kept the former DAG's history under another id"),
	"take_over":         say("Took over the former DAG's history"),
	"import_error":      say("Found an import error"), "replay_push": say("Replayed a push"),
	store.ViaRerender: say("Rendered DAGs again"), store.ViaOverwrite: say("Rendered DAGs again, over edits by hand"),
	store.ViaDryRun: say("Compared DAGs as they would be rendered now"),
	"promote":       say("Promoted the DAG"), "compare_promotion": say("Compared the DAG before a promotion"),
	"backfill": say("Started a backfill"), "pause_backfill": say("Paused a backfill"),
	"unpause_backfill": say("Un-paused a backfill"),
	"cancel_backfill":  say("Cancelled a backfill"),
	"create_token":     say("Created an API token"), "revoke_token": say("Revoked an API token"),
	"sign_in": say("Signed in"), "sign_out": say("Signed out"), "end_session": say("Ended a session"),
	"refused": say("Was denied"), "token_refused": say("A token was rejected"),
	"sign_in_refused": say("A sign-in was rejected"),
	"logout_refused":  say("A logout by the identity provider was rejected"),
}

// viaWords says how a request, or a run, came about.
var viaWords = map[string]string{
	"ui": say("web"), "rest_api": say("API"), "cli": say("command line"), "scheduler": say("scheduler"),
	"generator":         say("generator"),
	"identity_provider": say("identity provider"), "timetable": say("schedule"), "backfill": say("backfill"),
}

// auditDetails are the details that the audit log has of an event, in the order
// in which they are shown.
var auditDetails = []struct{ key, words string }{
	{"tasks", say("tasks")}, {"more", say("further tasks")}, {"conf_keys", say("config keys")}, {"path", say("path")},
	{"dags", say("DAGs")}, {"former_dag_id", say("former id")}, {"project", say("project")},
	{"backfill_id", say("backfill")},
	{"name", say("name")}, {"id", say("id")}, {"act", say("action")}, {"needs", say("role needed")},
	{"reason", say("reason")},
	{"more_errors", say("further errors")},
}

// rightWords are the rights that a refusal in the audit log names.
var rightWords = map[dag.Right]string{
	dag.RightRead: say("view"), dag.RightSettings: say("own settings and tokens"),
	dag.RightPause:   say("pause or un-pause"),
	dag.RightTrigger: say("trigger"), dag.RightClear: say("clear"), dag.RightMarkRun: say("mark a run"),
	dag.RightMarkTask: say("mark a task"),
	dag.RightCancel:   say("cancel a task"), dag.RightNote: say("write a note"), dag.RightBackfill: say("backfill"),
	dag.RightDelete: say("delete the DAG file"), dag.RightRestore: say("restore the DAG file"),
	dag.RightDeleteHistory: say("delete the history"),
	dag.RightReplay:        say("replay a push"), dag.RightRerender: say("render DAGs again"),
	dag.RightPromote:  say("promote"),
	dag.RightTakeOver: say("take over a history"), dag.RightAdminister: say("other people's sessions and tokens"),
}

// named is what a table says to a name, in the reader's language; the name itself
// when the table does not have it.
func named[K ~string](rd *reader, words map[K]string, name K) string {
	if text, ok := words[name]; ok {
		return rd.t(text)
	}
	return string(name)
}

// auditExtra puts the details of an event into words, one after another. What is
// not a JSON object stays as it is.
func (rd *reader) auditExtra(extra string) string {
	var details map[string]any
	if json.Unmarshal([]byte(extra), &details) != nil {
		return extra
	}
	var parts []string
	for _, d := range auditDetails {
		if value, ok := details[d.key]; ok {
			parts = append(parts, rd.t(d.words)+": "+rd.auditValue(d.key, value))
			delete(details, d.key)
		}
	}
	known := len(parts)
	for key, value := range details {
		parts = append(parts, key+": "+rd.auditValue(key, value))
	}
	slices.Sort(parts[known:])
	return strings.Join(parts, "; ")
}

func (rd *reader) auditValue(key string, value any) string {
	switch v := value.(type) {
	case string:
		switch key {
		case "act":
			return named(rd, rightWords, dag.Right(v))
		case "needs":
			return rd.known(v)
		case "reason":
			return rd.told(v)
		}
		return v
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = fmt.Sprint(item)
		}
		return strings.Join(items, ", ")
	}
	return fmt.Sprint(value)
}
