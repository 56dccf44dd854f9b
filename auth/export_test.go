package auth

import "time"

// RecheckEvery sets how often the rights of streams are looked at.
func RecheckEvery(s *Service, d time.Duration) { s.recheck = d }

// What tests of the package from inside need.
var (
	ClientAddress = clientAddress
	Limit         = limit
	Matches       = matches
)

// ForgetCheck has the rules look at their file again.
func ForgetCheck(f *RulesFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = time.Time{}
}

// BodyWait sets how long a body may take.
func BodyWait(s *Service, d time.Duration) { s.bodyWait = d }
