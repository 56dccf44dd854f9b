package store

import (
	"bytes"
	lru "container/list"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"dagwright/dag"
)

// maxSpecBytes bounds the definitions that the cache holds, by the length of
// their JSON; parsed they take some three times that.
const maxSpecBytes = 32 << 20

// specKey names one definition for good. A DAG that is deleted and made again
// counts its versions from 1 again, so the time of its making belongs to the
// key.
type specKey struct {
	dag     dag.ID
	created time.Time
	version int
}

// specCache holds the definitions used last, parsed. They are shared and must
// not be changed.
type specCache struct {
	mu    sync.Mutex
	size  int
	items map[specKey]*lru.Element
	order *lru.List // of *cachedSpec, the one used last in front
}

type cachedSpec struct {
	key  specKey
	spec *dag.DAG
	size int
}

func newSpecCache() *specCache {
	return &specCache{items: map[specKey]*lru.Element{}, order: lru.New()}
}

func (c *specCache) find(k specKey) (*dag.DAG, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedSpec).spec, true
}

// parse reads a definition and keeps it.
func (c *specCache) parse(k specKey, definition string) (*dag.DAG, error) {
	spec, err := parseDefinition(definition)
	if err != nil {
		return nil, fmt.Errorf("the stored version %d of DAG %q is %w: %w", k.version, k.dag, errUnreadable, err)
	}
	spec.ID = k.dag // a former owner's definition has the id that it was written with
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[k]; !ok {
		c.items[k] = c.order.PushFront(&cachedSpec{k, spec, len(definition)})
		c.size += len(definition)
	}
	for c.size > maxSpecBytes && c.order.Len() > 1 {
		c.drop(c.order.Back())
	}
	return spec, nil
}

func (c *specCache) drop(e *lru.Element) {
	item := c.order.Remove(e).(*cachedSpec)
	delete(c.items, item.key)
	c.size -= item.size
}

// purge empties the cache: what was read in a transaction that is rolled back
// may never have existed.
func (c *specCache) purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size = 0
	clear(c.items)
	c.order.Init()
}

func parseDefinition(text string) (*dag.DAG, error) {
	d := &dag.DAG{}
	if err := decodeJSON(text, d); err != nil {
		return nil, err
	}
	for i := range d.Params {
		d.Params[i].Default = dag.PlainNumbers(d.Params[i].Default)
		dag.PlainNumbers(d.Params[i].Schema)
	}
	for i := range d.Tasks {
		dag.PlainNumbers(d.Tasks[i].Pod)
	}
	return d, nil
}

// decodeJSON keeps numbers as they are written.
func decodeJSON(text string, v any) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	return dec.Decode(v)
}

// encodeConf writes a run's conf; ” when there is none.
func encodeConf(conf map[string]any) (string, error) {
	if len(conf) == 0 {
		return "", nil
	}
	b, err := json.Marshal(conf)
	if err != nil {
		return "", fmt.Errorf("conf cannot be written as JSON: %w", dag.ErrInvalid)
	}
	return string(b), nil
}

func decodeConf(text string) (map[string]any, error) {
	if text == "" {
		return nil, nil
	}
	var conf map[string]any
	if err := decodeJSON(text, &conf); err != nil {
		return nil, fmt.Errorf("read conf: %w", err)
	}
	dag.PlainNumbers(conf)
	return conf, nil
}
