package gitlabtest

import (
	"io"
	"net/http"
	"strings"
)

func (p *project) serveBranch(w http.ResponseWriter, r *http.Request, branch string) {
	head, err := git(r.Context(), p.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", "refs/heads/"+branch)
	if err != nil {
		fail(w, http.StatusNotFound, "404 Branch Not Found")
		return
	}
	reply(w, map[string]any{"name": branch, "commit": map[string]any{"id": head}})
}

func (s *Server) deleteBranch(w http.ResponseWriter, c *call) {
	ref := "refs/heads/" + c.vars["branch"]
	if _, err := git(c.Context(), c.project.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref); err != nil {
		fail(w, http.StatusNotFound, "404 Branch Not Found")
		return
	}
	err := s.pushing(c.project, func() error { //nolint:contextcheck // events are sent even when whoever asked has left
		_, err := git(c.Context(), c.project.dir, "update-ref", "-d", ref)
		return err
	})
	if err != nil {
		fail(w, http.StatusInternalServerError, "500 Internal Server Error")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// known reports whether the repository has a commit.
func (p *project) known(r *http.Request, commit string) bool {
	_, err := git(r.Context(), p.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}")
	return err == nil
}

func (p *project) serveCommit(w http.ResponseWriter, r *http.Request, commit string) {
	if !p.known(r, commit) {
		fail(w, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	message, err := gitRaw(r.Context(), p.dir, "log", "-1", "--format=%B", commit)
	if err != nil {
		fail(w, http.StatusInternalServerError, "500 Internal Server Error")
		return
	}
	reply(w, map[string]any{"id": commit, "message": message})
}

func (p *project) serveMergeBase(w http.ResponseWriter, r *http.Request) {
	refs := r.URL.Query()["refs[]"]
	if len(refs) < 2 {
		fail(w, http.StatusBadRequest, "Provide at least 2 refs")
		return
	}
	for _, ref := range refs {
		if !p.known(r, ref) {
			fail(w, http.StatusBadRequest, "Could not find ref: "+ref)
			return
		}
	}
	base, err := git(r.Context(), p.dir, "merge-base", refs[0], refs[1])
	if err != nil {
		fail(w, http.StatusNotFound, "404 Merge Base Not Found")
		return
	}
	reply(w, map[string]any{"id": base})
}

func (p *project) serveCompare(w http.ResponseWriter, c *call) {
	from, to := c.query.Get("from"), c.query.Get("to")
	if !p.known(c.Request, from) || !p.known(c.Request, to) {
		fail(w, http.StatusNotFound, "404 Ref Not Found")
		return
	}
	names, err := git(c.Context(), p.dir, "diff", "--name-only", "--no-renames", from, to)
	if err != nil {
		fail(w, http.StatusInternalServerError, "500 Internal Server Error")
		return
	}
	diffs := []any{}
	for name := range strings.FieldsSeq(names) {
		diffs = append(diffs, map[string]any{"old_path": name, "new_path": name, "diff": ""})
	}
	reply(w, map[string]any{"commits": []any{}, "diffs": diffs, "compare_timeout": false, "compare_same_ref": from == to})
}

func (p *project) serveTree(w http.ResponseWriter, c *call) {
	ref := c.query.Get("ref")
	if !p.known(c.Request, ref) {
		fail(w, http.StatusNotFound, "404 Tree Not Found")
		return
	}
	if folder := c.query.Get("path"); folder != "" {
		ref += ":" + folder
		if kind, err := git(c.Context(), p.dir, "cat-file", "-t", "--end-of-options", ref); err != nil || kind != "tree" {
			fail(w, http.StatusNotFound, "404 invalid revision or path Not Found")
			return
		}
	}
	names, err := git(c.Context(), p.dir, "ls-tree", "--name-only", "--end-of-options", ref)
	if err != nil {
		fail(w, http.StatusInternalServerError, "500 Internal Server Error")
		return
	}
	entries := []any{}
	for name := range strings.SplitSeq(names, "\n") {
		if name != "" {
			entries = append(entries, map[string]any{"name": name, "path": name, "type": "blob"})
		}
	}
	reply(w, entries)
}

func (p *project) serveRaw(w http.ResponseWriter, r *http.Request, path string) {
	ref := r.URL.Query().Get("ref")
	if !p.known(r, ref) {
		fail(w, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	blob, err := git(r.Context(), p.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+":"+path)
	if err != nil {
		fail(w, http.StatusNotFound, "404 File Not Found")
		return
	}
	content, err := gitRaw(r.Context(), p.dir, "cat-file", "blob", blob)
	if err != nil {
		fail(w, http.StatusNotFound, "404 File Not Found")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, content)
}
