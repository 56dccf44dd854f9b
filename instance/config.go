package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/executor"
	"dagwright/executor/checkout"
	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/metrics"
	"dagwright/podspec"
	"dagwright/registry"
	"dagwright/tasklog"
	"dagwright/ui"
	"dagwright/usage"
	"dagwright/version"
)

// OutliveHangup answers SIGHUP, which would end the program, with a line in the log. The
// function that it returns ends that.
func OutliveHangup(logger *slog.Logger) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-hangups:
				logger.Warn("SIGHUP changes nothing: the configuration is read at the start; " +
					"rules of auth and TLS certificates are read again when their files change")
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
	}
}

// Config is the configuration file. Secrets stand in files of their own,
// never in it.
type Config struct {
	file string     // its name
	root *yaml.Node // what stands in it

	Listen string `yaml:"listen"`
	// Probes is where /healthz and /readyz answer beside Listen.
	Probes      string `yaml:"probes"`
	Environment string `yaml:"environment"`
	// PublicURL is where people and CI jobs reach this instance.
	PublicURL string `yaml:"public_url"`
	// Production gives the environment the colour that warns.
	Production bool `yaml:"production"`
	// Sibling is the other instance, to which pages lead.
	Sibling struct {
		Name string `yaml:"name"`
		URL  string `yaml:"url"`
	} `yaml:"sibling"`
	// TLS makes the pages speak https by themselves.
	TLS tlsConfig `yaml:"tls"`
	// Auth says how people sign in, or "none".
	Auth     authConfig `yaml:"auth"`
	Database string     `yaml:"database"`
	// DatabaseFile holds the DSN when it has a password in it.
	DatabaseFile string `yaml:"database_file"`
	// Data is the folder for logs, clones and attempts.
	Data string `yaml:"data"`

	DAGRepository struct {
		URL          string `yaml:"url"`
		Branch       string `yaml:"branch"`
		Project      string `yaml:"project"`
		Username     string `yaml:"username"`
		PasswordFile string `yaml:"password_file"`
		// Deliver is "push" or "merge_request".
		Deliver   string `yaml:"deliver"`
		AutoMerge bool   `yaml:"auto_merge"`
		// Loader writes a loader for Airflow beside each spec.
		Loader bool `yaml:"loader"`
	} `yaml:"dag_repository"`
	GitLab struct {
		URL       string `yaml:"url"`
		TokenFile string `yaml:"token_file"`
		// Groups and Projects are where models are taken from, and looked for.
		Groups    groupList     `yaml:"groups"`
		Projects  []string      `yaml:"projects"`
		Reconcile time.Duration `yaml:"reconcile"`
	} `yaml:"gitlab"`
	Webhook struct {
		SecretFiles []string `yaml:"secret_files"`
		Previews    bool     `yaml:"previews"`
	} `yaml:"webhook"`
	Models modelsConfig `yaml:"models"`
	// Variables are those of templates, var.value and var.json.
	Variables variablesConfig `yaml:"variables"`
	// Promotion is where DAGs are promoted to and from.
	Promotion promotionConfig `yaml:"promotion"`
	Scheduler struct {
		Executor       string        `yaml:"executor"`
		Poll           time.Duration `yaml:"poll"`
		MaxActiveTasks int           `yaml:"max_active_tasks"`
		// InfrastructureRetries is how often a task is tried again because its
		// attempt was lost through no fault of its own.
		InfrastructureRetries int `yaml:"infrastructure_retries"`
	} `yaml:"scheduler"`
	Kubernetes kubernetesConfig `yaml:"kubernetes"`
	Logs       logsConfig       `yaml:"logs"`
}

// ReadConfig reads the file strictly: an unknown key, or a value that cannot work, is an error with its place.
func ReadConfig(file string) (Config, error) {
	c := Config{Listen: "127.0.0.1:8080", Environment: "DEV"}
	c.Scheduler.Executor, c.Scheduler.InfrastructureRetries = "process", 3
	c.Models.Branches, c.Models.Offers = dag.DefaultBranches(), generator.DefaultInstance().Offers
	if file == "" {
		return c, usage.New(errors.New("--config is required; docs/configuration.md shows a file"))
	}
	f, err := openConfig(file)
	if err != nil {
		return c, err
	}
	f.decode(&c)
	c.file, c.root = file, f.root
	if len(f.faults) == 0 {
		c.check(f)
	}
	if err := f.err(); err != nil {
		return c, usage.New(err)
	}
	return c, nil
}

