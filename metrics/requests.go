package metrics

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requests are those that the instance answers.
type requests struct {
	answered   *prometheus.CounterVec
	answerTime *prometheus.HistogramVec
	inFlight   *prometheus.GaugeVec
}

func (q *requests) open(m *Metrics) {
	q.answered = m.counterVec("dagwright_http_requests_total",
		"HTTP requests, by method, route and class of the status. The route is the pattern, such as /dags/:dag, and - where "+
			"a request reached none.", "method", "route", "code")
	q.answerTime = m.histogramVec("dagwright_http_request_duration_seconds",
		"Time of an HTTP request, by group of routes: pages, api, hooks (with CI jobs). Streams are left out.",
		shortTimes, "group")
	q.inFlight = m.gaugeVec("dagwright_http_requests_in_flight", "HTTP requests and streams that are being answered.")
	q.inFlight.WithLabelValues()
}

// noRoute is the route of a request that reached none: it was refused before, or there is
// none for its path. Paths are chosen by whoever asks, and must not become labels.
const noRoute = "-"

type routeOfContext struct{}

// Route notes the route that a request has reached, for Answers.
func Route(r *http.Request, pattern string) {
	if route, ok := r.Context().Value(routeOfContext{}).(*string); ok {
		*route = pattern
	}
}

// Answers counts the requests that a handler answers. Whoever chooses the route calls
// Route.
func (m *Metrics) Answers(next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, route := time.Now(), noRoute
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		m.inFlight.WithLabelValues().Inc()
		defer func() {
			m.inFlight.WithLabelValues().Dec()
			m.answered.WithLabelValues(methodOf(r), route, class(status.status)).Inc()
			if !isStream(w.Header().Get("Content-Type")) {
				m.answerTime.WithLabelValues(group(route)).Observe(time.Since(began).Seconds())
			}
		}()
		next.ServeHTTP(status, r.WithContext(context.WithValue(r.Context(), routeOfContext{}, &route)))
	})
}

// methodOf is a request's method; "other" for one that no route has.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return r.Method
	}
	return "other"
}

func group(route string) string {
	switch {
	case strings.HasPrefix(route, "/api/"):
		return "api"
	case strings.HasPrefix(route, "/hooks/"), strings.HasPrefix(route, "/ci/"):
		return "hooks"
	}
	return "pages"
}

func isStream(contentType string) bool {
	return strings.HasPrefix(contentType, "text/event-stream") || strings.HasPrefix(contentType, "application/x-ndjson")
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.written && status >= http.StatusOK { // those before are not the answer
		w.status, w.written = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(p)
}

// Flush is for handlers that stream.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach the writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
