package webhook

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"dagwright/dag"
	"dagwright/gitlab"
)

// wantedEvents are the values of X-Gitlab-Event whose bodies are read. A system
// hook names all of its events alike.
var wantedEvents = []string{"Push Hook", "System Hook", "Pipeline Hook", "Merge Request Hook", "Project Hook"}

// read reads the event and checks the signature over it. A fault is the answer
// to give instead of going on.
func (r *Receiver) read(w http.ResponseWriter, request *http.Request, check *gitlab.BodyCheck) (gitlab.Event, *answer) {
	body := check.Reader(http.MaxBytesReader(w, request.Body, MaxBody))

	event := gitlab.Event{Kind: gitlab.EventOther}
	var parseErr error
	header := request.Header.Get("X-Gitlab-Event")
	wanted := slices.Contains(wantedEvents, header)
	if wanted {
		event, parseErr = gitlab.ParseEvent(body)
	}
	if check.Signed() {
		if fault := verify(check, body); fault != nil {
			return event, fault
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case !wanted:
		return event, nil // its body may be unread; the deadline stays
	case errors.As(parseErr, &tooLarge):
		return event, new(refuse(http.StatusRequestEntityTooLarge, errTooLarge))
	case parseErr != nil && header != "Push Hook" && errors.Is(parseErr, dag.ErrInvalid):
		// GitLab has kinds and shapes of events that nobody here has seen. Only a
		// push that is not understood is worth an error.
		return event, new(ignore("", "not understood: "+parseErr.Error()))
	case parseErr != nil:
		return event, new(refuse(http.StatusBadRequest, parseErr))
	}
	return event, nil
}

// setReadDeadline bounds how long the request's body may take. A ResponseWriter
// that cannot do so has no connection to wait for.
func setReadDeadline(w http.ResponseWriter, t time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(t)
}

// verify reads what is left of the body and checks the signature over all of
// it. The signature is checked before the content is complained about: a sender
// who cannot sign learns nothing about it.
func verify(check *gitlab.BodyCheck, body io.Reader) *answer {
	_, err := io.Copy(io.Discard, body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return new(refuse(http.StatusRequestEntityTooLarge, errTooLarge))
	}
	if err != nil {
		return new(refuse(http.StatusBadRequest, errors.New("the body could not be read to its end")))
	}
	if err := check.Verify(); err != nil {
		return new(refuse(http.StatusUnauthorized, err))
	}
	return nil
}
