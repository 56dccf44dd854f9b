package instance

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"time"

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
)

// Settings say what an instance is made of. Config.Settings reads them from a
// configuration file, and tests write them down. Zero values are the defaults of the
// packages that they are for.
type Settings struct {
	// Components says which of webhook, generator, scheduler and ui run here.
	Components []string
	Logger     *slog.Logger
	Database   dag.Secret     // DSN, which may have a password in it
	Logs       tasklog.Config // Dir, Bucket, Retention
	Auth       authSettings   // asks nobody when it names no provider

	Pages      PageSettings
	GitLab     GitLabSettings
	DAGs       RepositorySettings
	Models     ModelSettings
	Scheduling SchedulingSettings
	Promotion  promotionSettings
	// Variables are those that templates may read; nil without any.
	Variables *variableSet

	// Metrics count what the instance does; Open makes them when nil.
	Metrics *metrics.Metrics

	// Pods is what the instance adds to the pods of its tasks and allows them,
	// whatever runs them.
	Pods podspec.Config
}

// PageSettings say where pages, API and hooks answer, and what every page shows.
type PageSettings struct {
	Listen string
	// Listener is where they answer, instead of a new one at Listen; may be nil.
	Listener net.Listener
	// Probes is the address of the probes alone; none when empty.
	Probes      string
	PublicURL   string    // where people reach the pages; may be empty
	TLS         tlsConfig // without files the pages speak http
	Environment string    // DEV, PROD: shown on every page
	Production  bool      // gives the environment the colour that warns
	Sibling     ui.Sibling
}

// GitLabSettings say which GitLab reports pushes, and how it is asked.
type GitLabSettings struct {
	URL         string         // for links; may be empty
	Client      *gitlab.Client // nil where there is none
	HasToken    bool           // the client has a token, whose end is asked for
	HookSecrets []dag.Secret
	Audience    string // of CI jobs' ID tokens; without one they are not answered
	Previews    bool   // on merge requests of models
	// Takes says which projects' models are taken; nil takes every project's.
	Takes func(project string) bool
}

// RepositorySettings say where the DAG repository is, and how changes get there.
type RepositorySettings struct {
	Repo      gitrepo.Config // URL, Branch, Username
	Password  dag.Secret
	Project   string // its GitLab path
	CloneDir  string // holds the clones of it
	Deliver   generator.Delivery
	AutoMerge bool
	Loaders   bool // for Airflow, beside each spec
}

// ModelSettings say how models become DAGs.
type ModelSettings struct {
	Files     generator.Models
	Projects  func(context.Context) ([]generator.Project, error)
	Branches  dag.Branches // which become DAGs; the default for what is empty
	Defaults  generator.Instance
	Templates string // folder; empty for the embedded ones
	Reconcile time.Duration
	Registry  *registry.Client // nil where images are not asked for
}

// SchedulingSettings say what runs attempts, and how many.
type SchedulingSettings struct {
	// Executor opens what runs the attempts of the database with that identity.
	Executor func(database string, logs *tasklog.Dir, logger *slog.Logger) (executor.Executor, error)
	// Workspaces are the working folders of local processes; nil without those.
	Workspaces     *checkout.Workspaces
	Poll           time.Duration
	MaxActiveTasks int
	MaxLost        int // see scheduler.Config
}

// Components are the parts that "serve --run" can name.
var Components = []string{"webhook", "generator", "scheduler", "ui"}

func (s Settings) runs(component string) bool { return slices.Contains(s.Components, component) }