// openConfig reads a file that is to be YAML.
func openConfig(file string) (*configFile, error) {
	text, err := os.Open(file)
	if err != nil {
		return nil, usage.New(fmt.Errorf("read configuration: %w", err))
	}
	defer text.Close()
	f, err := parseConfig(file, text)
	if err != nil {
		return nil, usage.New(err)
	}
	return f, nil
}

// ReadPods reads the section kubernetes of a configuration file strictly, and nothing else of it: what an instance adds
// to the pods of its tasks, and what it allows them.
func ReadPods(file string) (podspec.Config, error) {
	var c struct {
		Kubernetes kubernetesConfig `yaml:"kubernetes"`
	}
	err := readSection(file, "kubernetes", &c, func(f *configFile) { c.Kubernetes.check(f, false) })
	return c.Kubernetes.pods(), err
}

// ReadVariables reads the section variables of a configuration file strictly, and nothing else of it. It returns what
// says which variables a DAG's templates name that it may not read, or that are not there.
func ReadVariables(file string) (func(*dag.DAG) error, error) {
	var c struct {
		Variables variablesConfig `yaml:"variables"`
	}
	err := readSection(file, "variables", &c, func(*configFile) {})
	return knownVariables(c.Variables).checker(), err
}

// readSection reads one section of a configuration file into c, which points to a struct with it.
func readSection(file, section string, c any, check func(*configFile)) error {
	f, err := openConfig(file)
	if err != nil {
		return err
	}
	f.root = only(f.root, section)
	f.decode(c)
	if len(f.faults) == 0 {
		check(f)
	}
	if err := f.err(); err != nil {
		return usage.New(err)
	}
	return nil
}

// only is a file's mapping with some of its keys; a file that is not a mapping is itself.
func only(root *yaml.Node, keys ...string) *yaml.Node {
	if root == nil || root.Kind != yaml.MappingNode {
		return root
	}
	out := *root
	out.Content = nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		if slices.Contains(keys, root.Content[i].Value) {
			out.Content = append(out.Content, root.Content[i:i+2]...)
		}
	}
	return &out
}

// check reports everything that is missing, and what does not go together.
func (c Config) check(f *configFile) {
	c.Auth.check(f, c.Listen, c.PublicURL, c.TLS.CertFile != "")
	f.want(c.Probes == "" || c.Probes != c.Listen, "probes", "want another address than that of listen")
	f.want((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "tls", "want both cert_file and key_file, or neither")
	f.want(!f.has("tls") || c.TLS.CertFile != "", "tls", "want cert_file and key_file, or leave the section out")
	f.want(!f.has("sibling") || c.Sibling.Name != "" && c.Sibling.URL != "", "sibling",
		"want a name and the address of the other instance, such as {name: PROD, url: https://dagwright.example.com}")
	f.want((c.Database == "") != (c.DatabaseFile == ""), "database", "want exactly one of database and database_file")
	f.want(c.Data != "", "data", "want a folder")
	f.want(c.Models.Registry != "", "models.registry", "want the image registry, such as registry.example.com")
	f.want((c.Models.RegistryUsername == "") == (c.Models.RegistryPasswordFile == ""),
		"models.registry_username", "want registry_password_file with it, or neither")
	c.checkBranches(f)
	c.checkDAGRepository(f)
	c.checkGitLab(f)
	if c.Data != "" {
		f.wantAll("logs", c.Logs.config(c.Data).Check())
	}
	c.Promotion.check(f, c.DAGRepository.Project)
	c.Kubernetes.check(f, c.Scheduler.Executor == "kubernetes")
	if len(f.faults) == 0 {
		checkOffers(f, c.Models.Offers, c.Kubernetes.pods())
	}
}

// checkBranches wants names of branches that a push can have, and two of models.
func (c Config) checkBranches(f *configFile) {
	models := c.Models.Branches
	for _, one := range []struct{ key, name string }{
		{"models.branches.scoring", models.Scoring}, {"models.branches.retrain", models.Retrain},
		{"dag_repository.branch", c.DAGRepository.Branch},
	} {
		if err := dag.CheckBranchName(one.name); err != nil {
			f.fault(one.key, "%s", err)
		}
		if n := aliased(f.find(one.key)); f.has(one.key) && n.Tag != "!!str" {
			f.fault(one.key, "is %s, which YAML reads as no text; write \"%s\" if a branch has this name", n.Value, n.Value)
		}
	}
	if models.Scoring != models.Retrain {
		return
	}
	why := "one branch cannot become both DAGs"
	for _, key := range []string{"scoring", "retrain"} {
		if !f.has("models.branches." + key) {
			why = fmt.Sprintf("%s is left out and therefore %q, the same branch", key, models.Scoring)
		}
	}
	f.fault("models.branches", "want two branches, such as {scoring: main, retrain: retrain}: %s", why)
}

func (c Config) checkDAGRepository(f *configFile) {
	r, byRequest := c.DAGRepository, c.DAGRepository.Deliver == string(generator.DeliverMergeRequest)
	f.want(r.URL != "", "dag_repository.url", "want the URL or path of the DAG repository")
	f.want(r.Project != "", "dag_repository.project", "want its GitLab path, such as gbc/airflow-dev")
	f.want(r.Username == "" || r.PasswordFile != "", "dag_repository.username", "needs password_file beside it")
	f.want(!r.AutoMerge || byRequest, "dag_repository.auto_merge", "needs deliver: merge_request")
	f.want(!byRequest || c.GitLab.TokenFile != "", "dag_repository.deliver",
		"needs gitlab.token_file: merge requests are opened with its token")
}

func (c Config) checkGitLab(f *configFile) {
	f.want(c.GitLab.URL != "", "gitlab.url", "want GitLab's address, such as https://gitlab.example.com")
	f.wantAll("gitlab", c.allowList().Check())
	f.want(len(c.Webhook.SecretFiles) > 0, "webhook.secret_files", "want at least one file with a secret")
	f.want(!c.Webhook.Previews || c.GitLab.TokenFile != "", "webhook.previews",
		"needs gitlab.token_file: notes are written with its token")
}

// WebAddress reports whether a text is an http(s) address without a query.
func WebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.RawQuery == "" && u.User == nil
}

