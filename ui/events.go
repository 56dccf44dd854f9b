package ui

import (
	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// events streams the store's changes, all or those of one DAG. A page reads
// itself afresh when it hears one, so an event that is lost while nobody
// listens does no harm: the script reads the page once more when it connects.
func (s *server) events(c echo.Context) error {
	only := dag.ID(c.QueryParam("dag"))
	ctx, st, closer, err := s.streams.open(c)
	if err != nil {
		return err
	}
	defer closer()
	sub := s.Store.Subscribe()
	defer sub.Close()
	if err := st.send(0, "ready", struct{}{}); err != nil {
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
			if err = st.send(0, "lagged", struct{}{}); err == nil {
				err = st.flush()
			}
		case change, open := <-sub.C:
			if !open {
				return nil
			}
			if only != "" && change.DAG != only {
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
