package cli

import (
	"testing"

	"dagwright/cli/clitest"
)

// TestTimeWithoutUnit gives flags for times a mere number, and no time at all.
func TestTimeWithoutUnit(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t)
	p.Run("", ExitUsage, "dagwright: --timeout: 5 has no unit; want a time such as 5s or 5m (see ", "runs", "wait", "d",
		"--timeout", "5")
	p.Run("", ExitUsage, `dagwright: --timeout "soon": want a time such as 5s or 5m (see `, "rerender", "--timeout=soon")
}
