package gitlabtest

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Failure is an answer that the server gives in place of doing what it is asked.
type Failure struct {
	Status  int
	Message string
	Header  map[string]string
}

// The failures that GitLab is known for.
var (
	// Busy is a rate limit that ends at once.
	Busy = Failure{Status: http.StatusTooManyRequests, Message: "429 Too Many Requests",
		Header: map[string]string{"Ratelimit-Reset": strconv.FormatInt(time.Now().Unix(), 10)}}
	// Locked is the answer to a status while another writer holds the pipeline.
	Locked = Failure{Status: http.StatusConflict, Message: "409 Conflict: Pipeline is locked"}
	// Down is an answer of the proxy before a GitLab that does not run.
	Down = Failure{Status: http.StatusBadGateway, Message: "502 Bad Gateway"}
	// TooManyJobs is the answer to a status of a pipeline that is full.
	TooManyJobs = Failure{Status: http.StatusUnprocessableEntity, Message: "The number of jobs has exceeded the limit"}
)

// Fail answers the next n requests of a method and a path of the API, such as
// "/projects/:id/statuses/:sha", with a failure.
func (s *Server) Fail(method, path string, n int, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		key := method + " " + path
		s.failures[key] = append(s.failures[key], f)
	}
}

// Hold makes every request of a method and a path of the API wait until release is
// called, like a slow GitLab. Calls counts those that wait.
func (s *Server) Hold(method, path string) (release func()) {
	held := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[method+" "+path] = held
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.held, method+" "+path)
		close(held)
	})
}

// wait holds a request back while Hold says so.
func (s *Server) wait(c *call) {
	s.mu.Lock()
	held := s.held[c.operation.method+" "+c.operation.path]
	s.mu.Unlock()
	if held == nil {
		return
	}
	s.tell()
	select {
	case <-held:
	case <-c.Context().Done():
	}
}

// failed answers with a failure when one is due.
func (s *Server) failed(w http.ResponseWriter, c *call) bool {
	key := c.operation.method + " " + c.operation.path
	s.mu.Lock()
	s.calls[key]++
	due := s.failures[key]
	if len(due) > 0 {
		s.failures[key] = due[1:]
	}
	s.mu.Unlock()
	s.wait(c)
	if len(due) == 0 {
		return false
	}
	for name, value := range due[0].Header {
		w.Header().Set(name, value)
	}
	fail(w, due[0].Status, due[0].Message)
	return true
}

// Calls returns how often each call of the API was made, by method and path.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}
