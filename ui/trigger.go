package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// triggerPage offers a form whose one button is "Trigger DAG", or "Trigger DAG
// w/ config" once there is a value in it, and keeps what was typed when something
// is wrong with it.
type triggerPage struct {
	Page
	DAG        DAGHead
	Fields     []ParamField
	Form       triggerValues
	Errors     fieldErrors
	Faults     []FormFault // what is wrong, from the top
	FirstFault string      // the id of its field
	Checked    bool        // nothing was to be started: the form was only looked at
	URL        string
	Recent     []RecentConf
	From       string // the run whose config was taken over
	Preview    []PreviewTask
}

// FormFault is a fault of a form, for the summary over it.
type FormFault struct {
	Field string // its id, "" when the fault belongs to none
	Label string // of the field
	Text  string
}

// confField is the name of the JSON editor, which every form that was filled in
// sends.
const confField = "conf"

// Configured reports whether the run would be given a config.
func (p triggerPage) Configured() bool {
	text := strings.Join(strings.Fields(p.Form.Conf), "")
	return text != "" && text != "{}" || slices.ContainsFunc(p.Fields, func(f ParamField) bool { return f.Changed() })
}

// tellFaults fills the summary.
func (p *triggerPage) tellFaults(rd *reader) {
	add := func(field, label, text string) {
		if text != "" {
			p.Faults = append(p.Faults, FormFault{field, label, text})
		}
	}
	for _, f := range p.Fields {
		add(f.Name, f.Label, f.Error)
	}
	add(confField, rd.t("Config as JSON"), p.Errors.Conf)
	add("logical_date", rd.t("Logical date (UTC)"), p.Errors.LogicalDate)
	add("run_id", rd.t("Run id"), p.Errors.RunID)
	add("note", rd.t("Note"), p.Errors.Note)
	if len(p.Faults) > 0 {
		p.FirstFault = p.Faults[0].Field
	}
}

// RecentConf is a config of an earlier run, to be taken over.
type RecentConf struct {
	Text string // one line
	Href string
	At   TimeView
}

// PreviewTask is what a task's container would get.
type PreviewTask struct {
	Task     dag.TaskID
	Rendered *RenderedTask
	Fault    string
}

// triggerValues is what stands in the form beside the params.
type triggerValues struct {
	Conf        string
	LogicalDate string
	RunID       string
	Note        string
	Unpause     bool
}

// fieldErrors says what is wrong with a field, by the field's name.
type fieldErrors struct {
	Conf, LogicalDate, RunID, Note string
	ConfLine                       int // of the fault in the JSON, 0 when it has none
}

func (s *server) triggerForm(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	p, err := s.newTriggerPage(c, h)
	if err != nil {
		return err
	}
	p.Form = triggerValues{Conf: "{}", Unpause: true}
	for _, param := range h.Params {
		p.Fields = append(p.Fields, newParamField(param))
	}
	if err := s.takeOver(c, &p); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "trigger", p)
}

// takeOver fills the form with the config of the run that the request names.
func (s *server) takeOver(c echo.Context, p *triggerPage) error {
	from := dag.RunID(c.QueryParam("from"))
	if from == "" {
		return nil
	}
	run, err := s.Store.Run(c.Request().Context(), p.DAG.ID, from)
	if err != nil {
		return err
	}
	rest := map[string]any{}
	for key, value := range run.Conf {
		i := slices.IndexFunc(p.Fields, func(f ParamField) bool { return f.param.Name == key })
		if i < 0 {
			rest[key] = value
			continue
		}
		p.Fields[i].Value, p.Fields[i].Checked = display(value), value == true
	}
	p.From, p.Form.Conf = string(from), confJSON(rest)
	return nil
}

// confJSON writes a conf as one would type it.
func confJSON(conf map[string]any) string {
	// What came out of the database as JSON goes back into JSON.
	text, _ := json.MarshalIndent(conf, "", "  ")
	return string(text)
}

// The recent configs on offer, and how many runs are looked through for them.
const (
	maxRecent     = 5
	recentRuns    = 30
	maxRecentText = 120
)

