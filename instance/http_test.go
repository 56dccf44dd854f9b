package instance

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// remoteListener pretends that its connections come from other machines.
type remoteListener struct {
	conns chan net.Conn
	net.Listener
}

func (l remoteListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

type remoteConn struct {
	net.Conn
	from net.Addr
}

func (c remoteConn) RemoteAddr() net.Addr { return c.from }

func TestBoundedListener(t *testing.T) {
	t.Parallel()
	remote := remoteListener{conns: make(chan net.Conn)}
	l := boundConnections(remote, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}).(*boundedListener)
	l.most, l.each = 5, 2
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	// dial returns the server's end, or nil where the listener closed it.
	dial := func(from string) net.Conn {
		here, there := net.Pipe()
		remote.conns <- remoteConn{there, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}
		closed := make(chan struct{})
		go func() {
			_, _ = io.ReadAll(here)
			close(closed)
		}()
		select {
		case c := <-accepted:
			return c
		case <-closed:
			return nil
		}
	}
	first := dial("203.0.113.1:1")
	for _, tt := range []struct {
		what, from string
		want       bool
	}{
		{"the second of a client", "203.0.113.1:2", true},
		{"the third of a client", "203.0.113.1:3", false},
		{"another client", "203.0.113.2:1", true},
		{"a proxy", "10.0.0.1:1", true},
		{"a proxy again", "10.0.0.1:2", true},
		{"one more than there may be in all", "203.0.113.3:1", false},
		{"the machine itself, which counts in all", "127.0.0.1:1", false},
	} {
		if got := dial(tt.from) != nil; got != tt.want {
			t.Errorf("%s: accepted %t, want %t", tt.what, got, tt.want)
		}
	}
	for range 2 { // closing twice gives back one place
		_ = first.Close()
	}
	if dial("203.0.113.1:4") == nil || dial("203.0.113.1:5") != nil {
		t.Error("a connection that is closed gives back one place, and one only")
	}
	close(remote.conns)
	for range accepted { //nolint:revive // waits for its end
	}
}

// TestBoundedConnKeepsDeadlines has a handler's own deadline go before the listener's.
func TestBoundedConnKeepsDeadlines(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer here.Close()
	c := &boundedConn{Conn: there, leave: func() {}}
	if err := c.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a write after the handler's deadline succeeded")
	}
	if err := c.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		_, _ = here.Read(make([]byte, 1))
		close(read)
	}()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	<-read
}
