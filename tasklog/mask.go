package tasklog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"dagwright/dag"
)

// shortestSecret is the length below which a value is not masked: it would be
// found in words that are not secret, and shown by what is missing from them.
const shortestSecret = 8

// mask puts stars in place of known values, byte for byte, so that places in a log
// stay what they are. The zero mask knows none and costs nothing.
type mask struct {
	values  [][]byte
	longest int
}

// newMask takes values; each line of a value that has several counts by itself,
// since logs are read by lines.
func newMask(values []string) mask {
	var m mask
	for _, v := range values {
		for line := range strings.Lines(v) {
			line = strings.TrimSpace(line)
			if len(line) >= shortestSecret {
				m.values = append(m.values, []byte(line))
				m.longest = max(m.longest, len(line))
			}
		}
	}
	slices.SortFunc(m.values, bytes.Compare)
	m.values = slices.CompactFunc(m.values, bytes.Equal)
	return m
}

func (m mask) none() bool { return len(m.values) == 0 }

// context is how many bytes beside a piece may belong to a value in it.
func (m mask) context() int64 { return int64(max(0, m.longest-1)) }

// hide is text with stars; text itself stays as it is. Values that overlap are all
// found.
func (m mask) hide(text []byte) []byte {
	out := text
	for _, v := range m.values {
		for from := 0; ; {
			i := bytes.Index(text[from:], v)
			if i < 0 {
				break
			}
			if &out[0] == &text[0] {
				out = bytes.Clone(text)
			}
			for j := range v {
				out[from+i+j] = '*'
			}
			from += i + 1
		}
	}
	return out
}

// maskedReader masks a stretch of a log. Its source begins some bytes before the
// stretch and goes on behind it, so that values on its borders are found whole.
type maskedReader struct {
	mask
	source io.ReadCloser
	skip   int64 // bytes of the source before the stretch
	left   int64 // bytes of the stretch that are not handed out
	raw    []byte
	begun  int    // how much of raw was handed out or skipped; it stays as context
	ready  []byte // masked, not handed out yet
	err    error  // of the source
}

// maskedRead is how much is read at once.
const maskedRead = 32 << 10

func (r *maskedReader) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fill reads on and makes ready what no later byte can change.
func (r *maskedReader) fill() {
	keep := max(0, r.begun-int(r.context()))
	r.raw = append(r.raw[:0], r.raw[keep:]...)
	r.begun -= keep
	have := len(r.raw)
	r.raw = slices.Grow(r.raw, maskedRead)
	n, err := io.ReadAtLeast(r.source, r.raw[have:have+maskedRead], 1)
	r.raw = r.raw[:have+n]
	if r.err = err; errors.Is(err, io.ErrUnexpectedEOF) {
		r.err = io.EOF
	}
	sure := len(r.raw) - int(r.context())
	if r.err != nil {
		sure = len(r.raw)
	}
	if sure <= r.begun {
		return
	}
	fresh := r.hide(r.raw)[r.begun:sure]
	if errors.Is(r.err, io.EOF) && !bytes.HasSuffix(r.raw, []byte("\n")) {
		fresh = r.hideBeginning(fresh, r.raw) // the log may go on
	}
	r.begun = sure
	skipped := min(r.skip, int64(len(fresh)))
	r.skip -= skipped
	fresh = fresh[skipped:]
	fresh = fresh[:min(r.left, int64(len(fresh)))]
	r.left -= int64(len(fresh))
	r.ready = bytes.Clone(fresh)
}

// Close closes the source.
func (r *maskedReader) Close() error { return r.source.Close() }

// maskedAt is readAt with the values masked.
func (d *Dir) maskedAt(key dag.AttemptKey, offset, n int64) (io.ReadCloser, error) {
	n = min(n, math.MaxInt64/2) // what is added must not overflow
	before := min(offset, d.mask.context())
	source, err := d.readAt(key, offset-before, before+n+d.mask.context())
	if err != nil {
		return nil, err
	}
	return &maskedReader{mask: d.mask, source: source, skip: before, left: n}, nil
}

// maskPieces masks the pieces of a followed log before fn gets them. What stands
// before the first piece is read, in case that a value begins there; a line that
// comes in pieces keeps the end of each for the next.
func (d *Dir) maskPieces(key dag.AttemptKey, offset int64, fn func(int64, []byte) error) func(int64, []byte) error {
	var before []byte // the raw end of the piece before
	first := true
	return func(at int64, piece []byte) error {
		if first && offset > 0 {
			var err error
			if before, err = d.before(key, at); err != nil {
				return err
			}
		}
		first = false
		whole := append(slices.Clip(before), piece...)
		shown := d.mask.hide(whole)[len(before):]
		before = bytes.Clone(whole[max(0, len(whole)-int(d.mask.context())):])
		if !bytes.HasSuffix(piece, []byte("\n")) {
			// A value may go on in the next piece: its beginning is not shown.
			shown = d.mask.hideBeginning(shown, whole)
		}
		return fn(at, shown)
	}
}

// before reads what stands in front of a place.
func (d *Dir) before(key dag.AttemptKey, at int64) ([]byte, error) {
	n := min(at, d.mask.context())
	r, err := d.readAt(key, at-n, n)
	if err != nil {
		return nil, fmt.Errorf("read before the place: %w", err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read before the place: %w", err)
	}
	return text, nil
}

// hideBeginning puts stars over an end of shown that is the beginning of a value, as
// whole, the raw text that shown ends with it, tells.
func (m mask) hideBeginning(shown, whole []byte) []byte {
	most := 0
	for _, v := range m.values {
		for n := min(len(v)-1, len(whole)); n > most && n >= shortestSecret/2; n-- {
			if bytes.HasSuffix(whole, v[:n]) {
				most = n
			}
		}
	}
	if most = min(most, len(shown)); most == 0 {
		return shown
	}
	out := bytes.Clone(shown)
	for i := len(out) - most; i < len(out); i++ {
		out[i] = '*'
	}
	return out
}

// Mask puts stars in place of the values that the logs' readers must not see, for
// texts that are taken from a log, such as the reason of a failure.
func (d *Dir) Mask(text string) string {
	if d.mask.none() || text == "" {
		return text
	}
	return string(d.mask.hide([]byte(text)))
}
