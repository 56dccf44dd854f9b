package instance

import (
	"context"
	"errors"
	"net/http"
)

// answerHead answers HEAD as GET, with the same rights and headers and without a body. It stands before everything,
// so that no route and no right speaks of HEAD.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		get := r.WithContext(ctx)
		get.Method = http.MethodGet
		next.ServeHTTP(&headWriter{ResponseWriter: w, end: cancel}, get)
	})
}

// headBody is how much of a body is let pass, to be counted and dropped by the server: what is longer, and a stream,
// would be made for nobody.
const headBody = 1 << 20

var errHeadBody = errors.New("HEAD asks for no body")

// headWriter ends the handler of a body that is long or goes on.
type headWriter struct {
	http.ResponseWriter
	end  context.CancelFunc
	size int
}

func (w *headWriter) Write(p []byte) (int, error) {
	if w.size += len(p); w.size > headBody {
		w.end()
		return 0, errHeadBody
	}
	return w.ResponseWriter.Write(p)
}

// Flush sends the headers of a stream, which ends with them.
func (w *headWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *headWriter) FlushError() error {
	w.end()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the writer.
func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
