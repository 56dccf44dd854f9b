package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/gitrepo"
	"dagwright/instance"
	"dagwright/terminal"
	"dagwright/usage"
)

// generateFlags are the flags of "dagwright generate".
type generateFlags struct {
	project, branch, commit, kind string
	templates, registry, out      string
	config                        string
	rendering                     instance.Rendering // of the configuration or, without one, the defaults
	projectID                     int64
	check, force                  bool
	server, push, report          string
}

func newGenerateCommand() *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Render the DAG spec of a model's checkout",
		Long: `Render the DAG spec that a push of this checkout would become, and print it. It is
a pure function of the commit, the model's .dagwright.yml and the template.

In a GitLab CI job the project, branch and commit come from CI_PROJECT_PATH,
CI_PROJECT_ID, CI_COMMIT_BRANCH and CI_COMMIT_SHA; elsewhere from flags and git.

With --server a running dagwright renders the commit and delivers it to the DAG
repository; the job proves its identity with its ID token, in ` + idTokenVariable + `. With
--push this command does both itself, with a token that may write to the DAG
repository, in ` + pushTokenVariable + `. Both print what changes, the graph and the next
runs. Exit code 1 means that the DAG was rejected or not delivered.

With --config an instance's configuration says what models are rendered with: its
profiles, volumes and defaults, its variables, its policy for pods, its registry, templates
and branches. Only the sections models, variables and kubernetes of the file are read, and
what variables.files names where it is there. Without it none of these is known: a profile or volume is then refused, and where branches have other names than main
and retrain, --kind says which DAG a branch becomes.

A spec names the commit that it is of. --push therefore refuses a model file, or a
Markdown file that it names, that is not as in that commit, and templates that are not
committed; else that is a warning.`,
		Example: `  dagwright generate --project gbc/risk/churn-model
  dagwright generate --project gbc/risk/churn-model --branch retrain --out ../airflow-dev
  dagwright generate --check --project gbc/risk/churn-model --config dagwright.yml
  dagwright generate --server https://dagwright.example.com --report dagwright.md
  dagwright generate --push https://gitlab.example.com/gbc/airflow-dev.git`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage.New(fmt.Errorf("want one folder at most: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return generate(cmd.Context(), dir, &f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.project, "project", os.Getenv("CI_PROJECT_PATH"), "GitLab path of the model's project")
	cmd.Flags().Int64Var(&f.projectID, "project-id", envInt("CI_PROJECT_ID"), "GitLab id of the model's project")
	cmd.Flags().StringVar(&f.branch, "branch", os.Getenv("CI_COMMIT_BRANCH"), "branch (default: the one checked out)")
	cmd.Flags().StringVar(&f.commit, "commit", os.Getenv("CI_COMMIT_SHA"), "commit (default: the one checked out)")
	cmd.Flags().StringVar(&f.kind, "kind", "",
		"scoring or retrain (default: retrain on a branch of that name, else scoring)")
	cmd.Flags().StringVar(&f.config, "config", "", "configuration file of the instance that is to render the model")
	cmd.Flags().StringVar(&f.templates, "templates", "",
		"folder of templates that replace the built-in ones (default: that of --config)")
	cmd.Flags().StringVar(&f.registry, "registry", "",
		"image registry (default: that of --config, else "+generator.DefaultInstance().Registry+")")
	cmd.Flags().StringVar(&f.out, "out", "",
		"write the spec below this folder, the DAG repository, instead of printing it")
	cmd.Flags().StringVar(&f.server, "server", "", "URL of the dagwright that is to render and deliver this commit")
	cmd.Flags().StringVar(&f.push, "push", "", "URL of the DAG repository to push the rendered spec to")
	cmd.Flags().BoolVar(&f.force, "force", false,
		"with --push: overwrite a spec that was edited by hand in the DAG repository")
	cmd.Flags().StringVar(&f.report, "report", "",
		"with --server or --push: also write what changes to this file, in Markdown")
	cmd.Flags().BoolVar(&f.check, "check", false, "only print faults")
	return cmd
}

func envInt(name string) int64 {
	n, _ := strconv.ParseInt(os.Getenv(name), 10, 64) // not set: 0, as without the flag
	return n
}

func generate(ctx context.Context, dir string, f *generateFlags, out, notes io.Writer) error {
	if f.server != "" && f.push != "" {
		return usage.New(errors.New("want one of --server and --push, not both"))
	}
	if f.server != "" {
		return f.askServer(ctx, out)
	}
	if err := f.configure(); err != nil { //nolint:contextcheck // a check of an offer has bounds of its own
		return err
	}
	request, err := f.request(ctx, dir)
	if err != nil {
		return err
	}
	f.warnOfBranch(request, notes)
	entries, err := f.parse(dir)
	if err != nil {
		return err
	}
	if err := f.checkCommitted(dir, request.Commit, docsOf(entries), notes); err != nil {
		return err
	}
	all, err := f.render(dir, request, entries) //nolint:contextcheck // a check of a spec has bounds of its own
	if err != nil {
		return err
	}
	for _, rendered := range all {
		if note := generator.ScheduleNote(rendered, time.Now()); note != "" {
			fmt.Fprintf(notes, "warning: %s\n", note)
		}
	}
	if f.push != "" {
		return f.pushRendered(ctx, request, all, out)
	}
	for _, rendered := range all {
		switch {
		case f.check:
		case f.out != "":
			err = writeSpec(f.out, rendered, out)
		default:
			_, err = out.Write(rendered.Content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// configure reads what models are rendered with.
func (f *generateFlags) configure() error {
	f.rendering = instance.Rendering{Instance: instance.DefaultInstance(), Branches: dag.DefaultBranches()}
	f.rendering.Instance.Offers.Unknown = true
	if f.config != "" {
		var err error
		if f.rendering, err = instance.ReadRendering(f.config); err != nil {
			return err
		}
	}
	if f.registry != "" {
		f.rendering.Instance.Registry = f.registry
	}
	if f.templates == "" {
		f.templates = f.rendering.Templates
	}
	return nil
}

// warnOfBranch says as what a branch is rendered that becomes no DAG of the instance.
func (f *generateFlags) warnOfBranch(r generator.Request, notes io.Writer) {
	if names := f.rendering.Branches; f.kind == "" && !names.Has(r.Branch) {
		fmt.Fprintf(notes, "warning: branch %q is neither %s: it is rendered as %s; --kind says as what else\n",
			terminal.OneLine(r.Branch), strings.Join(names.Names(), " nor "), r.Kind)
	}
}

// parse reads the model file of the checkout.
func (f *generateFlags) parse(dir string) ([]generator.Entry, error) {
	file := filepath.Join(dir, generator.ModelFile)
	source, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read model file: %w", err)
	}
	if err != nil {
		if err := checkRoot(dir); err != nil {
			return nil, err
		}
	}
	model, err := generator.ParseModel(file, source, f.rendering.Instance)
	if err != nil {
		return nil, err
	}
	err = generator.CheckFolders(file, model, func(e generator.Entry) (bool, error) {
		info, err := os.Lstat(filepath.Join(dir, e.Path))
		return err == nil && info.IsDir(), nil
	})
	if err != nil {
		return nil, err
	}
	return model.Split(), nil
}

// docsOf are the Markdown files that models name.
func docsOf(entries []generator.Entry) []string {
	var files []string
	for _, e := range entries {
		for _, file := range []string{e.Model.Docs, e.Model.Scoring.Docs, e.Model.Retrain.Docs} {
			if file != "" && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// render renders every model of the checkout.
func (f *generateFlags) render(dir string, r generator.Request, entries []generator.Entry) ([]generator.Rendered, error) {
	set, err := instance.LoadTemplates(f.templates)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, usage.New(err)
	}
	defer root.Close()
	var all []generator.Rendered
	for _, entry := range entries {
		request := entry.Request(r)
		request.Docs, err = entry.Model.ReadDocs(r.Kind, func(file string) ([]byte, error) { return readDocs(root, file) })
		if err != nil {
			return nil, err
		}
		rendered, err := generator.Render(request, entry.Model, set, f.rendering.Instance)
		if err != nil {
			return nil, err
		}
		all = append(all, rendered)
	}
	return all, nil
}

// readDocs reads a file of a checkout as a push would: a link is not followed.
func readDocs(root *os.Root, file string) ([]byte, error) {
	info, err := root.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", file, dag.ErrNotFound)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file: %w", file, dag.ErrInvalid)
	}
	return root.ReadFile(file)
}

// checkRoot refuses a checkout whose model file is nearly named as one.
func checkRoot(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return usage.New(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return generator.CheckRootNames(names)
}

// request completes the flags from the checkout.
func (f *generateFlags) request(ctx context.Context, dir string) (generator.Request, error) {
	if f.project == "" {
		return generator.Request{}, usage.New(
			errors.New("--project is required outside a GitLab CI job: the project's GitLab path, such as gbc/risk/churn-model"))
	}
	if err := fillFromGit(ctx, dir, &f.branch, "branch", "rev-parse", "--abbrev-ref", "HEAD"); err != nil {
		return generator.Request{}, err
	}
	if err := fillFromGit(ctx, dir, &f.commit, "commit", "rev-parse", "HEAD"); err != nil {
		return generator.Request{}, err
	}
	kind := generator.Kind(f.kind)
	switch kind {
	case generator.Scoring, generator.Retrain:
	case "":
		kind = generator.Scoring
		if f.branch == f.rendering.Branches.Retrain {
			kind = generator.Retrain
		}
	default:
		return generator.Request{}, usage.New(fmt.Errorf("--kind %q: want scoring or retrain", f.kind))
	}
	return generator.Request{Project: f.project, ProjectID: f.projectID, Branch: f.branch, Commit: f.commit,
		Kind: kind}, nil
}

func fillFromGit(ctx context.Context, dir string, value *string, flag string, args ...string) error {
	if *value != "" {
		return nil
	}
	found, err := gitrepo.Git(ctx, dir, args...)
	if err != nil {
		return usage.New(fmt.Errorf("--%s is not given, and %s is not a git checkout with a commit: %w", flag, dir, err))
	}
	*value = found
	return nil
}

func writeSpec(root string, r generator.Rendered, out io.Writer) error {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return usage.New(fmt.Errorf("--out: %w", err))
	}
	defer dir.Close()
	if err := dir.MkdirAll(filepath.Dir(r.Path), 0o755); err != nil {
		return fmt.Errorf("write spec: %w", err)
	}
	if err := dir.WriteFile(r.Path, r.Content, 0o644); err != nil {
		return fmt.Errorf("write spec: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s: DAG %s\n", filepath.Join(root, r.Path), r.DAG)
	return err
}
