package store

import (
	"cmp"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// A server that is gone without a word (its power, a firewall) is noticed after
// lossTimeout, by what was sent to it and by probes of a silent connection.
const (
	connectTimeout = 10 * time.Second
	lossTimeout    = 15 * time.Second
)

// noticeLoss makes connections that break when their server is gone. Without, one
// waits for as long as TCP repeats what it sent: some 15 minutes.
func noticeLoss(c *pgx.ConnConfig) {
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, connectTimeout)
	d := &net.Dialer{
		Timeout:         c.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: lossTimeout, Interval: 5 * time.Second, Count: 3},
		Control:         userTimeout,
	}
	c.DialFunc = d.DialContext
}

// userTimeout sets how long sent data may go without an acknowledgement.
func userTimeout(network, _ string, raw syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var set error
	err := raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lossTimeout.Milliseconds()))
	})
	return cmp.Or(err, set)
}
