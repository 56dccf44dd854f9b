package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// plan is what an act would touch, as it is shown before the act is done.
type plan struct {
	Button  string // names the act; the title is the same as a question
	Danger  bool   // the act ends something that goes on
	Run     dag.RunID
	RunURL  string
	Note    string // what else somebody should know before
	Rows    []planRow
	Left    []planRow // chosen, and not touched
	Unpause bool      // offers to un-pause DAGs as well
	Back    string    // the page that the act was chosen on
}

// planRow is one thing that an act would touch.
type planRow struct {
	Name  string
	Href  string
	State StateView
	What  string // what happens to it, or why nothing does
}

// add lists a thing as touched, or as left alone when err says why.
func (p *plan) add(rd *reader, row planRow, err error) {
	if err != nil {
		row.What = rd.words(err)
		p.Left = append(p.Left, row)
		return
	}
	p.Rows = append(p.Rows, row)
}

// digest tells one list of touched things from another.
func (p *plan) digest() string {
	h := sha256.New()
	for _, row := range p.Rows {
		h.Write([]byte(row.Name + "\x00" + row.What + "\x00")) //nolint:errcheck // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// maxPlanned bounds how many things a plan lists by name.
const maxPlanned = 200

// confirmPage shows a plan with the button that does it.
type confirmPage struct {
	Page
	plan
	Heading string // asks whether to do it
	More    int    // things that are not listed
	Shown   string
	Changed bool // the plan is no longer the one that was confirmed
	Action  string
	Fields  []formField
}

// formField is a field of a form that is sent on as it came.
type formField struct{ Name, Value string }

// sentFields are the fields of the form that was sent, by name, except for some.
func sentFields(c echo.Context, but ...string) (fields []formField) {
	for name, values := range c.Request().PostForm {
		for _, value := range values {
			if !slices.Contains(but, name) {
				fields = append(fields, formField{name, value})
			}
		}
	}
	slices.SortStableFunc(fields, func(a, b formField) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// confirmed reports whether an act is to be done. It is not when the request has
// the field "ask", as the buttons of pages send it, nor when the field "shown"
// names another plan than what the act would do now: then the answer is the plan,
// and a button that names it. What was done already, as the request is a repeat, would
// no longer be what was shown: then the act answers it.
func (s *server) confirmed(c echo.Context, draw func() (plan, error)) (bool, error) {
	asks, shown := c.FormValue("ask") != "", c.FormValue("shown")
	if !asks && shown == "" {
		return true, nil
	}
	if repeated, err := s.Store.Acted(c.Request().Context(), s.actor(c)); err != nil || repeated {
		return repeated, err
	}
	p, err := draw()
	if err != nil {
		return false, err
	}
	if !asks && shown == p.digest() {
		return true, nil
	}
	heading := p.Button + "?"
	if len(p.Rows) == 0 {
		heading = s.reader(c).t("Nothing to change")
	}
	page := confirmPage{Page: s.page(c, heading), Heading: heading, plan: p, Shown: p.digest(), Changed: !asks,
		Action: c.Request().URL.Path}
	page.Section = "dags"
	page.Back = localPath(c.FormValue("back"), p.Back)
	if page.More = len(p.Rows) - maxPlanned; page.More > 0 {
		page.Rows = p.Rows[:maxPlanned]
	}
	page.Fields = sentFields(c, "ask", "shown", "unpause", keyField)
	status := http.StatusOK
	if page.Changed {
		status = http.StatusConflict
	}
	return false, s.render(c, status, "confirm", page)
}

// runPlan is a plan about one run, which it was chosen on the page of.
func runPlan(id dag.ID, run dag.RunID) plan {
	return plan{Run: run, RunURL: runURL(id, run), Back: runURL(id, run)}
}

func taskRow(ti dag.TaskInstance, what string) planRow {
	return planRow{Name: string(ti.Task), Href: taskURL(ti.DAG, ti.Run, ti.Task), State: taskStateView(ti.State),
		What: what}
}

// toClear are the tasks of a run that a clear would reset; none chosen is an
// error, as it is when it is done.
func (s *server) toClear(c echo.Context, cl store.Clear) ([]dag.TaskInstance, error) {
	chosen, err := s.Store.ClearChoice(c.Request().Context(), cl, []dag.RunID{cl.Run})
	if err != nil {
		return nil, err
	}
	chosen = slices.DeleteFunc(chosen, func(ti dag.TaskInstance) bool { return ti.State == dag.TaskNone })
	if len(chosen) == 0 {
		return nil, conflict(say("There is nothing to clear."))
	}
	return chosen, nil
}

// clearPlan lists what a clear of one run would reset.
func (s *server) clearPlan(c echo.Context, cl store.Clear) (plan, error) {
	rd, p := s.reader(c), runPlan(cl.DAG, cl.Run)
	chosen, err := s.toClear(c, cl)
	if err != nil {
		return p, err
	}
	settled, err := s.settledAfter(c, cl.DAG, cl.Run, chosen, dag.TaskNone)
	if err != nil {
		return p, err
	}
	for _, ti := range chosen {
		p.add(rd, taskRow(ti, clearedWords(rd, ti, settled)), nil)
	}
	if p.Note, err = s.keptVersion(c, cl.DAG, cl.Run); err != nil {
		return p, err
	}
	p.Button = rd.t("Clear %d tasks", len(p.Rows))
	return p, nil
}

// keptVersion says that a run goes on with another version than the newest, if so.
func (s *server) keptVersion(c echo.Context, id dag.ID, run dag.RunID) (string, error) {
	r, err := s.Store.Run(c.Request().Context(), id, run)
	if err != nil {
		return "", err
	}
	row, err := s.Store.DAG(c.Request().Context(), id)
	if err != nil || r.Version == row.Version {
		return "", err
	}
	return s.reader(c).t("The run keeps version %d of the DAG; the newest is %d.", r.Version, row.Version), nil
}

// clearedWords says what happens to a task that is cleared, or not started yet.
func clearedWords(rd *reader, ti dag.TaskInstance, settled map[dag.TaskID]dag.Settlement) string {
	end, ends := settled[ti.Task]
	switch {
	case ti.State.Active():
		return rd.t("will be stopped and run again")
	case !ends:
		return rd.t("will run again")
	case end.State != dag.TaskSkipped:
		return rd.t("will not run: %s", rd.reason(end.Reason))
	case ti.State == dag.TaskSkipped:
		return rd.t("will be skipped again: %s", rd.reason(end.Reason))
	}
	return rd.t("will be skipped: %s", rd.reason(end.Reason))
}

// settledAfter are the tasks that would not run once the changed ones have a state,
// since the scheduler ends them by their trigger rules.
func (s *server) settledAfter(c echo.Context, id dag.ID, run dag.RunID, changed []dag.TaskInstance,
	state dag.TaskState) (map[dag.TaskID]dag.Settlement, error) {
	ctx := c.Request().Context()
	r, err := s.Store.Run(ctx, id, run)
	if err != nil {
		return nil, err
	}
	version, err := s.Store.Version(ctx, id, r.Version)
	if err != nil {
		return nil, err
	}
	tasks, err := s.Store.TaskInstances(ctx, id, run)
	if err != nil {
		return nil, err
	}
	states := map[dag.TaskID]dag.TaskState{}
	for _, ti := range tasks {
		states[ti.Task] = ti.State
	}
	for _, ti := range changed {
		states[ti.Task] = state
	}
	settled := map[dag.TaskID]dag.Settlement{}
	for _, end := range dag.Settle(version.Spec, states) {
		settled[end.Task] = end
	}
	return settled, nil
}

// markTaskPlan lists what a mark of one task would change: the task itself, those that
// had been given up because of it, and those that would not run then.
func (s *server) markTaskPlan(c echo.Context, k dag.AttemptKey, state dag.TaskState) (plan, error) {
	ctx, rd, p := c.Request().Context(), s.reader(c), runPlan(k.DAG, k.Run)
	p.Back = taskURL(k.DAG, k.Run, k.Task)
	chosen, err := s.Store.MarkChoice(ctx, store.Mark{DAG: k.DAG, Runs: []dag.RunID{k.Run}, Task: k.Task, State: state})
	if err != nil {
		return p, err
	}
	if len(chosen) == 0 {
		return p, conflict(say("The task has this state already."))
	}
	p.Button, p.Danger = rd.t("Mark task %s as success", string(k.Task)), state == dag.TaskFailed
	ended, active := say("will be marked as success"), say("will be stopped and marked as success")
	if state == dag.TaskFailed {
		p.Button = rd.t("Mark task %s as failed", string(k.Task))
		ended, active = say("will be marked as failed"), say("will be stopped and marked as failed")
	}
	for _, ti := range chosen {
		what := ended
		if ti.State.Active() {
			what = active
		}
		p.add(rd, taskRow(ti, rd.t(what)), nil)
	}
	if state == dag.TaskFailed {
		err = s.addNeverRun(c, &p, chosen)
		return p, err
	}
	revived, err := s.givenUpAfter(c, k)
	for _, ti := range revived {
		p.add(rd, taskRow(ti, rd.t("will run after it")), nil)
	}
	return p, err
}

// addNeverRun lists the tasks of a run that would not run once the marked ones have failed.
func (s *server) addNeverRun(c echo.Context, p *plan, marked []dag.TaskInstance) error {
	id, run := marked[0].DAG, marked[0].Run
	settled, err := s.settledAfter(c, id, run, marked, dag.TaskFailed)
	if err != nil {
		return err
	}
	tasks, err := s.Store.TaskInstances(c.Request().Context(), id, run)
	rd := s.reader(c)
	for _, ti := range tasks {
		if _, ends := settled[ti.Task]; ends {
			p.add(rd, taskRow(ti, clearedWords(rd, ti, settled)), nil)
		}
	}
	return err
}

// givenUpAfter are the tasks after one that were given up.
func (s *server) givenUpAfter(c echo.Context, k dag.AttemptKey) ([]dag.TaskInstance, error) {
	ctx := c.Request().Context()
	run, err := s.Store.Run(ctx, k.DAG, k.Run)
	if err != nil {
		return nil, err
	}
	version, err := s.Store.Version(ctx, k.DAG, run.Version)
	if err != nil {
		return nil, err
	}
	tasks, err := s.Store.TaskInstances(ctx, k.DAG, k.Run)
	after := downstream(version.Spec, k.Task)
	return slices.DeleteFunc(tasks, func(ti dag.TaskInstance) bool {
		return ti.Task == k.Task || !after[ti.Task] || !ti.GivenUp()
	}), err
}

// restorePlan names the archived DAG whose file would be brought back.
func (s *server) restorePlan(c echo.Context, id dag.ID) (plan, error) {
	rd, p := s.reader(c), plan{Back: dagURL(id, "details")}
	row, err := s.Store.DAG(c.Request().Context(), id)
	if err != nil {
		return p, err
	}
	p.Button = rd.t("Restore the file of %s", string(id))
	p.add(rd, planRow{Name: row.File, Href: p.Back, State: pausedView(row.Paused),
		What: rd.t("will be brought back into the DAG repository")}, nil)
	return p, nil
}

// cancelPlan names the attempt that would be stopped.
func (s *server) cancelPlan(c echo.Context, k dag.AttemptKey) (plan, error) {
	rd, p := s.reader(c), runPlan(k.DAG, k.Run)
	p.Back = taskURL(k.DAG, k.Run, k.Task)
	ti, err := s.Store.TaskInstance(c.Request().Context(), k.DAG, k.Run, k.Task)
	if err != nil {
		return p, err
	}
	if !ti.State.Active() {
		return p, conflict(say("The task is no longer running."))
	}
	p.Button, p.Danger = rd.t("Cancel task %s", string(k.Task)), true
	p.add(rd, taskRow(ti, rd.t("will be stopped and not retried")), nil)
	return p, nil
}

// markRunPlan lists a run that would be ended by hand, and its tasks that have not
// ended.
func (s *server) markRunPlan(c echo.Context, id dag.ID, run dag.RunID, state dag.RunState) (plan, error) {
	ctx, rd, p := c.Request().Context(), s.reader(c), runPlan(id, run)
	r, err := s.Store.Run(ctx, id, run)
	if err != nil {
		return p, err
	}
	if r.State == state {
		return p, conflict(say("The run has this state already."))
	}
	tasks, err := s.Store.TaskInstances(ctx, id, run)
	if err != nil {
		return p, err
	}
	p.Button, p.Danger = rd.t("Mark run as success"), state == dag.RunFailed
	if p.Danger {
		p.Button = rd.t("Mark run as failed")
	}
	p.add(rd, planRow{Name: string(run), Href: p.RunURL, State: runStateView(r.State), What: markedRun(rd, state)}, nil)
	for _, ti := range tasks {
		switch {
		case ti.State.Active():
			p.add(rd, taskRow(ti, rd.t("will be stopped")), nil)
		case !ti.State.Ended():
			p.add(rd, taskRow(ti, rd.t("will be skipped")), nil)
		}
	}
	return p, nil
}

// markedRun says what happens to a run that is marked.
func markedRun(rd *reader, state dag.RunState) string {
	if state == dag.RunFailed {
		return rd.t("will be marked as failed")
	}
	return rd.t("will be marked as success")
}
