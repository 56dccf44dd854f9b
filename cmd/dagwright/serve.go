package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/executor"
	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/registry"
	"dagwright/tasklog"
	"dagwright/ui"
)

func newServeCommand() *cobra.Command {
	var file, logLevel string
	var run []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run an instance from its configuration file",
		Long: `Run an instance: the webhook, the generator, the scheduler and the pages, or some
of them. Several processes of one instance share a PostgreSQL database; the
generator and the scheduler must each run once.`,
		Example: `  dagwright serve --config dagwright.yml
  dagwright serve --config dagwright.yml --run webhook,ui`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := newLogger(cmd.ErrOrStderr(), logLevel)
			if err != nil {
				return err
			}
			c, err := readServeConfig(file)
			if err != nil {
				return err
			}
			s, err := c.settings(run)
			if err != nil {
				return err
			}
			s.Logger = logger
			syscall.Umask(privateUmask)
			if err := makePrivate(c.Data); err != nil {
				return fmt.Errorf("make data folder: %w", err)
			}
			return serve(cmd.Context(), s, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (required)")
	cmd.Flags().StringSliceVar(&run, "run", components, "parts to run here")
	cmd.Flags().StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func serve(ctx context.Context, s settings, out io.Writer) (err error) {
	a, err := openApp(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	defer outliveHangup(s.Logger)()
	fmt.Fprintf(out, "dagwright serves %s at %s\n", strings.Join(s.Components, ", "), a.url())
	return a.run(ctx)
}

// outliveHangup answers SIGHUP, which would end the program, with a line in the log. The
// function that it returns ends that.
func outliveHangup(logger *slog.Logger) (stop func()) {
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

// serveConfig is the configuration file. Secrets stand in files of their own,
// never in it.
type serveConfig struct {
	file string // its name

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
	Models struct {
		Registry  string `yaml:"registry"`
		Timezone  string `yaml:"timezone"`
		Templates string `yaml:"templates"`
		// RegistryUsername and RegistryPasswordFile read the registry.
		RegistryUsername     string `yaml:"registry_username"`
		RegistryPasswordFile string `yaml:"registry_password_file"`
		// WaitFor is "pipeline", "image" or "none"; WaitStages build the image.
		WaitFor    string   `yaml:"wait_for"`
		WaitStages []string `yaml:"wait_stages"`
	} `yaml:"models"`
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

// readServeConfig reads the file strictly: an unknown key, or a value that cannot work, is an error with its place.
func readServeConfig(file string) (serveConfig, error) {
	c := serveConfig{Listen: "127.0.0.1:8080", Environment: "DEV"}
	c.Scheduler.Executor, c.Scheduler.InfrastructureRetries = "process", 3
	if file == "" {
		return c, usageError{errors.New("--config is required; docs/configuration.md shows a file")}
	}
	text, err := os.Open(file)
	if err != nil {
		return c, usageError{fmt.Errorf("read configuration: %w", err)}
	}
	defer text.Close()
	f, err := parseConfig(file, text)
	if err != nil {
		return c, usageError{err}
	}
	f.decode(&c)
	c.file = file
	if len(f.faults) == 0 {
		c.check(f)
	}
	if err := f.err(); err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// check reports everything that is missing, and what does not go together.
func (c serveConfig) check(f *configFile) {
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
	c.checkDAGRepository(f)
	c.checkGitLab(f)
	if c.Data != "" {
		f.wantAll("logs", c.Logs.config(c.Data).Check())
	}
	c.Promotion.check(f, c.DAGRepository.Project)
	c.Kubernetes.check(f, c.Scheduler.Executor == "kubernetes")
}

func (c serveConfig) checkDAGRepository(f *configFile) {
	r, byRequest := c.DAGRepository, c.DAGRepository.Deliver == string(generator.DeliverMergeRequest)
	f.want(r.URL != "", "dag_repository.url", "want the URL or path of the DAG repository")
	f.want(r.Project != "", "dag_repository.project", "want its GitLab path, such as gbc/airflow-dev")
	f.want(r.Username == "" || r.PasswordFile != "", "dag_repository.username", "needs password_file beside it")
	f.want(!r.AutoMerge || byRequest, "dag_repository.auto_merge", "needs deliver: merge_request")
	f.want(!byRequest || c.GitLab.TokenFile != "", "dag_repository.deliver", "needs gitlab.token_file: merge requests are opened with its token")
}

func (c serveConfig) checkGitLab(f *configFile) {
	f.want(c.GitLab.URL != "", "gitlab.url", "want GitLab's address, such as https://gitlab.example.com")
	f.wantAll("gitlab", c.allowList().Check())
	f.want(len(c.Webhook.SecretFiles) > 0, "webhook.secret_files", "want at least one file with a secret")
	f.want(!c.Webhook.Previews || c.GitLab.TokenFile != "", "webhook.previews", "needs gitlab.token_file: notes are written with its token")
}

// webAddress reports whether a text is an http(s) address without a query.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.RawQuery == "" && u.User == nil
}

func loopbackAddress(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && auth.IsLoopbackName(host)
}

// settings reads the secret files and turns the configuration into what
// openApp wants.
func (c serveConfig) settings(run []string) (settings, error) {
	if err := c.checkTaken(); err != nil {
		return settings{}, usageError{fmt.Errorf("%s: %w", c.file, err)}
	}
	if c.Promotion.URL != "" && c.GitLab.TokenFile == "" { // what "dagwright promote --dry-run" can do without
		return settings{}, usageError{fmt.Errorf("%s: promotion: needs gitlab.token_file: a promotion is a merge request, opened with its token", c.file)}
	}
	s := settings{
		Listen: c.Listen, Probes: c.Probes, Environment: c.Environment, Production: c.Production, Components: run,
		Sibling:  ui.Sibling{Name: c.Sibling.Name, URL: c.Sibling.URL},
		Database: dag.NewSecret(c.Database), Auth: authSettings{authConfig: c.Auth, file: c.file}, TLS: c.TLS, Logs: c.Logs.config(c.Data), CloneDir: filepath.Join(c.Data, "clones"),
		DAGRepo:    gitrepo.Config{URL: c.DAGRepository.URL, Branch: c.DAGRepository.Branch, Username: c.DAGRepository.Username},
		DAGProject: c.DAGRepository.Project, GitLabURL: c.GitLab.URL,
		Instance: defaultInstance(), Templates: c.Models.Templates,
		Poll: c.Scheduler.Poll, MaxActiveTasks: c.Scheduler.MaxActiveTasks, MaxLost: c.Scheduler.InfrastructureRetries,
		Pods: c.Kubernetes.pods(),
	}
	if s.MaxLost == 0 {
		s.MaxLost = -1 // to the scheduler, 0 is the default
	}
	s.Instance.Registry = c.Models.Registry
	s.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	s.Audience, s.Previews, s.Reconcile = s.PublicURL, c.Webhook.Previews, c.GitLab.Reconcile
	s.Loaders = c.DAGRepository.Loader
	s.Deliver, s.AutoMerge = generator.Delivery(c.DAGRepository.Deliver), c.DAGRepository.AutoMerge
	if c.Models.WaitFor != "" {
		s.Instance.WaitFor = c.Models.WaitFor
	}
	if c.Models.WaitStages != nil {
		s.Instance.WaitStages = c.Models.WaitStages
	}
	if c.Models.Timezone != "" {
		s.Instance.Timezone = c.Models.Timezone
	}
	for _, component := range run {
		if !slices.Contains(components, component) {
			return s, usageError{fmt.Errorf("--run %q: want some of %s", component, strings.Join(components, ", "))}
		}
	}
	secrets := secretReader{}
	if c.DatabaseFile != "" {
		s.Database = secrets.read(c.DatabaseFile)
	}
	s.DAGPassword = secrets.read(c.DAGRepository.PasswordFile)
	s.Auth.clientSecret, s.Auth.key = secrets.read(c.Auth.OIDC.ClientSecretFile), secrets.read(c.Auth.KeyFile)
	for _, file := range c.Webhook.SecretFiles {
		s.Secrets = append(s.Secrets, secrets.read(file))
	}
	s.Promotion = c.Promotion.settings(&secrets)
	token := secrets.read(c.GitLab.TokenFile)
	s.Logs.Mask = secrets.masked(s.Database.Reveal(), c.Logs.MaskFiles)
	if secrets.err != nil {
		return s, usageError{secrets.err}
	}
	images, err := registry.New(registry.Config{
		Host: c.Models.Registry, Username: c.Models.RegistryUsername, PasswordFile: c.Models.RegistryPasswordFile,
	})
	if err != nil {
		return s, usageError{fmt.Errorf("models.registry: %w", err)}
	}
	s.Registry = images
	client, err := gitlab.Dial(gitlab.Config{BaseURL: c.GitLab.URL, Token: token.Reveal()})
	if err != nil {
		return s, fmt.Errorf("gitlab: %w", err)
	}
	s.Models, s.GitLab = client, client
	s.Takes = c.allowList().Has
	s.Projects = func(ctx context.Context) ([]generator.Project, error) { return c.projects(ctx, client) }
	s.Executor = c.Kubernetes.open
	if c.Scheduler.Executor == "process" {
		s.Workspaces = c.workspaces(token)
		s.Executor = func(logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error) {
			return openProcesses(c.Data, s.Workspaces, logs, logger)
		}
	}
	return s, nil
}

// workspaces are checkouts of the models' GitLab repositories for local
// processes.
func (c serveConfig) workspaces(token dag.Secret) *workspaces {
	clones := filepath.Join(c.Data, "clones", "models")
	return &workspaces{root: c.Data, clone: func(project, branch string) (gitrepo.Config, error) {
		for part := range strings.SplitSeq(project, "/") {
			if err := dag.CheckID(part); err != nil {
				return gitrepo.Config{}, fmt.Errorf("project %q: %w", project, err)
			}
		}
		if err := dag.CheckID(branch); err != nil {
			return gitrepo.Config{}, fmt.Errorf("branch %q: %w", branch, err)
		}
		return gitrepo.Config{
			URL: strings.TrimSuffix(c.GitLab.URL, "/") + "/" + project + ".git", Branch: branch,
			Dir:      filepath.Join(clones, filepath.FromSlash(project)+"."+branch+".git"),
			Username: "oauth2", Password: token.Reveal(),
		}, nil
	}}
}
