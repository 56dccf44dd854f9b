package gitlabtest

import "time"

// patience bounds a wait. It is not a speed target: a test that reaches it is broken.
const patience = time.Minute

// Await waits until a condition holds, which it looks at after every call of the
// API and every push. It fails the test when that never happens.
func (s *Server) Await(what string, condition func() bool) {
	s.tb.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		news := s.news
		s.mu.Unlock()
		if condition() {
			return
		}
		select {
		case <-news:
		case <-deadline:
			s.tb.Fatalf("it never came to this: %s", what)
		}
	}
}

// tell wakes those who await.
func (s *Server) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

// Branch makes a branch at another's head, and sends its event.
func (s *Server) Branch(path, branch, from string) {
	s.tb.Helper()
	p := s.project(path)
	err := s.pushing(p, func() error {
		_, err := git(s.tb.Context(), p.dir, "update-ref", "refs/heads/"+branch, "refs/heads/"+from)
		return err
	})
	if err != nil {
		s.tb.Fatal(err)
	}
}

// File returns a file at the head of a branch, and whether it is there.
func (s *Server) File(path, branch, file string) (string, bool) {
	p := s.project(path)
	content, err := gitRaw(s.tb.Context(), p.dir, "cat-file", "blob", "refs/heads/"+branch+":"+file)
	return content, err == nil
}

// Files lists the files at the head of a branch, one a line.
func (s *Server) Files(path, branch string) string {
	p := s.project(path)
	out, _ := git(s.tb.Context(), p.dir, "ls-tree", "-r", "--name-only", "refs/heads/"+branch) // none without the branch
	return out
}

// Commits counts the commits of a branch.
func (s *Server) Commits(path, branch string) string {
	p := s.project(path)
	out, _ := git(s.tb.Context(), p.dir, "rev-list", "--count", "refs/heads/"+branch) // none without the branch
	return out
}

// Head returns the commit at the head of a branch, "" when there is none.
func (s *Server) Head(path, branch string) string {
	p := s.project(path)
	out, _ := git(s.tb.Context(), p.dir, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
	return out
}

// Log returns the messages of a branch's commits.
func (s *Server) Log(path, branch string) string {
	p := s.project(path)
	out, _ := git(s.tb.Context(), p.dir, "log", "--format=%B", "refs/heads/"+branch) // none without the branch
	return out
}
