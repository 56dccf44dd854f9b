package store

import (
	"slices"
	"sync"

	"dagwright/dag"
)

// ChangeKind says what a Change is about.
type ChangeKind string

// The kinds of change.
const (
	ChangeDAG         ChangeKind = "dag"          // definition, pause, archive, an act on tasks
	ChangeRun         ChangeKind = "run"          // a run was made or changed state
	ChangeTask        ChangeKind = "task"         // a task instance changed state
	ChangePush        ChangeKind = "push"         // a push was recorded or finished
	ChangeImportError ChangeKind = "import_error" // a file became broken or whole
	ChangeSyncWanted  ChangeKind = "sync_wanted"  // the DAG repository has news
	ChangeProject     ChangeKind = "project"      // a model's project was renamed, moved, archived or deleted
	ChangePromotion   ChangeKind = "promotion"    // a promotion was asked for or has ended
	ChangePreview     ChangeKind = "preview"      // a merge request of a model wants a preview
	ChangeRemoval     ChangeKind = "removal"      // the removal of a DAG's file was asked for
)

// Change is one committed change. Seq grows by one with each change of this
// process's feed.
type Change struct {
	Seq  int64      `json:"seq"`
	Kind ChangeKind `json:"kind"`
	DAG  dag.ID     `json:"dag_id,omitempty"`
	Run  dag.RunID  `json:"dag_run_id,omitempty"`
	Task dag.TaskID `json:"task_id,omitempty"`
	// Project is the GitLab path of a push, or of the place of a file with an import error.
	Project string `json:"project,omitempty"`
	// State is the new state of a run, task instance, push or promotion.
	State string `json:"state,omitempty"`
	// Fresh says that the DAG's id has another owner from here on: earlier changes under it
	// are no longer delivered.
	Fresh bool `json:"fresh,omitempty"`
	// Planned says that the scheduler made the change itself (Advance).
	Planned bool `json:"-"`
}

// Subscription delivers changes from the moment of subscribing on: those about one DAG
// that one process made in the order in which they were committed. When its reader is too
// slow, the oldest are dropped and Lagged becomes readable: the reader then reads the store
// again. On PostgreSQL a change of another process arrives a moment after its commit, so
// one that was committed just before subscribing may arrive as well; Lagged also says that
// a connection was lost for a while; and what another process committed just before it was
// killed may not arrive at all, so that a reader who relies on it looks again now and
// then. C is never closed.
type Subscription struct {
	C      <-chan Change
	Lagged <-chan struct{}
	close  func()
}

// Close ends the subscription. It may be called twice.
func (s *Subscription) Close() { s.close() }

// Subscribe returns a subscription to all changes of this database: also those
// that other processes make, where it is PostgreSQL (LISTEN/NOTIFY). Code that passes
// them to a person asks a [Sight] first.
func (s *Store) Subscribe() *Subscription { return s.SubscribeTo(nil) }

// SubscribeTo is Subscribe for a reader of the changes that wants says yes to; nil wants all.
// The others take no room in the queue, so that they can neither wake the reader nor have
// it lag. wants is called before anybody hears of a change: it must not wait, nor call the
// store.
func (s *Store) SubscribeTo(wants func(Change) bool) *Subscription { return s.feed.subscribe(wants) }

// Kinds wants changes of these kinds.
func Kinds(kinds ...ChangeKind) func(Change) bool {
	return func(c Change) bool { return slices.Contains(kinds, c.Kind) }
}

// SubscribeAfter is Subscribe for a reader that comes back: it begins behind the
// change with that Seq of this process. When that is too long ago, or no change of
// this process, Lagged is readable at once, and the reader reads the store again.
func (s *Store) SubscribeAfter(seq int64) *Subscription { return s.feed.subscribeAfter(seq) }

// Subscribers returns how many subscriptions of this process are open. Each costs
// memory until it is closed.
func (s *Store) Subscribers() int {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return len(s.feed.subs)
}

// ChangeSeq returns the Seq of the newest change that this process has heard of,
// 0 before the first. What is read after this call shows that change.
func (s *Store) ChangeSeq() int64 {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.seq
}

// feedBuffer is how many changes wait for a slow reader.
const feedBuffer = 1024

// feed hands committed changes to the subscribers of this process.
type feed struct {
	mu   sync.Mutex
	seq  int64
	subs map[*subscriber]struct{}
	// recent are the newest changes, up to seq, for readers that come back.
	recent []Change
}

type subscriber struct {
	wants   func(Change) bool // nil for all
	changes chan Change
	lagged  chan struct{}
}

func newFeed() *feed { return &feed{subs: map[*subscriber]struct{}{}} }

func (f *feed) subscribe(wants func(Change) bool) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, s := f.add(wants)
	return s
}

// add makes a subscription; the caller holds the lock.
func (f *feed) add(wants func(Change) bool) (*subscriber, *Subscription) {
	sub := &subscriber{wants: wants, changes: make(chan Change, feedBuffer), lagged: make(chan struct{}, 1)}
	f.subs[sub] = struct{}{}
	return sub, &Subscription{C: sub.changes, Lagged: sub.lagged, close: func() { f.unsubscribe(sub) }}
}

func (f *feed) subscribeAfter(seq int64) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	sub, s := f.add(nil)
	missed := f.seq - seq
	if missed < 0 || missed > int64(len(f.recent)) {
		sub.lag()
	} else {
		for _, c := range f.recent[len(f.recent)-int(missed):] {
			sub.deliver(c)
		}
	}
	return s
}

func (f *feed) unsubscribe(sub *subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subs, sub)
}

// publish numbers the changes and delivers them. It never waits.
func (f *feed) publish(changes []Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range changes {
		f.seq++
		c.Seq = f.seq
		if c.Fresh {
			f.forget(c.DAG)
		}
		f.recent = append(f.recent, c)
		for sub := range f.subs {
			sub.deliver(c)
		}
	}
	if len(f.recent) > 2*feedBuffer { // cut now and then, not each time
		f.recent = slices.Clone(f.recent[len(f.recent)-feedBuffer:])
	}
}

// forget takes out of the recent changes what they say of a DAG; their numbers
// stay.
func (f *feed) forget(id dag.ID) {
	for i := range f.recent {
		if c := &f.recent[i]; c.DAG == id {
			*c = Change{Seq: c.Seq, Kind: ChangeDAG, DAG: id}
		}
	}
}

// lost tells every subscriber that changes may be missing.
func (f *feed) lost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent = nil
	for sub := range f.subs {
		sub.lag()
	}
}

// deliver makes room by dropping the oldest change when the reader is slow.
func (s *subscriber) deliver(c Change) {
	if s.wants != nil && !s.wants(c) {
		return
	}
	for {
		select {
		case s.changes <- c:
			return
		default:
		}
		select {
		case <-s.changes:
			s.lag()
		default: // the reader took one meanwhile
		}
	}
}

func (s *subscriber) lag() {
	select {
	case s.lagged <- struct{}{}:
	default:
	}
}
