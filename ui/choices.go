package ui

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dagwright/store"
)

// choicesAge is for how long the menus of tags and owners may be old: finding
// the common ones looks at every DAG.
const choicesAge = 10 * time.Second

// choices are the tags and owners on offer, of the DAGs that are archived or of those
// that are not.
type choices struct {
	archived     bool
	mu           sync.Mutex
	until        time.Time
	tags, owners []string
}

// read returns the tags and owners, which are not to be changed. Those that a
// person with a scope may see are found for that person alone.
func (m *choices) read(ctx context.Context, s *store.Store, now time.Time) (tags, owners []string, err error) {
	if !store.ScopeOf(ctx).All {
		return m.find(ctx, s)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.until) {
		return m.tags, m.owners, nil
	}
	if tags, owners, err = m.find(ctx, s); err != nil {
		return nil, nil, err
	}
	m.tags, m.owners, m.until = tags, owners, now.Add(choicesAge)
	return tags, owners, nil
}

func (m *choices) find(ctx context.Context, s *store.Store) (tags, owners []string, err error) {
	if tags, err = s.CommonTags(ctx, m.archived, maxChoices); err != nil {
		return nil, nil, fmt.Errorf("list tags: %w", err)
	}
	if owners, err = s.Owners(ctx, m.archived, maxChoices); err != nil {
		return nil, nil, fmt.Errorf("list owners: %w", err)
	}
	return tags, owners, nil
}
