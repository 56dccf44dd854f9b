package tasklog_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"dagwright/tasklog"
)

// secrets are values that overlap, begin alike and have several lines.
var secrets = []string{
	"hunter2-hunter2-hunter2", "hunter2-and-more-of-it", "of-it-overlaps", "short", "",
	"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n",
	strings.Repeat("long", 50),
}

// hidden is what readers are to see of a text.
func hidden(text []byte) []byte {
	out := bytes.Clone(text)
	for _, secret := range secrets {
		for _, line := range strings.Split(secret, "\n") {
			for i := 0; len(line) >= 8 && i+len(line) <= len(text); i++ {
				if string(text[i:i+len(line)]) == line {
					copy(out[i:], strings.Repeat("*", len(line)))
				}
			}
		}
	}
	return out
}

func openMasked(t *testing.T, text []byte) *tasklog.Dir {
	t.Helper()
	d, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(t.TempDir(), "logs"), Mask: secrets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	write(t, d, string(text))
	seal(t, d)
	return d
}

// leakyText is a log in which secrets stand everywhere, also across the borders at
// which logs are read.
func leakyText(r *rand.Rand) []byte {
	var b bytes.Buffer
	for b.Len() < 600<<10 {
		switch r.IntN(6) {
		case 0:
			b.WriteString(secrets[r.IntN(len(secrets))])
		case 1:
			b.WriteString("hunter2-and-more-of-it-overlaps")
		case 2:
			b.WriteByte('\n')
		case 3:
			fmt.Fprintf(&b, "%0*d", r.IntN(3000), r.IntN(1000))
		default:
			fmt.Fprintf(&b, " hunter2-%d ", r.IntN(1000))
		}
	}
	b.WriteString("\n")
	return b.Bytes()
}

func TestMaskedReads(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	text := leakyText(r)
	want := hidden(text)
	if bytes.Equal(text, want) {
		t.Fatal("the text has no secret")
	}
	d := openMasked(t, text)
	for range 300 {
		offset := r.IntN(len(text))
		n := r.IntN(min(80<<10, len(text)-offset) + 1)
		if got := read(t, d, key, int64(offset), int64(n)); got != string(want[offset:offset+n]) {
			t.Fatalf("reading %d bytes at %d: not what is to be seen", n, offset)
		}
	}
	if got := read(t, d, key, 0, 1<<62); got != string(want) {
		t.Error("reading all of it: not what is to be seen")
	}
}

func TestMaskedFollow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	text := leakyText(r)
	// One line that comes in pieces, with a secret on the border.
	long := append(bytes.Repeat([]byte("x"), 256<<10-10),
		[]byte("hunter2-hunter2-hunter2"+strings.Repeat("y", 1000)+"\n")...)
	text = append(long, text...)
	want := hidden(text)
	d := openMasked(t, text)
	for _, offset := range []int{0, 1, 256<<10 - 5, 256 << 10, 256<<10 + 8, len(text) - 500, len(text)} {
		var got []byte
		err := d.Follow(t.Context(), key, int64(offset), func(at int64, piece []byte) error {
			if at != int64(offset+len(got)) {
				t.Errorf("a piece at %d, want %d", at, offset+len(got))
			}
			got = append(got, piece...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(got, []byte("hunter2-hunter2")) || len(got) != len(text)-offset {
			t.Errorf("from %d: a secret is seen, or %d bytes instead of %d", offset, len(got), len(text)-offset)
		}
		for i := range got {
			if got[i] != want[offset+i] && got[i] != '*' {
				t.Fatalf("from %d: byte %d is not what is to be seen", offset, i)
			}
		}
	}
}

// TestMaskOfGrowingLog reads a log that ends in the middle of a secret.
func TestMaskOfGrowingLog(t *testing.T) {
	t.Parallel()
	d, err := tasklog.Open(tasklog.Config{Dir: t.TempDir(), Mask: secrets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	write(t, d, "the key is hunter2-hunter2-hu")
	if got := read(t, d, key, 0, 100); got != "the key is "+strings.Repeat("*", 18) {
		t.Errorf("read %q", got)
	}
	if got := d.Mask("it said hunter2-hunter2-hunter2, short"); got != "it said "+strings.Repeat("*", 23)+", short" {
		t.Errorf("masked %q", got)
	}
}

func BenchmarkReadMasked(b *testing.B) {
	for name, values := range map[string][]string{"none": nil,
		"ten": {"aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc", "dddddddddddd", "eeeeeeeeeeee", "ffffffffffff",
			"gggggggggggg", "hhhhhhhhhhhh", "iiiiiiiiiiii", "jjjjjjjjjjjj"}} {
		b.Run(name, func(b *testing.B) {
			d, err := tasklog.Open(tasklog.Config{Dir: b.TempDir(), Mask: values})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = d.Close() })
			const size = 8 << 20
			write(b, d, strings.Repeat("2026-01-01 epoch 17 loss 0.1234\n", size/32))
			b.SetBytes(size)
			for b.Loop() {
				read(b, d, key, 0, size)
			}
		})
	}
}
