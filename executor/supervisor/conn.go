package supervisor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
)

// conn is a client. Only the newest one counts: the one before belonged to a
// dagwright that was killed or is about to end.
type conn struct {
	server *server
	socket *net.UnixConn

	mu    sync.Mutex
	queue []message     // to be sent
	ready chan struct{} // holds a token while the queue may be non-empty
	gone  chan struct{} // closed with the connection
}

func newConn(s *server, socket *net.UnixConn) *conn {
	return &conn{server: s, socket: socket, ready: make(chan struct{}, 1), gone: make(chan struct{})}
}

// run answers requests until the client goes.
func (c *conn) run() {
	defer c.leave()
	go c.write()
	requests := json.NewDecoder(bufio.NewReader(c.socket))
	for {
		var r request
		if err := requests.Decode(&r); err != nil {
			return
		}
		if r.Op == opHello {
			if !c.hello(r) {
				return
			}
			continue
		}
		if !c.isNewest() {
			return
		}
		c.serve(r)
	}
}

// hello makes this client the one that counts, and tells it everything. It is
// false when the supervisor is about to end.
func (c *conn) hello(r request) bool {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
	}
	if s.client != nil && s.client != c {
		_ = s.client.socket.Close()
	}
	s.client, s.started = c, true
	m := message{Seq: r.Seq, Protocol: protocol, Build: ownBuild()}
	for _, t := range s.tasks {
		if t.forked {
			m.List = append(m.List, t.Status)
		}
	}
	c.send(m)
	return true
}

func (c *conn) isNewest() bool {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.server.client == c
}

// serve carries out a request. A start does not hold up what comes after it.
func (c *conn) serve(r request) {
	switch {
	case r.Op == opStart && r.Spec != nil:
		go c.start(r)
	case r.Op == opStop:
		c.answer(r, c.server.stop(r.ID, r.Deadline))
	case r.Op == opForget:
		c.answer(r, c.server.forget(r.ID))
	case r.Op == opHandOver:
		c.answer(r, c.server.handOver(r.Build))
	default:
		c.answer(r, fmt.Errorf("the supervisor does not know %q", r.Op))
	}
}

func (c *conn) start(r request) {
	status, fault := c.server.start(*r.Spec, func() bool { return c.server.client == c })
	c.send(message{Seq: r.Seq, Status: &status, Fault: fault})
}

func (c *conn) answer(r request, err error) {
	m := message{Seq: r.Seq}
	if err != nil {
		m.Error = err.Error()
	}
	c.send(m)
}

// send queues a message. There are no more than requests and processes.
func (c *conn) send(m message) {
	c.mu.Lock()
	c.queue = append(c.queue, m)
	c.mu.Unlock()
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// write sends what is queued. A client that does not read holds up nobody.
func (c *conn) write() {
	for {
		select {
		case <-c.gone:
			return
		case <-c.ready:
		}
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		out := bufio.NewWriter(c.socket)
		enc := json.NewEncoder(out)
		var err error
		for _, m := range queue {
			err = errors.Join(err, enc.Encode(m))
		}
		if errors.Join(err, out.Flush()) != nil {
			_ = c.socket.Close()
			return
		}
	}
}

// leave forgets the client.
func (c *conn) leave() {
	_ = c.socket.Close()
	close(c.gone)
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == c {
		s.client = nil
		s.leaveIfIdle()
	}
}
