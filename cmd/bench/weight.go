package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	megabyte = 1e6
	// leastWeight is what a module must weigh to have a line of its own.
	leastWeight = 0.3 * megabyte
)

// weigh builds the program as a release does and tells its size, then which modules the
// code and the data in it are of.
func weigh(ctx context.Context, b *bench) error {
	stripped := filepath.Join(b.dir, "stripped")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", stripped, "./cmd/dagwright")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	info, err := os.Stat(stripped)
	if err != nil {
		return err
	}
	b.add(figure{Name: "weight: program, stripped", Unit: "MB", Median: float64(info.Size()) / megabyte, N: 1,
		Aim: "<= 50"})
	symbols, err := exec.CommandContext(ctx, "go", "tool", "nm", "-size", b.program).Output()
	if err != nil {
		return fmt.Errorf("list symbols: %w", err)
	}
	weights, err := weightsOf(symbols)
	if err != nil {
		return err
	}
	heaviestFirst := func(a, b string) int { return cmp.Compare(weights[b], weights[a]) }
	for _, module := range slices.SortedFunc(maps.Keys(weights), heaviestFirst) {
		if weights[module] >= leastWeight {
			b.add(figure{Name: "weight: of it " + module, Unit: "MB", Median: weights[module] / megabyte, N: 1})
		}
	}
	return nil
}

// reserved is memory that is set aside at run time, which nm lists as data (D).
const reserved = "crypto/internal/fips140/drbg.memory"

// weightsOf sums up the bytes of what "go tool nm -size" lists, by module. What is only
// reserved at run time weighs nothing in a file.
func weightsOf(symbols []byte) (map[string]float64, error) {
	weights := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(symbols)); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // address, size, kind, name
		if len(fields) < 4 || strings.EqualFold(fields[2], "b") || fields[2] == "U" || fields[3] == reserved {
			continue
		}
		size, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return nil, fmt.Errorf("size of symbol %s: %w", fields[3], err)
		}
		weights[moduleOf(fields[3])] += size
	}
	return weights, nil
}

// moduleOf is the module that a symbol is of, as its first path elements tell:
// "github.com/labstack/echo" of "github.com/labstack/echo/v4.(*Echo).Add".
func moduleOf(symbol string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(symbol, "type:.eq."), "[")
	parts := strings.Split(name, "/")
	if !strings.Contains(parts[0], ".") || len(parts) == 1 {
		if parts[0] == "dagwright" || parts[0] == "vendor" {
			return parts[0]
		}
		return "Go's own library and runtime"
	}
	parts = parts[:min(3, len(parts))]
	last, _, _ := strings.Cut(parts[len(parts)-1], ".")
	parts[len(parts)-1] = last
	return strings.Join(parts, "/")
}
