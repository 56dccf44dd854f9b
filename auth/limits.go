package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// budget bounds how often each client may do something that costs us or that could be
// a guess. It is safe for concurrent use.
type budget struct {
	each  rate.Limit // a second
	burst int

	mu      sync.Mutex
	clients map[string]*client
	swept   time.Time
}

type client struct {
	limiter *rate.Limiter
	seen    time.Time
}

// maxClients bounds how many clients are told apart: beyond it, the new ones share.
const maxClients = 20_000

func newBudget(each rate.Limit, burst int) *budget {
	return &budget{each: each, burst: burst, clients: map[string]*client{}}
}

// take spends one, if there is any left.
func (b *budget) take(key string, now time.Time) bool { return b.of(key, now).AllowN(now, 1) }

// left reports whether there is any left, and spends nothing.
func (b *budget) left(key string, now time.Time) bool { return b.of(key, now).TokensAt(now) >= 1 }

func (b *budget) of(key string, now time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	c, ok := b.clients[key]
	if !ok && len(b.clients) >= maxClients {
		key = ""
		c, ok = b.clients[key]
	}
	if !ok {
		c = &client{limiter: rate.NewLimiter(b.each, b.burst)}
		b.clients[key] = c
	}
	c.seen = now
	return c.limiter
}

// sweep forgets, once a minute, the clients that have all of their budget again.
func (b *budget) sweep(now time.Time) {
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	full := time.Duration(float64(b.burst) / float64(b.each) * float64(time.Second))
	for key, c := range b.clients {
		if now.Sub(c.seen) > full {
			delete(b.clients, key)
		}
	}
}

// ClientAddress is the address that a request counts for: of its connection, or behind a
// trusted proxy (auth.trusted_proxies) the one that the proxy names. An IPv6 client counts
// as its /64.
func (s *Service) ClientAddress(r *http.Request) string { return clientAddress(r, s.Proxies) }

// clientAddress is who sent a request. Behind trusted proxies it is the last address
// in X-Forwarded-For that is none of theirs: what stands before it anybody can have
// written. An IPv6 client counts as its /64.
func clientAddress(r *http.Request, proxies []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(addr, proxies); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

func trusted(addr netip.Addr, proxies []netip.Prefix) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// noteProxy tells the operator, once, of a proxy that is not listed: everybody behind
// it has its address.
func (s *Service) noteProxy(r *http.Request) {
	if r.Header.Get("X-Forwarded-For") == "" {
		return
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	addr, parseErr := netip.ParseAddr(host)
	if err != nil || parseErr != nil || trusted(addr, s.Proxies) {
		return
	}
	s.proxyNoted.Do(func() {
		s.Logger.WarnContext(r.Context(),
			"a request names the client that it is for, and its sender is not a trusted proxy: "+
				"all clients behind it share one budget; name it in auth.trusted_proxies if it is yours", "sender", host)
	})
}
