package ui

import (
	"sync"
	"time"
)

// zones keeps the time zones that pages have used: reading one from its file
// takes longer than everything else about showing a time.
type zones struct {
	mu    sync.Mutex
	known map[string]*time.Location
}

func newZones() *zones { return &zones{known: map[string]*time.Location{}} }

// load returns the zone with an IANA name. Only good names are kept, of which
// there are some hundreds.
func (z *zones) load(name string) (*time.Location, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if loc, ok := z.known[name]; ok {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err == nil {
		z.known[name] = loc
	}
	return loc, err
}
