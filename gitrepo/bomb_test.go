package gitrepo

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"dagwright/dag"
)

// bomb writes packs whose few bytes stand for very many.
type bomb struct {
	bytes.Buffer
	last int // offset of the last object
}

func newBomb(objects uint32) *bomb {
	b := &bomb{}
	b.WriteString("PACK")
	b.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 2), objects))
	return b
}

// object writes an object's header, then more of it, and its content deflated.
func (b *bomb) object(kind byte, content, more []byte) {
	b.last = b.Len()
	size := len(content)
	first := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b.WriteByte(first | 0x80)
		first = byte(size & 0x7f)
	}
	b.WriteByte(first)
	b.Write(more)
	z := zlib.NewWriter(b)
	_, _ = z.Write(content) // to memory
	_ = z.Close()
}

// delta writes a delta of the last object that repeats its first 64 KiB.
func (b *bomb) delta(from, times int) {
	content := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(from)), uint64(times)<<16)
	content = append(content, bytes.Repeat([]byte{0x80}, times)...) // copy 0x10000 bytes from 0
	back := b.Len() - b.last
	offset := []byte{byte(back & 0x7f)}
	for back >>= 7; back > 0; back >>= 7 {
		back--
		offset = append([]byte{0x80 | byte(back&0x7f)}, offset...)
	}
	b.object(6, content, offset)
}

func (b *bomb) pack() []byte {
	sum := sha1.Sum(b.Bytes())
	return append(bytes.Clone(b.Bytes()), sum[:]...)
}

// TestDeltaBombs refuses packs whose objects, or whose chains of deltas, would take
// more memory than there may be, before it is taken.
func TestDeltaBombs(t *testing.T) {
	base := make([]byte, 1<<16)
	wide := newBomb(2) // one delta of 8 GiB
	wide.object(3, base, nil)
	wide.delta(len(base), 1<<17)
	deep := newBomb(41) // forty of 32 MiB, each of the one before
	deep.object(3, base, nil)
	for i, size := 0, len(base); i < 40; i, size = i+1, 1<<25 {
		deep.delta(size, 1<<9)
	}
	plain := newBomb(1) // of zeros
	plain.object(3, make([]byte, maxObject+1), nil)
	for name, b := range map[string]*bomb{"wide": wide, "deep": deep, "plain": plain} {
		r, err := Open(Config{URL: t.TempDir(), Dir: filepath.Join(t.TempDir(), "clone.git")})
		if err != nil {
			t.Fatal(err)
		}
		pack := b.pack()
		for _, packed := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if packed {
				err = r.storePack(t.Context(), bytes.NewReader(pack))
			} else {
				err = r.savePack(t.Context(), bytes.NewReader(pack))
			}
			runtime.ReadMemStats(&after)
			if spent := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, dag.ErrInvalid) || spent > 64<<20 {
				t.Errorf("%s (%d bytes), as a pack %t: %v after %d bytes of memory", name, len(pack), packed, err, spent)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(r.Dir, "objects", "pack", "*")); len(left) != 0 {
			t.Errorf("%s: left are %v", name, left)
		}
	}
	small := newBomb(2) // a delta as it should be
	small.object(3, base, nil)
	small.delta(len(base), 2)
	r, err := Open(Config{URL: t.TempDir(), Dir: filepath.Join(t.TempDir(), "clone.git")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.storePack(t.Context(), bytes.NewReader(small.pack())); err != nil {
		t.Errorf("a good pack: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.savePack(ended, io.MultiReader(bytes.NewReader(small.pack()))); !errors.Is(err, context.Canceled) {
		t.Errorf("a pack after the deadline: %v", err)
	}
}