// recentConfs are the last different configs of manual runs.
func (s *server) recentConfs(c echo.Context, h DAGHead) ([]RecentConf, error) {
	f := store.RunFilter{DAG: h.ID, Types: []dag.RunType{dag.RunManual}, Limit: recentRuns}
	runs, _, err := s.Store.Runs(c.Request().Context(), f)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var recent []RecentConf
	for _, r := range runs {
		text, err := json.Marshal(r.Conf)
		if len(r.Conf) == 0 || err != nil || len(recent) == maxRecent {
			continue
		}
		one := RecentConf{Text: shorten(string(text), maxRecentText), At: s.reader(c).time(r.RunAfter, h.Timezone),
			Href: withQuery(dagURL(h.ID, "trigger"), url.Values{"from": {string(r.ID)}})}
		if !slices.ContainsFunc(recent, func(o RecentConf) bool { return o.Text == one.Text }) {
			recent = append(recent, one)
		}
	}
	return recent, nil
}

// shorten cuts a text of more than n letters.
func shorten(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

func (s *server) newTriggerPage(c echo.Context, h DAGHead) (p triggerPage, err error) {
	p = triggerPage{Page: s.dagPage(c, h, s.reader(c).t("Trigger %s", string(h.ID))), DAG: h, URL: dagURL(h.ID, "trigger")}
	p.Live = "" // nothing may move while somebody types
	p.Recent, err = s.recentConfs(c, h)
	return p, err
}

// trigger asks for a run with what the form holds. A request without any field
// asks for one with the defaults.
func (s *server) trigger(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	p, err := s.newTriggerPage(c, h)
	if err != nil {
		return err
	}
	t := store.Trigger{DAG: h.ID, Unpause: c.FormValue("unpause") != "", By: s.actor(c)}
	p.Checked = c.FormValue("mode") == "preview"
	s.readConfig(c, &p, &t)
	p.tellFaults(s.reader(c))
	if len(p.Faults) > 0 {
		return s.render(c, p.status(http.StatusUnprocessableEntity), "trigger", p)
	}
	if !t.LogicalDate.IsZero() {
		table, err := timetable.Parse(h.DAG.Schedule)
		if err != nil {
			return fmt.Errorf("parse schedule: %w", err)
		}
		t.Interval = table.Manual(t.LogicalDate)
	}
	if p.Checked {
		return s.showPreview(c, p, t)
	}
	run, err := s.Store.TriggerRun(c.Request().Context(), t)
	if err != nil {
		return s.refuseTrigger(c, p, err)
	}
	return c.Redirect(http.StatusSeeOther, runURL(run.DAG, run.ID))
}

// status is how the form is answered: one that was only looked at is not a failure.
func (p triggerPage) status(refused int) int {
	if p.Checked {
		return http.StatusOK
	}
	return refused
}

// showPreview shows what the run would be, or why the store would refuse it.
func (s *server) showPreview(c echo.Context, p triggerPage, t store.Trigger) error {
	err := s.Store.CheckTrigger(c.Request().Context(), t)
	if err != nil {
		return s.refuseTrigger(c, p, err)
	}
	if p.Preview, err = s.preview(c, p.DAG, t); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "trigger", p)
}

// maxPreview bounds the tasks of a preview.
const maxPreview = 8

