package main

import (
	"net"
	"net/http"
	"strings"
)

// guard protects a server that has no sign-in from web pages of other sites:
// state-changing requests must come from its own pages or from no browser at
// all (Sec-Fetch-Site, Origin), and on a loopback address the Host header must
// be a loopback name, so that a foreign name cannot be pointed here (DNS
// rebinding). The webhook has its own secret, a CI job its ID token, and both are
// reached by other names.
func guard(next http.Handler, addr net.Addr) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	loopback := isLoopback(addr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hooks/") || r.URL.Path == "/ci/generate" {
			next.ServeHTTP(w, r)
			return
		}
		if loopback && !isLoopbackName(r.Host) {
			http.Error(w, "this server listens on loopback and answers to loopback names only: open it as localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// isLoopbackName reports whether a Host header names this machine's loopback
// interface.
func isLoopbackName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
