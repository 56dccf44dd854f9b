package process

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dagwright/dag"
)

// maxClaim bounds what is read of a claim: three ids of 250 bytes and three
// short lines take far less.
const maxClaim = 64 << 10

// claims is the folder of claims.
type claims struct{ dir string }

// header is the first line of a claim.
type header struct {
	Key   dag.AttemptKey `json:"key"`
	Begun time.Time      `json:"begun"`
}

// claim is what a claim file says.
type claim struct {
	header
	hasHeader bool
	pid       int // of the wrapper; 0 before it said so
	exited    bool
	exitCode  int
	reason    string // why the command could not be run; usually empty
	written   time.Time
}

// claimName names the claim of an attempt.
func claimName(key dag.AttemptKey) string {
	h := sha256.New()
	// Ids hold no control characters, so no two keys give the same bytes.
	fmt.Fprintf(h, "%s\n%s\n%s\n%d", key.DAG, key.Run, key.Task, key.Try)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// isClaimName tells claims from other files of the folder.
func isClaimName(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == 16
}

func (c claims) path(name string) string { return filepath.Join(c.dir, name) }

// create makes a claim and returns it open and locked. The error is
// fs.ErrExist when there is one.
func (c claims) create(name string, h header) (*os.File, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode claim: %w", err)
	}
	f, err := os.OpenFile(c.path(name), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make claim: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write claim: %w", err), c.remove(name), f.Close())
	}
	return f, nil
}

// inspect reads a claim and tells whether a wrapper holds it. The lock is
// tried first, so what is read of a free claim is final.
func (c claims) inspect(name string) (cl claim, held bool, err error) {
	f, err := os.Open(c.path(name))
	if err != nil {
		return claim{}, false, fmt.Errorf("open claim: %w", err)
	}
	defer f.Close()
	// Closing the file gives the lock back.
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	held = errors.Is(err, unix.EWOULDBLOCK)
	if err != nil && !held {
		return claim{}, false, fmt.Errorf("try lock of claim: %w", err)
	}
	cl, err = readClaim(f)
	return cl, held, err
}

// read reads a claim whose wrapper is known to have ended.
func (c claims) read(name string) (claim, error) {
	f, err := os.Open(c.path(name))
	if err != nil {
		return claim{}, fmt.Errorf("open claim: %w", err)
	}
	defer f.Close()
	return readClaim(f)
}

func readClaim(f *os.File) (claim, error) {
	info, err := f.Stat()
	if err != nil {
		return claim{}, fmt.Errorf("read claim: %w", err)
	}
	buf := make([]byte, min(info.Size(), maxClaim))
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return claim{}, fmt.Errorf("read claim: %w", err)
	}
	cl := parseClaim(buf[:n])
	cl.written = info.ModTime()
	return cl, nil
}

// parseClaim reads the lines of a claim. What is not understood, or has no
// newline, counts as not written.
func parseClaim(b []byte) claim {
	var cl claim
	first, rest, whole := bytes.Cut(b, []byte("\n"))
	if !whole || json.Unmarshal(first, &cl.header) != nil {
		return claim{}
	}
	cl.hasHeader = true
	for {
		line, more, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			return cl
		}
		cl.parseLine(string(line))
		rest = more
	}
}

func (cl *claim) parseLine(line string) {
	word, rest, _ := strings.Cut(line, " ")
	number, reason, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return
	}
	switch {
	case word == "pid" && n > 1:
		cl.pid = n
	case word == "exit" && !cl.exited:
		cl.exited, cl.exitCode, cl.reason = true, n, reason
	}
}

// remove deletes a claim. That it is gone already is no error.
func (c claims) remove(name string) error {
	if err := os.Remove(c.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove claim: %w", err)
	}
	return nil
}
