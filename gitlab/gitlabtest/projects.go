package gitlabtest

import (
	"fmt"
	"os"
	"path/filepath"
)

// Rename gives a project another path, in another group or not, and sends the
// system hook's event. Its id stays; its old path leads nowhere in the API.
func (s *Server) Rename(path, newPath string) {
	s.tb.Helper()
	p := s.project(path)
	s.mu.Lock()
	dir := filepath.Join(s.root, filepath.FromSlash(newPath)+".git")
	err := os.MkdirAll(filepath.Dir(dir), 0o755)
	if err == nil {
		err = os.Rename(p.dir, dir)
	}
	delete(s.projects, path)
	p.path, p.dir = newPath, dir
	s.projects[newPath] = p
	s.mu.Unlock()
	if err != nil {
		s.tb.Fatal(err)
	}
	s.sendProject("project_rename", p.id, newPath)
}

// Archive archives a project or brings it back, and sends the system hook's event.
func (s *Server) Archive(path string, archived bool) {
	p := s.project(path)
	s.mu.Lock()
	p.archived = archived
	s.mu.Unlock()
	s.sendProject("project_update", p.id, path)
}

// Destroy deletes a project. The system hook's event is sent when told.
func (s *Server) Destroy(path string, tell bool) {
	p := s.project(path)
	s.mu.Lock()
	delete(s.projects, path)
	s.mu.Unlock()
	if tell {
		s.sendProject("project_destroy", p.id, path)
	}
}

// Hide makes a project invisible to the token, and back: the API says 404 then.
func (s *Server) Hide(path string) (show func()) {
	p := s.project(path)
	s.mu.Lock()
	delete(s.projects, path)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.projects[path] = p
	}
}

func (s *Server) sendProject(event string, id int64, path string) {
	if s.HookURL == "" {
		return
	}
	s.SendEvent("System Hook", fmt.Sprintf(`{"event_name":%q,"project_id":%d,"path_with_namespace":%q}`, event, id, path))
}
