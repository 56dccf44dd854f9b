package cli

import (
	"testing"

	"dagwright/cli/clitest"
)

// TestHooksInstallRefusals asks for a webhook that no dagwright would answer.
func TestHooksInstallRefusals(t *testing.T) {
	t.Parallel()
	p := clitest.NewWorkstation(t, "CI_SERVER_URL=", "GITLAB_URL=")
	for _, test := range []struct {
		words string
		flags []string
	}{
		{"--gitlab, --token-file, --url, --secret-file are required", nil},
		{"--url is required", []string{"--gitlab", "x", "--token-file", "x", "--secret-file", "x"}},
		{`--url "https://d.example.com/": want an address with a path`,
			[]string{"--gitlab", "x", "--token-file", "x", "--secret-file", "x", "--url", "https://d.example.com/"}},
		{`--url "d.example.com/hooks/gitlab": want an address`,
			[]string{"--gitlab", "x", "--token-file", "x", "--secret-file", "x", "--url", "d.example.com/hooks/gitlab"}},
		{"name at least one --group or --project",
			[]string{"--gitlab", "x", "--token-file", "x", "--secret-file", "x", "--url", "https://d.example.com/hooks/gitlab"}},
		{`--branch: is "refs/heads/main", Git's reference to a branch; write main`,
			[]string{"--gitlab", "x", "--token-file", "x", "--secret-file", "x", "--url", "https://d.example.com/hooks/gitlab",
				"--group", "gbc", "--branch", "refs/heads/main"}},
	} {
		p.Run("", ExitUsage, test.words, append([]string{"hooks", "install"}, test.flags...)...)
	}
}
