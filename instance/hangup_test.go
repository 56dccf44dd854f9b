package instance

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestHangupIsOutlived sends the signal that ends a program which does not ask for it.
func TestHangupIsOutlived(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer r.Close()
	stop := OutliveHangup(slog.New(slog.NewTextHandler(w, nil)))
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 1000)
	n, err := r.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), "SIGHUP changes nothing") {
		t.Errorf("the log says %q, %v", line[:n], err)
	}
}
