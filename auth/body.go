package auth

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// bodyWait bounds how long a request's body may take to arrive. The largest form is a
// megabyte; hooks, whose bodies are larger, have a shorter time of their own.
const bodyWait = 30 * time.Second

// drainWait is how long the server goes on reading behind an answer that did not wait
// for the whole body: a client that is still sending would not see the answer if the
// connection were closed at once.
const drainWait = time.Second

// boundBody gives the request's body a deadline. A request without one is left as it
// is: an event stream has no body, and goes on for hours.
func (s *Service) boundBody(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return w, r
	}
	body := &timedBody{ReadCloser: r.Body, control: http.NewResponseController(w)}
	body.deadline(time.Now().Add(s.bodyWait))
	bounded := *r
	bounded.Body = body
	return &bodyWriter{ResponseWriter: w, body: body}, &bounded
}

// timedBody is a body with a deadline, which ends with the body: the server reads on
// behind it to notice that the client has gone, and a deadline that strikes then would
// end the request.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	atEnd   bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && !b.atEnd {
		b.atEnd = true
		b.deadline(time.Time{})
	}
	return n, err
}

// deadline is without effect on a writer that has no connection.
func (b *timedBody) deadline(t time.Time) { _ = b.control.SetReadDeadline(t) }

// bodyWriter closes the connection after an answer that did not wait for the whole
// body: behind such an answer the server reads on for as long as a client sends.
type bodyWriter struct {
	http.ResponseWriter
	body   *timedBody
	headed bool
}

func (w *bodyWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.answer()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *bodyWriter) Write(p []byte) (int, error) {
	w.answer()
	return w.ResponseWriter.Write(p)
}

func (w *bodyWriter) answer() {
	if w.headed {
		return
	}
	w.headed = true
	if !w.body.atEnd {
		w.Header().Set("Connection", "close")
		w.body.deadline(time.Now().Add(drainWait))
	}
}

// Unwrap lets http.ResponseController reach the writer.
func (w *bodyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