// preview renders the tasks of the run that a trigger would make.
func (s *server) preview(c echo.Context, h DAGHead, t store.Trigger) ([]PreviewTask, error) {
	rendering, end, err := s.renderings.begin(c.Request().Context())
	if err != nil {
		return nil, err
	}
	defer end()
	rd := s.reader(c)
	run := dag.Run{
		DAG: h.ID, ID: t.Run, Type: dag.RunManual, State: dag.RunQueued, Version: h.Version,
		LogicalDate: t.LogicalDate, Interval: t.Interval, Conf: t.Conf, RunAfter: rd.now,
	}
	if run.ID == "" {
		run.ID = dag.ManualRunID(rd.now)
	}
	if run.LogicalDate.IsZero() {
		run.LogicalDate = rd.now.UTC().Truncate(time.Microsecond) // as the store keeps it
		run.Interval = dag.DataInterval{Start: run.LogicalDate, End: run.LogicalDate}
	}
	var tasks []PreviewTask
	for _, id := range dag.Order(h.DAGRow.DAG) {
		if len(tasks) == maxPreview {
			break
		}
		one := PreviewTask{Task: id}
		rendered, err := renderTask(rendering, s.Variables, h.DAGRow.DAG, run,
			dag.TaskInstance{Task: id, Try: 1, MaxTries: 1})
		if err != nil {
			one.Fault = rd.words(err)
		}
		if rendered != nil && t.Run == "" {
			setEnv(rendered.Env, "AIRFLOW_CTX_DAG_RUN_ID", rd.t("set when the run starts"))
		}
		one.Rendered = rendered
		tasks = append(tasks, one)
	}
	return tasks, nil
}

// setEnv replaces the value of a variable.
func setEnv(env []dag.EnvVar, name, value string) {
	for i := range env {
		if env[i].Name == name {
			env[i].Value = value
		}
	}
}

// refuseTrigger shows the store's refusal in the form.
func (s *server) refuseTrigger(c echo.Context, p triggerPage, err error) error {
	status, _, _ := classify(err)
	switch {
	case errors.Is(err, dag.ErrConflict) && p.Form.RunID != "":
		p.Errors.RunID = s.reader(c).words(err)
	case errors.Is(err, dag.ErrConflict):
		p.Errors.LogicalDate = s.reader(c).words(err)
	case errors.Is(err, dag.ErrInvalid):
		p.Faults = []FormFault{{Text: s.reader(c).words(err)}}
	default:
		return err
	}
	p.tellFaults(s.reader(c))
	return s.render(c, p.status(status), "trigger", p)
}

// readConfig reads the form.
func (s *server) readConfig(c echo.Context, p *triggerPage, t *store.Trigger) {
	p.Form = triggerValues{
		Conf: c.FormValue(confField), LogicalDate: c.FormValue("logical_date"), RunID: c.FormValue("run_id"),
		Note: c.FormValue("note"), Unpause: t.Unpause,
	}
	rd := s.reader(c)
	given, err := parseConf(p.Form.Conf)
	if err != nil {
		p.Errors.Conf, p.Errors.ConfLine = s.reader(c).words(err), faultLine(err)
	}
	t.Conf = map[string]any{}
	for _, param := range p.DAG.Params {
		f := newParamField(param)
		if value, ok := given[param.Name]; ok {
			f.check(rd, value)
		} else if value, ok := f.read(c, rd); ok {
			t.Conf[param.Name] = value
		}
		p.Fields = append(p.Fields, f)
	}
	maps.Copy(t.Conf, given)
	if err := dag.CheckConf(given); err != nil {
		p.Errors.Conf = rd.words(err)
	}
	if t.LogicalDate, err = parseLogicalDate(p.Form.LogicalDate); err != nil {
		p.Errors.LogicalDate = rd.words(err)
	}
	if p.Form.RunID != "" {
		if err := dag.CheckRunID(p.Form.RunID); err != nil {
			p.Errors.RunID = s.reader(c).words(err)
		}
	}
	if dag.CheckNote(p.Form.Note) != nil {
		p.Errors.Note = rd.t("The note is too long: at most %d characters.", dag.MaxNote)
	}
	t.Run, t.Note = dag.RunID(p.Form.RunID), p.Form.Note
}

// faultLine is the line that a fault of the JSON names, 0 when it names none.
func faultLine(err error) int {
	var pe *pageError
	if errors.As(err, &pe) && len(pe.args) >= 2 {
		line, _ := pe.args[0].(int)
		return line
	}
	return 0
}

// parseLogicalDate reads a date and time, in UTC unless it names an offset.
func parseLogicalDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05",
		"2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), dag.CheckLogicalDate(t)
		}
	}
	return time.Time{}, invalid(
		"Not a date and time. Write it like 2026-01-31T06:00 or, with an offset, 2026-01-31T06:00:00+03:00.")
}
