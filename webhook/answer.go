package webhook

import (
	"encoding/json"
	"errors"
	"net/http"

	"dagwright/store"
)

// answer is what a delivery is answered with. GitLab shows the body to people
// who look at the hook's recent deliveries.
type answer struct {
	status  int
	body    reply
	project string // for the log
	cause   error  // for the log; the sender does not see it
}

// reply is the JSON body of an answer.
type reply struct {
	Status string `json:"status,omitempty"` // accepted, repeated, ignored
	Push   int64  `json:"push,omitempty"`   // id of the recorded push
	Reason string `json:"reason,omitempty"` // why it is ignored
	Error  string `json:"error,omitempty"`  // why it is refused
}

func refuse(status int, err error) answer {
	return answer{status: status, body: reply{Error: err.Error()}}
}

func ignore(project, reason string) answer {
	return answer{status: http.StatusOK, body: reply{Status: "ignored", Reason: reason}, project: project}
}

func accept(project string) answer {
	return answer{status: http.StatusAccepted, body: reply{Status: "accepted"}, project: project}
}

// broken is the answer when the store failed. GitLab does not send the event
// again; the reconciler finds the push.
func broken(project string, err error) answer {
	a := answer{
		status: http.StatusInternalServerError, body: reply{Error: "the push could not be recorded; see the log"},
		project: project, cause: err,
	}
	if errors.Is(err, store.ErrUnavailable) {
		a.status, a.body.Error = http.StatusServiceUnavailable, "the database does not answer now; send the event again"
	}
	return a
}

// word says in a word what was answered.
func (a answer) word() string {
	switch {
	case a.status >= http.StatusInternalServerError:
		return "failed"
	case a.status >= http.StatusBadRequest:
		return "refused"
	}
	return a.body.Status
}

func (a answer) write(w http.ResponseWriter) {
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // a sender who has gone needs no answer
}
