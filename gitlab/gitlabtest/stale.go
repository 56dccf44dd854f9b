package gitlabtest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// refuseStale answers a push that lost a race as GitLab does, whatever git's own
// version would say, and reports whether it did: a branch that it moves is not where
// the pusher believes it to be. The project is locked.
func (s *Server) refuseStale(w http.ResponseWriter, r *http.Request, p *project) bool {
	body := bufio.NewReaderSize(r.Body, 1<<16)
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	from, branch, capabilities, ok := firstCommand(body)
	if !ok {
		return false
	}
	refs, err := p.refs(r.Context())
	if err != nil {
		s.tb.Errorf("read refs: %v", err)
		return false
	}
	now, exists := refs[branch]
	if exists == (strings.Trim(from, "0") != "") && (!exists || now == from) {
		return false
	}
	_, _ = io.Copy(io.Discard, body) // what is left of the push counts for nothing
	report := packetLine("unpack ok\n") + packetLine("ng "+branch+" incorrect old value provided\n") + "0000"
	if strings.Contains(capabilities, "side-band-64k") {
		report = packetLine("\x01"+report) + "0000"
	}
	w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
	_, _ = io.WriteString(w, report) // a client that is gone needs no answer
	s.mu.Lock()
	s.stale++
	s.mu.Unlock()
	return true
}

// StalePushes counts the pushes that were refused since their branch had moved.
func (s *Server) StalePushes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale
}

// firstCommand looks at the first command of a push: "<old> <new> <ref>\0<capabilities>"
// in one packet.
func firstCommand(body *bufio.Reader) (from, ref, capabilities string, ok bool) {
	length, err := body.Peek(4)
	if err != nil {
		return "", "", "", false
	}
	n, err := strconv.ParseUint(string(length), 16, 16)
	if err != nil || n < 4 {
		return "", "", "", false
	}
	packet, err := body.Peek(int(n))
	if err != nil {
		return "", "", "", false
	}
	command, capabilities, _ := strings.Cut(string(packet[4:]), "\x00")
	fields := strings.Fields(command)
	if len(fields) != 3 {
		return "", "", "", false
	}
	return fields[0], fields[2], capabilities, true
}

func packetLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
