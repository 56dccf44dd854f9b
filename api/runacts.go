package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

func (s *server) runActRoutes() []route {
	return []route{
		{http.MethodPost, "/dags/:dag_id/dagRuns", dag.RightTrigger, s.triggerRun, operation{
			id: "trigger_dag_run", tag: "DagRun", summary: "Ask for a run.", answer: runAnswer{}, body: triggerParams(),
		}},
		{http.MethodPatch, runPath, dag.RightMarkRun, s.patchRun, operation{
			id: "patch_dag_run", tag: "DagRun",
			summary: "Set a run's state or note. The state queued has its tasks run once more.", answer: runAnswer{},
			query: []param{many(choice("update_mask", "The fields to change.", "state", "note"))},
			body: []param{nullable(choice("state", "The state to set.", "queued", "success", "failed")),
				nullable(text("note", "The note, 1,000 characters at most."))},
		}},
		{http.MethodDelete, runPath, dag.RightDeleteHistory, s.deleteRun, operation{
			id: "delete_dag_run", tag: "DagRun", summary: "Delete a run that does not run, with its logs.",
			status: http.StatusNoContent,
		}},
		{http.MethodPost, runPath + "/clear", dag.RightClear, s.clearRun, operation{
			id: "clear_dag_run", tag: "DagRun", summary: "Have the tasks of a run run once more.",
			answer: either{clearedList{}, runAnswer{}},
			body: []param{
				truth("dry_run", true, "Only say which tasks it would be."), truth("only_failed", false, "Only tasks that failed."),
				truth("only_new", false, "Not supported: a run keeps the version of its DAG."),
				nullable(truth("run_on_latest_version", false, "Not supported: a run keeps the version of its DAG.")),
				nullable(text("note", "The run's new note.")),
			},
		}},
	}
}

// patchRun changes a run's note and state: it is ended by hand as success or
// failed, or cleared when the state is to be queued.
func (s *server) patchRun(c echo.Context) error {
	q := readQuery(c)
	mask := updateMask(q, "state", "note")
	b, err := readBody(c)
	if err != nil {
		return err
	}
	state, note := dag.RunState(b.choice("state", "queued", "success", "failed")), b.text("note", dag.MaxNote)
	if err := cmp.Or(b.err(), q.err()); err != nil {
		return err
	}
	run, err := s.loadRun(c)
	if err != nil {
		return err
	}
	masked := func(field string) bool { return len(mask) > 0 && !slices.Contains(mask, field) }
	if b.has("note") && !masked("note") {
		if err := s.setNote(c, run, note); err != nil {
			return err
		}
	}
	if state != "" && state != run.State && !masked("state") {
		if err := s.setState(c, run, state); err != nil {
			return err
		}
	}
	if run, err = s.loadRun(c); err != nil {
		return err
	}
	return s.answerRun(c, run)
}

func (s *server) setNote(c echo.Context, run dag.Run, note string) error {
	if err := s.Allow(c, dag.RightNote, run.DAG); err != nil {
		return err
	}
	return s.Store.SetRunNote(c.Request().Context(), s.actor(c), run.DAG, run.ID, note)
}

func (s *server) setState(c echo.Context, run dag.Run, state dag.RunState) error {
	ctx := c.Request().Context()
	if state.Ended() {
		if err := s.Allow(c, dag.RightMarkRun, run.DAG); err != nil {
			return err
		}
		return s.Store.SetRunState(ctx, s.actor(c), run.DAG, run.ID, state)
	}
	if err := s.Allow(c, dag.RightClear, run.DAG); err != nil {
		return err
	}
	_, err := s.Store.ClearRuns(ctx, store.Clear{DAG: run.DAG, By: s.actor(c)}, []dag.RunID{run.ID})
	return err
}

// deleteRun removes a run and then its logs. Should dagwright die in between,
// retention removes the logs, and a run of the same name appends to them. A run that is
// not there may have been deleted by this request's first try.
func (s *server) deleteRun(c echo.Context) error {
	if err := readQuery(c).err(); err != nil {
		return err
	}
	ctx, id, run := c.Request().Context(), dagID(c), runID(c)
	place, err := s.Store.DeleteRun(ctx, s.actor(c), id, run)
	switch {
	case errors.Is(err, store.ErrRunning):
		return refuse(http.StatusConflict, "The DagRun with dag_id: `%s` and run_id: `%s` cannot be deleted in %s state", id,
			run, dag.RunRunning)
	case err != nil:
		return missingRun(err, id, run)
	}
	if err := s.Logs.Remove(place, run); err != nil {
		return fmt.Errorf("remove logs of run %q of DAG %q: %w", run, id, err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *server) clearRun(c echo.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	dry, clear := b.flag("dry_run", true), store.Clear{OnlyFailed: b.boolean("only_failed")}
	onlyNew, latest, note := b.boolean("only_new"), b.orNull("run_on_latest_version"), b.text("note", dag.MaxNote)
	if err := cmp.Or(b.err(), readQuery(c).err()); err != nil {
		return err
	}
	if onlyNew || latest {
		return errOtherVersion()
	}
	run, err := s.loadRun(c)
	if err != nil {
		return err
	}
	clear.DAG, clear.By = run.DAG, s.actor(c)
	return s.clearOneRun(c, run, clear, clearHow{dry: dry, note: note, hasNote: b.has("note")})
}

// clearHow is what a clear of a run has besides the tasks.
type clearHow struct {
	dry, hasNote bool
	note         string
}

func (s *server) clearOneRun(c echo.Context, run dag.Run, clear store.Clear, how clearHow) error {
	ctx := c.Request().Context()
	if how.dry {
		chosen, err := s.Store.ClearChoice(ctx, clear, []dag.RunID{run.ID})
		if err != nil {
			return err
		}
		answers, err := s.instanceAnswers(ctx, chosen)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, clearedList{answers, len(answers)})
	}
	if _, err := s.Store.ClearRuns(ctx, clear, []dag.RunID{run.ID}); err != nil {
		return err
	}
	if how.hasNote {
		if err := s.setNote(c, run, how.note); err != nil {
			return err
		}
	}
	run, err := s.loadRun(c)
	if err != nil {
		return err
	}
	return s.answerRun(c, run)
}

// clearedList is the answer of a clear that is only tried.
type clearedList struct {
	Instances []instanceAnswer `json:"task_instances"`
	Total     int              `json:"total_entries"`
}

// errOtherVersion refuses what Airflow can do between the versions of a DAG.
func errOtherVersion() error {
	return refuse(http.StatusBadRequest,
		"A run keeps the version of its Dag: run_on_latest_version and only_new are not supported; trigger a new run instead")
}
