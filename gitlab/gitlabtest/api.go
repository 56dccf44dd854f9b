package gitlabtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// serveAPI answers the REST calls of gitlab.Client, with GitLab's words.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("PRIVATE-TOKEN") != s.Token && r.Header.Get("Authorization") != "Bearer "+s.Token {
		fail(w, http.StatusUnauthorized, "401 Unauthorized")
		return
	}
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4/"), "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			fail(w, http.StatusBadRequest, "400 Bad request")
			return
		}
		segments[i] = decoded
	}
	if r.Method != http.MethodGet || len(segments) < 2 || segments[0] != "projects" {
		fail(w, http.StatusNotFound, "404 Not Found")
		return
	}
	p := s.project(segments[1])
	if p == nil {
		fail(w, http.StatusNotFound, "404 Project Not Found")
		return
	}
	switch route := segments[2:]; {
	case len(route) == 0:
		reply(w, map[string]any{"id": p.id, "path_with_namespace": p.path, "web_url": s.URL + "/" + p.path, "default_branch": "main"})
	case len(route) == 3 && route[0] == "repository" && route[1] == "branches":
		p.serveBranch(w, r, route[2])
	case len(route) == 3 && route[0] == "repository" && route[1] == "commits":
		p.serveCommit(w, r, route[2])
	case len(route) == 2 && route[0] == "repository" && route[1] == "merge_base":
		p.serveMergeBase(w, r)
	case len(route) == 4 && route[0] == "repository" && route[1] == "files" && route[3] == "raw":
		p.serveRaw(w, r, route[2])
	default:
		fail(w, http.StatusNotFound, "404 Not Found")
	}
}

func (p *project) serveBranch(w http.ResponseWriter, r *http.Request, branch string) {
	head, err := git(r.Context(), p.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", "refs/heads/"+branch)
	if err != nil {
		fail(w, http.StatusNotFound, "404 Branch Not Found")
		return
	}
	reply(w, map[string]any{"name": branch, "commit": map[string]any{"id": head}})
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
	reply(w, map[string]any{"id": commit})
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

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}
