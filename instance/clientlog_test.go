package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestClientLogLeavesOutWhatWasNotWanted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(clientHandler{slog.NewTextHandler(&out, nil)}).With("a", 1).WithGroup("g")
	log.Error("read", "err", fmt.Errorf("read body: %w", context.Canceled))
	log.Error("refused", "err", errors.New("forbidden"))
	if got := out.String(); strings.Contains(got, "read body") || !strings.Contains(got, "forbidden") {
		t.Errorf("logged: %s", got)
	}
}
