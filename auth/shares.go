package auth

import (
	"net/http"
	"sync"
)

// Shares hands out places, such as those of answers that stay open, of which each caller
// can have a quarter: nobody takes them all. It is safe for concurrent use.
type Shares struct {
	most int

	mu    sync.Mutex
	taken int
	of    map[string]int
}

// NewShares has most places.
func NewShares(most int) *Shares { return &Shares{most: most, of: map[string]int{}} }

// Take takes a place for a caller (Service.Caller). It is false when all are taken, or the
// caller has its share. giveBack must be called once.
func (s *Shares) Take(caller string) (giveBack func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.most || s.of[caller] >= max(s.most/4, 1) {
		return nil, false
	}
	s.taken++
	s.of[caller]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken--
		if s.of[caller]--; s.of[caller] == 0 {
			delete(s.of, caller)
		}
	}, true
}

// Caller names who makes a request, to tell callers apart: the person, whatever proved
// who that is, or the service; where nobody signs in, or s is nil, the client's address.
func (s *Service) Caller(r *http.Request) string {
	who := From(r.Context())
	switch {
	case who.Subject != "":
		return who.Issuer + "\n" + who.Subject
	case who.Via != "" && who.Via != "none":
		return who.Name
	case s == nil:
		return clientAddress(r, nil)
	}
	return s.ClientAddress(r)
}
