package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/usage"
)

// repositoryConfig is a DAG repository beside the instance's own.
type repositoryConfig struct {
	URL          string `yaml:"url"`
	Branch       string `yaml:"branch"`
	Project      string `yaml:"project"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	// Overlay is what a promotion changes.
	Overlay generator.Overlay `yaml:"overlay"`
}

func (c repositoryConfig) repo(password string) gitrepo.Config {
	return gitrepo.Config{URL: c.URL, Branch: c.Branch, Username: c.Username, Password: password}
}

// promotionConfig says where DAGs are promoted to, and whether the instance takes
// only those that were promoted to it.
type promotionConfig struct {
	repositoryConfig `yaml:",inline"`
	// OnlyPromoted refuses every spec that is not, byte for byte, a promotion from From.
	OnlyPromoted bool             `yaml:"only_promoted"`
	From         repositoryConfig `yaml:"from"`
}

// check reports what is wrong with the section. own is the project of the instance's DAG repository.
func (c promotionConfig) check(f *configFile, own string) {
	f.want((c.URL == "") == (c.Project == ""), "promotion",
		"want both url and project of the DAG repository to promote to, or none")
	to := c.URL != ""
	f.want(!to || c.Project != own, "promotion.project",
		"is the instance's own DAG repository; want that of the instance to promote to")
	f.want(c.Username == "" || c.PasswordFile != "", "promotion.username", "needs password_file beside it")
	for _, key := range []string{"branch", "username", "password_file", "overlay"} {
		f.want(to || !f.has("promotion."+key), "promotion."+key,
			"is of use only beside url and project of the DAG repository to promote to")
	}
	whole := c.From.URL != "" && c.From.Project != ""
	f.want(!c.OnlyPromoted || whole, "promotion.only_promoted",
		"needs promotion.from, with url and project of the DAG repository that DAGs are promoted from")
	f.want(c.OnlyPromoted || !f.has("promotion.from"), "promotion.from", "is of use with only_promoted: true alone")
	f.want(c.From.Username == "" || c.From.PasswordFile != "", "promotion.from.username", "needs password_file beside it")
	f.want(!whole || c.From.Project != own, "promotion.from.project",
		"is the instance's own DAG repository; want the one that DAGs are promoted from")
}

// settings reads the passwords.
func (c promotionConfig) settings(secrets *Secrets) promotionSettings {
	s := promotionSettings{To: c.repo(secrets.Read(c.PasswordFile).Reveal()), ToProject: c.Project, Overlay: c.Overlay}
	if c.OnlyPromoted {
		s.From = c.From.repo(secrets.Read(c.From.PasswordFile).Reveal())
		s.FromProject, s.FromOverlay = c.From.Project, c.From.Overlay
	}
	return s
}

// promotionSettings is promotionConfig with its secrets.
type promotionSettings struct {
	To        gitrepo.Config
	ToProject string // none when empty
	Overlay   generator.Overlay
	// From is set when only promoted specs are taken.
	From        gitrepo.Config
	FromProject string
	FromOverlay generator.Overlay
}

// rules changes whenever another spec may be taken.
func (s promotionSettings) rules() string {
	if s.FromProject == "" {
		return ""
	}
	text, _ := json.Marshal([]any{s.FromProject, s.From.Branch, s.FromOverlay}) // strings, lists and maps always marshal
	sum := sha256.Sum256(text)
	return ",promoted:" + hex.EncodeToString(sum[:6])
}

// openOrigin opens a clone of the DAG repository that specs must be promoted from;
// nil when every spec is taken.
func (a *Instance) openOrigin() (*generator.Origin, error) {
	p := a.Promotion
	if p.FromProject == "" {
		return nil, nil
	}
	p.From.Dir, p.From.Logger = filepath.Join(a.DAGs.CloneDir, "promoted-from.git"), a.Logger
	repo, err := gitrepo.Open(p.From)
	if err != nil {
		return nil, fmt.Errorf("open clone of %s: %w", p.FromProject, err)
	}
	return &generator.Origin{Repo: repo, Project: p.FromProject, Overlay: p.FromOverlay}, nil
}

// openPromoter opens a clone of the DAG repository to promote to; nil when there is
// none.
func (a *Instance) openPromoter(from *gitrepo.Repo) (*generator.Promoter, error) {
	p := a.Promotion
	if p.ToProject == "" || a.GitLab.Client == nil {
		return nil, nil
	}
	p.To.Dir, p.To.Logger = filepath.Join(a.DAGs.CloneDir, "promote-to.git"), a.Logger
	to, err := gitrepo.Open(p.To)
	if err != nil {
		return nil, fmt.Errorf("open clone of %s: %w", p.ToProject, err)
	}
	return &generator.Promoter{
		From: from, To: to, FromProject: a.DAGs.Project, ToProject: p.ToProject, GitLab: a.GitLab.Client, Overlay: p.Overlay,
		Now: time.Now,
	}, nil
}

// OpenPromoter opens clones of both DAG repositories in a folder, and GitLab.
func (c Config) OpenPromoter(dir string) (*generator.Promoter, error) {
	secrets := Secrets{}
	d := c.DAGRepository
	from := gitrepo.Config{URL: d.URL, Branch: d.Branch, Username: d.Username,
		Password: secrets.Read(d.PasswordFile).Reveal(), Dir: filepath.Join(dir, "from.git")}
	to := c.Promotion.repo(secrets.Read(c.Promotion.PasswordFile).Reveal())
	to.Dir = filepath.Join(dir, "to.git")
	token := secrets.Read(c.GitLab.TokenFile)
	if secrets.Err != nil {
		return nil, usage.New(secrets.Err)
	}
	p := &generator.Promoter{FromProject: d.Project, ToProject: c.Promotion.Project, Overlay: c.Promotion.Overlay,
		Now: time.Now}
	var err error
	if p.From, err = gitrepo.Open(from); err != nil {
		return nil, fmt.Errorf("DAG repository: %w", err)
	}
	if p.To, err = gitrepo.Open(to); err != nil {
		return nil, fmt.Errorf("promotion: %w", err)
	}
	p.GitLab, err = gitlab.Dial(gitlab.Config{BaseURL: c.GitLab.URL, Token: token.Reveal()})
	return p, err
}
