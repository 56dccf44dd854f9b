package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// serveHTTP serves until ctx ends, then lets requests end for a few seconds.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           answerHead(handler),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		err = server.Close()
	}
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", served)
	}
	return err
}

const (
	// maxConnections is how many connections are open at once, and
	// maxClientConnections how many of them one client may hold. A browser has six, or
	// one with HTTP/2.
	maxConnections       = 4096
	maxClientConnections = 256
	// writeWait bounds how long a client may take to accept writeSize bytes.
	writeWait = time.Minute
	writeSize = 1 << 20
)

// boundedListener bounds how many connections are open. Those above the bound are
// closed at once, so that the ones that are accepted can go on.
type boundedListener struct {
	net.Listener
	most, each int
	// shared are the addresses behind which there are many clients: trusted proxies.
	shared []netip.Prefix

	mu      sync.Mutex
	open    int
	clients map[netip.Addr]int
}

// boundConnections bounds the connections of a listener. The addresses in shared, and
// this machine's own, are those of many clients and count in all only.
func boundConnections(l net.Listener, shared []netip.Prefix) net.Listener {
	return &boundedListener{
		Listener: l, most: maxConnections, each: maxClientConnections, shared: shared,
		clients: map[netip.Addr]int{},
	}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := l.client(c.RemoteAddr())
		if l.enter(client) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(client) })}, nil
		}
		_ = c.Close()
	}
}

// client is who holds a connection; the zero Addr for one of many.
func (l *boundedListener) client(remote net.Addr) netip.Addr {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if addr.IsLoopback() {
		return netip.Addr{}
	}
	for _, p := range l.shared {
		if p.Contains(addr) {
			return netip.Addr{}
		}
	}
	return addr
}

func (l *boundedListener) enter(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.most || client.IsValid() && l.clients[client] >= l.each {
		return false
	}
	l.open++
	if client.IsValid() {
		l.clients[client]++
	}
	return true
}

func (l *boundedListener) leave(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if !client.IsValid() {
		return
	}
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

// boundedConn gives every write a deadline, so that a client that reads nothing does
// not hold its connection for ever.
type boundedConn struct {
	net.Conn
	leave  func()
	bounds atomic.Bool // a handler has set a deadline of its own
}

func (c *boundedConn) Write(p []byte) (int, error) {
	if !c.bounds.Load() {
		wait := writeWait * time.Duration(1+len(p)/writeSize)
		if err := c.Conn.SetWriteDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// SetWriteDeadline sets a handler's own deadline, or with the zero time none.
func (c *boundedConn) SetWriteDeadline(t time.Time) error {
	c.bounds.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets the deadlines of reads and of writes.
func (c *boundedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
