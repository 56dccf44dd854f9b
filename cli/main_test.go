package cli

import (
	"os"
	"testing"

	"dagwright/cli/clitest"
)

func TestMain(m *testing.M) {
	if clitest.IsProgram() {
		os.Exit(Run(os.Args[1:]))
	}
	clitest.Isolate()
	os.Exit(m.Run())
}
