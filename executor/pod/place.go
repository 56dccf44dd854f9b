package pod

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// placeLines is how many of the last lines are remembered. Lines of stdout and
// stderr may stand in the log a little out of the order of their timestamps, but
// not by so many.
const placeLines = 1024

// place is how far a container's output is in the log. Kubernetes gives the
// output from a second on, so a reading that is taken up shows lines again; in
// the order in which they are stored, so all of them come before the first new
// one.
type place struct {
	recent []int64 // timestamps of the last lines in the log, the oldest first
	// fresh are those of lines that are about to be written.
	fresh []int64
	count int64 // of lines ever reached
	// again counts the lines that may be shown again in this reading; nil when
	// the first new line has come.
	again map[int64]int
	// oldest is the timestamp before which everything was written; only
	// meaningful when full.
	oldest int64
	full   bool
}

// since is the time from which on the output must be asked for; nil for all.
func (p *place) since() *metav1.Time {
	if len(p.recent) == 0 {
		return nil
	}
	oldest := p.recent[0]
	for _, at := range p.recent {
		oldest = min(oldest, at)
	}
	t := metav1.NewTime(time.Unix(0, oldest).Truncate(time.Second).UTC())
	return &t
}

// rewind begins a reading that may show lines again.
func (p *place) rewind() {
	p.fresh = p.fresh[:0]
	p.again, p.full = nil, len(p.recent) >= placeLines
	if len(p.recent) == 0 {
		return
	}
	p.again = make(map[int64]int, len(p.recent))
	p.oldest = p.recent[0]
	for _, at := range p.recent {
		p.again[at]++
		p.oldest = min(p.oldest, at)
	}
}

// passed reports whether a line of the reading is in the log already.
func (p *place) passed(at time.Time) bool {
	if p.again == nil {
		return false
	}
	n := at.UnixNano()
	if p.again[n] > 0 {
		p.again[n]--
		return true
	}
	if p.full && n < p.oldest {
		return true
	}
	p.again = nil
	return false
}

// caughtUp reports whether the reading has shown the last line that is in the log.
func (p *place) caughtUp() bool {
	return p.again == nil || p.again[p.recent[len(p.recent)-1]] == 0
}

// reached notes a line that is about to be written.
func (p *place) reached(at time.Time) {
	p.count++
	p.fresh = append(p.fresh, at.UnixNano())
}

// settle says whether the noted lines were written.
func (p *place) settle(written bool) {
	if written {
		p.recent = append(p.recent, p.fresh...)
		if extra := len(p.recent) - placeLines; extra > placeLines {
			// Cut rarely, since cutting copies.
			p.recent = append(p.recent[:0], p.recent[extra:]...)
		}
	}
	p.fresh = p.fresh[:0]
}
