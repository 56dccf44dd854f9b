package webhook

import (
	"errors"
	"io"
	"net/http"
	"time"

	"dagwright/gitlab"
)

// read reads the event and checks the signature over it. A fault is the answer
// to give instead of going on.
func (r *Receiver) read(w http.ResponseWriter, request *http.Request, check *gitlab.BodyCheck) (gitlab.Push, *answer) {
	body := check.Reader(http.MaxBytesReader(w, request.Body, MaxBody))

	var push gitlab.Push
	var parseErr error
	event := request.Header.Get("X-Gitlab-Event")
	wanted := event == "Push Hook" || event == "System Hook"
	if wanted {
		push, parseErr = gitlab.ParsePush(body)
	}
	if check.Signed() {
		if fault := verify(check, body); fault != nil {
			return push, fault
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case !wanted:
		return push, new(ignore(push, "not a push event"))
	case errors.Is(parseErr, gitlab.ErrOtherEvent):
		return push, new(ignore(push, "not a push event"))
	case errors.As(parseErr, &tooLarge):
		return push, new(refuse(http.StatusRequestEntityTooLarge, errTooLarge))
	case parseErr != nil:
		return push, new(refuse(http.StatusBadRequest, parseErr))
	}
	// The body is at its end. The deadline must not strike while the store works:
	// it would cancel the request's context.
	setReadDeadline(w, time.Time{})
	return push, nil
}

// setReadDeadline bounds how long the request's body may take. A ResponseWriter
// that cannot do so has no connection to wait for.
func setReadDeadline(w http.ResponseWriter, t time.Time) {
	_ = http.NewResponseController(w).SetReadDeadline(t)
}

// verify reads what is left of the body and checks the signature over all of
// it. The signature comes before any complaint about the content: who cannot
// sign is told nothing about it.
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
