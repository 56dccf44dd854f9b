package pod

import (
	"io"
	"log"
	"log/slog"
)

var (
	discard = slog.New(slog.DiscardHandler)
	quiet   = log.New(io.Discard, "", 0)
)
