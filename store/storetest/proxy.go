package storetest

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a store and PostgreSQL and does what networks do: it loses
// answers, falls silent, and is gone. It knows the protocol without TLS.
type Proxy struct {
	listener net.Listener
	server   *url.URL
	tasks    sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	closed  bool
	swallow chan struct{} // of a COMMIT; nil for none
	pass    int           // COMMITs that are answered before
	lose    int           // how many more are not answered; negative for all
	frozen  chan struct{} // closed by Thaw; nil while traffic flows
}

// NewProxy starts a proxy before the server that dsn names. The test's end ends it.
func NewProxy(t testing.TB, dsn string) *Proxy {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, server: u, conns: map[net.Conn]bool{}}
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		p.Close()
		p.Thaw()
		p.tasks.Wait()
	})
	return p
}

// Addr is where the proxy listens, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// DSN is the server's DSN by way of the proxy.
func (p *Proxy) DSN() string { return p.DSNWith(p.Addr()) }

// DSNWith is the DSN with other hosts ("host:port,host:port").
func (p *Proxy) DSNWith(hosts string) string {
	u := *p.server
	q := u.Query()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	u.Host = "hosts"
	return strings.Replace(u.String(), "hosts", hosts, 1)
}

// SwallowCommit lets the next COMMIT but pass others reach the server, and breaks its
// connection in place of the answer. The channel is closed then.
func (p *Proxy) SwallowCommit(pass int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow, p.pass = make(chan struct{}), pass
	return p.swallow
}

// LoseCommits is SwallowCommit for the next n COMMITs, or with a negative n for all until
// it is called again.
func (p *Proxy) LoseCommits(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = n
}

// Freeze lets nothing through any more, in either direction and without a word.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw ends Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// Cut breaks all connections. New ones are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Close ends the proxy: connections break, and new ones are refused.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Cut()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.serve(client) })
	}
}

// serve carries one connection.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close()
	if !p.enter(client, server) {
		return
	}
	defer p.leave(client, server)
	c := &proxied{Proxy: p, client: client, server: server, swallow: make(chan chan struct{}, 1)}
	var both sync.WaitGroup
	both.Go(func() { c.requests(); _ = server.Close() })
	both.Go(func() { c.answers(); _ = client.Close() })
	both.Wait()
}

func (p *Proxy) dial() (net.Conn, error) {
	if folder := p.server.Query().Get("host"); strings.HasPrefix(folder, "/") {
		return net.Dial("unix", filepath.Join(folder, ".s.PGSQL."+cmp.Or(p.server.Port(), "5432"))) //nolint:noctx // Close ends it
	}
	return net.Dial("tcp", net.JoinHostPort(p.server.Hostname(), cmp.Or(p.server.Port(), "5432"))) //nolint:noctx // Close ends it
}

func (p *Proxy) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.closed
}

func (p *Proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// flow waits while the proxy is frozen.
func (p *Proxy) flow() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (p *Proxy) takeSwallow() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pass > 0 {
		p.pass--
		return nil
	}
	if p.lose != 0 {
		p.lose = max(p.lose-1, -1)
		return make(chan struct{}) // of which nobody hears
	}
	taken := p.swallow
	p.swallow = nil
	return taken
}

// proxied is one connection.
type proxied struct {
	*Proxy
	client, server net.Conn
	swallow        chan chan struct{} // holds what to close when the answer has come
}

// requests passes the client's messages on.
func (c *proxied) requests() {
	in := bufio.NewReader(c.client)
	for first := true; ; first = false {
		message, err := readMessage(in, first)
		if err != nil {
			return
		}
		c.flow()
		if strings.EqualFold(strings.TrimRight(string(message[min(5, len(message)):]), "\x00"), "commit") &&
			message[0] == 'Q' {
			if told := c.takeSwallow(); told != nil {
				c.swallow <- told
			}
		}
		if _, err := c.server.Write(message); err != nil {
			return
		}
	}
}

// readMessage reads one message of the client; the first has no type.
func readMessage(in *bufio.Reader, first bool) ([]byte, error) {
	head := 5
	if first {
		head = 4
	}
	message := make([]byte, head)
	if _, err := io.ReadFull(in, message); err != nil {
		return nil, err
	}
	rest := int(binary.BigEndian.Uint32(message[head-4:])) - 4
	message = append(message, make([]byte, max(rest, 0))...)
	_, err := io.ReadFull(in, message[head:])
	return message, err
}

// answers passes on what the server sends.
func (c *proxied) answers() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := c.server.Read(buffer)
		if err != nil {
			return
		}
		select {
		case told := <-c.swallow: // n bytes are the answer to the COMMIT
			_ = c.client.Close()
			close(told)
			return
		default:
		}
		c.flow()
		if _, err := c.client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
