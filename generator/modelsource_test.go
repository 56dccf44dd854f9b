package generator_test

import (
	"strings"
	"testing"

	"dagwright/store"
)

// TestMisnamedModelFile refuses a push whose model file is nearly named as one, and says
// on the push when a model's file is gone.
func TestMisnamedModelFile(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	for _, name := range []string{".dagwright.yaml", "dagwright.yml", "dagwright.yaml", ".Dagwright.yml", ".DAGWRIGHT.YML",
		".dagwright.yml~"} {
		path := "gbc/near/m" + strings.Map(func(c rune) rune {
			if c == '.' || c == '~' {
				return '-'
			}
			return c
		}, name)
		l.CreateProject(path)
		l.Commit(path, "main", map[string]string{name: "owner: risk", "main.py": "1"})
		if p := l.settled(store.PushRefused); p.Project != path ||
			!strings.Contains(p.Reason, name+": is not read: a model's file is named .dagwright.yml") {
			t.Errorf("%s: %s %q", name, p.Project, p.Reason)
		}
	}
	// Another file is none of them, and the right one counts whatever stands beside it.
	l.Commit(churn, "main", map[string]string{"dagwright.py": "1", "README.md": "1", "main.py": "1"})
	l.settled(store.PushRendered)
	had := l.Commit(churn, "main", map[string]string{".dagwright.yml": "owner: risk", "dagwright.yml": "x"})
	if p := l.settled(store.PushRendered); p.Commit != had || p.Reason != "" {
		t.Errorf("with both: %+v", p)
	}
	l.Commit(churn, "main", map[string]string{".dagwright.yml": "", "dagwright.yml": ""})
	l.until("the file is gone", func() bool {
		p := l.pushes()[0]
		return p.State == store.PushRendered && p.Reason == ".dagwright.yml is gone since "+had[:8]+": the defaults count now"
	})
}
