package process

import "testing"

func TestLookUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		name, path, want, reason string
	}{
		"in PATH":        {name: "sh", path: "/nowhere:/bin", want: "/bin/sh"},
		"absolute":       {name: "/bin/sh", want: "/bin/sh"},
		"missing":        {name: "python3x", path: "/bin", reason: "command not found: python3x"},
		"no PATH":        {name: "sh", reason: "command not found: sh (no PATH is set)"},
		"folder":         {name: "/bin", reason: "command is not executable: /bin"},
		"not executable": {name: "passwd", path: "/etc:/nowhere", reason: "command is not executable: passwd"},
		"two lines":      {name: "a\nexit 0", path: "/bin", reason: `command not found: "a\nexit 0"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, bad := lookUp(test.name, "/", test.path)
			reason := ""
			if bad != nil {
				reason = bad.why.String()
			}
			if reason != test.reason || bad == nil && got != test.want {
				t.Errorf("lookUp: %q, %q", got, reason)
			}
		})
	}
}
