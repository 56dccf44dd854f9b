package dev

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// linkPython makes bin/python stand for python3, since images of models call
// it python and Debian does not.
func (h *home) linkPython() error {
	python3, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("python3 is not installed; the example models need it: %w", err)
	}
	if err := os.MkdirAll(h.path("bin"), 0o700); err != nil {
		return err
	}
	// A shim and not a link: a link would hide from Python where it is
	// installed.
	script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", shellQuote(python3))
	return os.WriteFile(h.path("bin", "python"), []byte(script), 0o700)
}

// shellQuote quotes a word for sh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