// LoopbackAddress reports whether nobody from another machine reaches an address, as in
// "127.0.0.1:8080".
func LoopbackAddress(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && auth.IsLoopbackName(host)
}

// checkStart reports what an instance needs to start, and other uses of its configuration do not.
func (c Config) checkStart() error {
	f := &configFile{name: c.file, root: c.root}
	f.want(c.takesSome(), "gitlab.groups",
		"want groups or projects, or both: whose models are taken, such as groups: [gbc]. "+
			"With groups: any every project of the GitLab, a stranger's too, can bring a DAG")
	// What "dagwright promote --dry-run" can do without.
	f.want(c.Promotion.URL == "" || c.GitLab.TokenFile != "", "promotion",
		"needs gitlab.token_file: a promotion is a merge request, opened with its token")
	if err := f.err(); err != nil {
		return usage.New(err)
	}
	return nil
}

// Settings reads the secret files and turns the configuration into what
// Open wants.
func (c Config) Settings(run []string) (Settings, error) {
	if err := c.checkStart(); err != nil {
		return Settings{}, err
	}
	if len(run) == 0 {
		return Settings{}, usage.New(fmt.Errorf("--run names nothing: want some of %s", strings.Join(Components, ", ")))
	}
	for _, component := range run {
		if !slices.Contains(Components, component) {
			return Settings{}, usage.New(fmt.Errorf("--run %q: want some of %s", component, strings.Join(Components, ", ")))
		}
	}
	if err := c.checkFiles(run); err != nil {
		return Settings{}, err
	}
	m := metrics.New(version.String())
	s := Settings{
		Metrics: m, Components: run, Database: dag.NewSecret(c.Database), Logs: c.Logs.config(c.Data),
		Auth: authSettings{authConfig: c.Auth, file: c.file},
		Pages: PageSettings{
			Listen: c.Listen, Probes: c.Probes, PublicURL: strings.TrimSuffix(c.PublicURL, "/"), TLS: c.TLS,
			Environment: c.Environment, Production: c.Production,
			Sibling: ui.Sibling{Name: c.Sibling.Name, URL: c.Sibling.URL},
		},
		GitLab: GitLabSettings{URL: c.GitLab.URL, Previews: c.Webhook.Previews, Takes: c.allowList().Has},
		DAGs: RepositorySettings{
			Repo: gitrepo.Config{URL: c.DAGRepository.URL, Branch: c.DAGRepository.Branch,
				Username: c.DAGRepository.Username},
			Project: c.DAGRepository.Project, CloneDir: filepath.Join(c.Data, "clones"),
			Deliver: generator.Delivery(c.DAGRepository.Deliver), AutoMerge: c.DAGRepository.AutoMerge,
			Loaders: c.DAGRepository.Loader,
		},
		Models: ModelSettings{
			Branches: c.Models.Branches, Defaults: c.instance(), Templates: c.Models.Templates,
			Reconcile: c.GitLab.Reconcile,
		},
		Scheduling: SchedulingSettings{
			Poll: c.Scheduler.Poll, MaxActiveTasks: c.Scheduler.MaxActiveTasks, MaxLost: c.Scheduler.InfrastructureRetries,
		},
		Pods: c.Kubernetes.pods(),
	}
	if s.Scheduling.MaxLost == 0 {
		s.Scheduling.MaxLost = -1 // to the scheduler, 0 is the default
	}
	s.GitLab.Audience = s.Pages.PublicURL
	secrets := Secrets{}
	if c.DatabaseFile != "" {
		s.Database = secrets.Read(c.DatabaseFile)
	}
	s.DAGs.Password = secrets.Read(c.DAGRepository.PasswordFile)
	s.Auth.clientSecret, s.Auth.key = secrets.Read(c.Auth.OIDC.ClientSecretFile), secrets.Read(c.Auth.KeyFile)
	for _, file := range c.Webhook.SecretFiles {
		s.GitLab.HookSecrets = append(s.GitLab.HookSecrets, secrets.Read(file))
	}
	s.Promotion = c.Promotion.settings(&secrets)
	token := secrets.Read(c.GitLab.TokenFile)
	s.Logs.Mask = secrets.masked(s.Database.Reveal(), c.Logs.MaskFiles)
	if secrets.Err != nil {
		return s, usage.New(secrets.Err)
	}
	images, err := registry.New(registry.Config{
		Host: c.Models.Registry, Username: c.Models.RegistryUsername, PasswordFile: c.Models.RegistryPasswordFile,
		Transport: m.Outgoing("registry")(http.DefaultTransport),
	})
	if err != nil {
		return s, usage.New(fmt.Errorf("models.registry: %w", err))
	}
	s.Models.Registry = images
	if s.Variables, err = openVariables(c.Variables); err != nil {
		return s, usage.New(err)
	}
	client, err := gitlab.Dial(gitlab.Config{BaseURL: c.GitLab.URL, Token: token.Reveal(),
		Transport: m.Outgoing("gitlab")(http.DefaultTransport)})
	if err != nil {
		return s, fmt.Errorf("gitlab: %w", err)
	}
	s.Models.Files, s.GitLab.Client = client, client
	s.Models.Projects = func(ctx context.Context) ([]generator.Project, error) { return c.projects(ctx, client) }
	s.GitLab.HasToken = token.Reveal() != ""
	s.Scheduling.Executor = func(database string, logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error) {
		return c.Kubernetes.open(database, logs, logger, m.Outgoing("kubernetes"))
	}
	if c.Scheduler.Executor == "process" {
		s.Scheduling.Workspaces = c.workspaces(token)
		s.Scheduling.Executor = func(_ string, logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error) {
			return OpenProcesses(c.Data, s.Scheduling.Workspaces, logs, logger)
		}
	}
	return s, nil
}

// workspaces are checkouts of the models' GitLab repositories for local
// processes.
func (c Config) workspaces(token dag.Secret) *checkout.Workspaces {
	clones := filepath.Join(c.Data, "clones", "models")
	return &checkout.Workspaces{Root: c.Data, Clone: func(project, branch string) (gitrepo.Config, error) {
		for part := range strings.SplitSeq(project, "/") {
			if err := dag.CheckID(part); err != nil {
				return gitrepo.Config{}, fmt.Errorf("project %q: %w", project, err)
			}
		}
		if err := gitrepo.CheckBranch(branch); err != nil {
			return gitrepo.Config{}, err
		}
		return gitrepo.Config{
			URL: strings.TrimSuffix(c.GitLab.URL, "/") + "/" + project + ".git", Branch: branch,
			Dir:      filepath.Join(clones, filepath.FromSlash(project)+"."+url.PathEscape(branch)+".git"),
			Username: "oauth2", Password: token.Reveal(),
		}, nil
	}}
}
