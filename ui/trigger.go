package ui

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// triggerPage offers "Trigger DAG" and "Trigger DAG w/ config", and keeps what
// was typed when something is wrong with it.
type triggerPage struct {
	Page
	DAG     DAGHead
	Fields  []ParamField
	Form    triggerValues
	Errors  fieldErrors
	URL     string
	Message string // an error that belongs to no field
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
type fieldErrors struct{ Conf, LogicalDate, RunID, Note string }

func (e fieldErrors) any() bool { return e != fieldErrors{} }

func (s *server) triggerForm(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	p := s.newTriggerPage(c, h)
	p.Form = triggerValues{Conf: "{}", Unpause: true}
	for _, param := range h.Params {
		p.Fields = append(p.Fields, newParamField(param))
	}
	return s.render(c, http.StatusOK, "trigger", p)
}

func (s *server) newTriggerPage(c echo.Context, h DAGHead) triggerPage {
	p := triggerPage{Page: s.dagPage(c, h, "Trigger "+string(h.ID)), DAG: h, URL: dagURL(h.ID, "trigger")}
	p.Events = "" // nothing may move while somebody types
	return p
}

// trigger asks for a run, in one of the two ways.
func (s *server) trigger(c echo.Context) error {
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	p := s.newTriggerPage(c, h)
	t := store.Trigger{DAG: h.ID, Unpause: c.FormValue("unpause") != "", By: s.actor(c)}
	if c.FormValue("mode") == "config" {
		s.readConfig(c, &p, &t)
	} else {
		p.Form = triggerValues{Conf: "{}", Unpause: t.Unpause}
		for _, param := range h.Params {
			f := newParamField(param)
			f.requireDefault()
			p.Fields = append(p.Fields, f)
		}
	}
	if p.faulty() {
		return s.render(c, http.StatusUnprocessableEntity, "trigger", p)
	}
	if !t.LogicalDate.IsZero() {
		table, err := timetable.Parse(h.DAG.Schedule)
		if err != nil {
			return fmt.Errorf("parse schedule: %w", err)
		}
		t.Interval = table.Manual(t.LogicalDate)
	}
	run, err := s.Store.TriggerRun(c.Request().Context(), t)
	if err != nil {
		return s.refuseTrigger(c, p, err)
	}
	return c.Redirect(http.StatusSeeOther, runURL(run.DAG, run.ID))
}

// faulty reports whether any field is wrong.
func (p *triggerPage) faulty() bool {
	for _, f := range p.Fields {
		if f.Error != "" {
			return true
		}
	}
	return p.Errors.any()
}

// refuseTrigger shows the store's refusal in the form.
func (s *server) refuseTrigger(c echo.Context, p triggerPage, err error) error {
	status, _ := classify(err)
	switch {
	case errors.Is(err, dag.ErrConflict) && p.Form.RunID != "":
		p.Errors.RunID = words(err)
	case errors.Is(err, dag.ErrConflict):
		p.Errors.LogicalDate = words(err)
	case errors.Is(err, dag.ErrInvalid):
		p.Message = words(err)
	default:
		return err
	}
	return s.render(c, status, "trigger", p)
}

// readConfig reads the form of "Trigger DAG w/ config".
func (s *server) readConfig(c echo.Context, p *triggerPage, t *store.Trigger) {
	p.Form = triggerValues{
		Conf: c.FormValue("conf"), LogicalDate: c.FormValue("logical_date"), RunID: c.FormValue("run_id"),
		Note: c.FormValue("note"), Unpause: t.Unpause,
	}
	given, err := parseConf(p.Form.Conf)
	if err != nil {
		p.Errors.Conf = err.Error()
	}
	t.Conf = map[string]any{}
	for _, param := range p.DAG.Params {
		f := newParamField(param)
		if value, ok := given[param.Name]; ok {
			f.check(value)
		} else if value, ok := f.read(c); ok {
			t.Conf[param.Name] = value
		}
		p.Fields = append(p.Fields, f)
	}
	for key, value := range given {
		t.Conf[key] = value
		if err := dag.CheckConf(map[string]any{key: value}); err != nil {
			p.Errors.Conf = words(err)
		}
	}
	if t.LogicalDate, err = parseLogicalDate(p.Form.LogicalDate); err != nil {
		p.Errors.LogicalDate = err.Error()
	}
	if p.Form.RunID != "" {
		if err := dag.CheckRunID(p.Form.RunID); err != nil {
			p.Errors.RunID = words(err)
		}
	}
	if len(p.Form.Note) > maxNote {
		p.Errors.Note = fmt.Sprintf("The note is too long: at most %d bytes.", maxNote)
	}
	t.Run, t.Note = dag.RunID(p.Form.RunID), p.Form.Note
}

// parseLogicalDate reads a date and time, in UTC unless it names an offset.
func parseLogicalDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("This is no date and time: want 2026-01-31T06:00, or with an offset 2026-01-31T06:00:00+03:00.")
}
