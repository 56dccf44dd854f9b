package ui

import (
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// missingLog says why a try has no log.
func (s *server) missingLog(rd *reader, t TaskView) string {
	if keep, expired := s.Logs.Expired(t.TaskInstance.DAG, t.TaskInstance.EndedAt); expired &&
		!t.TaskInstance.StartedAt.IsZero() {
		return rd.t("The log was removed by retention after %s.", rd.kept(keep))
	}
	if t.TaskInstance.State.Ended() && !s.mayComeLog(t) {
		return rd.t("There is no log: this task did not run.")
	}
	return rd.t("There is no log yet: the task has not started. Its lines will show here.")
}

// kept writes for how long logs are kept.
func (rd *reader) kept(keep time.Duration) string {
	if keep%(24*time.Hour) != 0 {
		return rd.t("%d hours", int(keep/time.Hour))
	}
	return rd.t("%d days", int(keep/(24*time.Hour)))
}

// mayComeLog says whether the log of a try may still come: its task goes on, or
// ended so short a time ago that another process is about to upload it.
func (s *server) mayComeLog(t TaskView) bool {
	return !t.TaskInstance.State.Ended() ||
		!t.TaskInstance.StartedAt.IsZero() && s.Now().Sub(t.TaskInstance.EndedAt) < s.Logs.Lag()
}

// unavailableLog says that the log cannot be shown now. The cause is not for
// the reader.
func (s *server) unavailableLog(c echo.Context, key dag.AttemptKey, err error) string {
	s.Logger.ErrorContext(c.Request().Context(), "look for log",
		"dag", key.DAG, "run", key.Run, "task", key.Task, "try", key.Try, "err", err)
	return s.reader(c).t("The log cannot be shown now: the log storage is not responding. Reload the page later.")
}
