package gitrepo

import (
	"path"
	"strings"
	"testing"
)

func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{"dags/gbc/a.yaml", "../x", ".git/config", "a//b", "a\\b", "a/.GIT . /b", "..",
		"日本/モデル.yaml"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if checkPath(p) != nil {
			return
		}
		if path.Clean("/"+p) != "/"+p {
			t.Errorf("%q is not in its shortest form", p)
		}
		for segment := range strings.SplitSeq(strings.ToLower(p), "/") {
			if strings.HasPrefix(segment, ".git") && strings.Trim(segment[4:], " .") == "" {
				t.Errorf("%q names git's own folder", p)
			}
		}
	})
}
