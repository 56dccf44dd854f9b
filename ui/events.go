package ui

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// events streams the store's changes, all or those of one DAG. A page reads
// itself again when it hears one, so an event that is lost while nobody
// listens does no harm: "ready" names the newest change, and the script reads a
// page once more that was made before it.
func (s *server) events(c echo.Context) error {
	only := dag.ID(c.QueryParam("dag"))
	ctx, st, closer, err := s.streams.open(c)
	if err != nil {
		return err
	}
	defer closer()
	sub := s.Store.Subscribe()
	defer sub.Close()
	sight := s.Store.Sight()
	if err := st.send(0, "ready", s.mark()); err != nil {
		return nil
	}
	if st.flush() != nil {
		return nil
	}
	// A failed write means that the reader has gone: there is nobody to tell.
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-st.beat.C:
			err = st.ping()
		case <-sub.Lagged:
			sight.Forget()
			if err = st.send(0, "lagged", ""); err == nil {
				err = st.flush()
			}
		case change, open := <-sub.C:
			if !open {
				return nil
			}
			if only != "" && change.DAG != only {
				continue
			}
			seen, e := sight.Sees(ctx, change)
			if e != nil {
				return e // the reader asks again, and hears of nothing meanwhile
			}
			if !seen {
				continue
			}
			if err = st.send(change.Seq, "change", change); err == nil && len(sub.C) == 0 {
				err = st.flush()
			}
		}
		if err != nil {
			return nil
		}
	}
}

// mark names the newest change that this process has heard of. The process is
// part of it, since each counts by itself.
func (s *server) mark() string { return s.process + "-" + strconv.FormatInt(s.Store.ChangeSeq(), 10) }

// remember notes the newest change before anything is read for a page.
func (s *server) remember(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set("mark", s.mark())
		return next(c)
	}
}
