package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/importer"
	"dagwright/instance"
	"dagwright/scheduler"
	"dagwright/terminal"
	"dagwright/usage"
)

// importFlags are the flags of "dagwright import".
type importFlags struct {
	out, as, report, project, airflow string
	check                             bool
}

var (
	// errLeft says that an import has left something for a person to do.
	errLeft = errors.New("something is left to do")
	// errDiffer says that an Airflow builds something else than what is read.
	errDiffer = errors.New("reading and Airflow differ")
)

func newImportCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import PATH… --out DIR",
		Short: "Make specs, or a model file, from an Airflow's Python DAG files",
		Long: `Read Python DAG files and write for each a file of specs below --out, at the same
place as below PATH. A folder stands for every .py file in it. With --as model the files
are those of one model's repository, such as dag-batch.py and dag-retrain.py, and its
.dagwright.yml is written, with what the instance must offer for it.

The files are not run and nothing of them is imported: Python 3.9 or later, which must be
installed, reads their syntax, and what is constant in it is evaluated: texts, dates,
dictionaries, loops over lists, functions, and the modules beside the files. Every spec is
checked as "dagwright validate" does before it is written. A file of the same name that no
import wrote is not overwritten.

What cannot be carried over is printed with file, line and what to do, and so is what is
only known where Airflow runs (os.environ, Variable.get): CHANGE_ME stands for it. Exit
code 1 means that there is something to do. docs/from-airflow.md is the way from there to
running DAGs.

WITH --airflow THE FILES ARE RUN: by the Python that is named, which must have Airflow and
what the files import, with the rights of whoever starts this command and with that Airflow's
variables and connections. What Airflow builds is written, each loop and variable included, and
so are secrets that the files take from there: read the output before it is committed. Run no
file in this way that you would not put into that Airflow. With --check nothing is written:
each argument that reading the files gives otherwise than Airflow builds it is printed with
its line, and exit code 1 means that there is one.`,
		Example: `  dagwright import dags --out ../airflow-dev/dags --report import.md
  dagwright import dag-batch.py dag-retrain.py --out . --as model
  dagwright import dags --airflow /opt/airflow/bin/python --check`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.New(fmt.Errorf("name at least one file or folder: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().StringVar(&f.out, "out", "", "folder to write to; it is made if it is not there")
	cmd.Flags().StringVar(&f.as, "as", "spec", "spec or model: what to write")
	cmd.Flags().StringVar(&f.airflow, "airflow", "",
		"Python of an Airflow, which RUNS the files: what it builds is taken, and not what reading them gives")
	cmd.Flags().BoolVar(&f.check, "check", false,
		"with --airflow: write nothing, and print where reading the files differs from what Airflow builds")
	cmd.Flags().StringVar(&f.project, "project", os.Getenv("CI_PROJECT_PATH"),
		"with --as model: GitLab path of the model's project, for which the report proposes the secrets")
	cmd.Flags().StringVar(&f.report, "report", "", "also write what was done, and what is left, to this file, in Markdown")
	return cmd
}

func (f importFlags) run(cmd *cobra.Command, paths []string) error {
	switch {
	case f.check && f.airflow == "":
		return usage.New(errors.New("--check compares with an Airflow: name its Python with --airflow"))
	case f.out == "" && !f.check:
		return usage.New(errors.New("--out is required: the folder to write to"))
	}
	im := importer.Importer{
		Parser:     dag.Parser{CheckSchedule: scheduler.CheckSchedule},
		CheckTask:  instance.CheckTask(instance.AnyInstance()),
		CheckModel: checkImportedModel,
		Airflow:    f.airflow,
		Project:    f.project,
		Now:        time.Now(),
	}
	write := im.Specs
	switch f.as {
	case "spec":
	case "model":
		write = im.Model
	default:
		return usage.New(fmt.Errorf("--as %q: want spec or model", f.as))
	}
	if f.check {
		write = func(ctx context.Context, paths []string, _ string) (importer.Report, error) {
			return im.Check(ctx, paths)
		}
	}
	r, err := write(cmd.Context(), paths, f.out)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, importer.ErrPython) || errors.Is(err, importer.ErrAirflow) {
		return usage.New(err)
	}
	if err != nil {
		return err
	}
	if f.check {
		return f.differ(cmd.OutOrStdout(), r)
	}
	if f.report != "" {
		if err := os.WriteFile(f.report, []byte(r.Markdown()), 0o644); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	printImport(cmd.OutOrStdout(), r)
	if n := r.Left(); n > 0 {
		return fmt.Errorf("%w: %s", errLeft, counted(n, "line"))
	}
	return nil
}

// differ prints what a comparison has found.
func (f importFlags) differ(w io.Writer, r importer.Report) error {
	printLines(w, r)
	fmt.Fprintf(w, "%s read and loaded\n", counted(len(r.Files), "file"))
	if n := r.Left(); n > 0 {
		return fmt.Errorf("%w: %s", errDiffer, counted(n, "line"))
	}
	return nil
}

// printImport prints what was done.
func printImport(w io.Writer, r importer.Report) {
	for _, written := range r.Written {
		if len(written.DAGs) == 0 {
			fmt.Fprintln(w, terminal.OneLine(written.Path))
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", terminal.OneLine(written.Path), counted(len(written.DAGs), "DAG"))
	}
	printLines(w, r)
	if r.Configuration != "" {
		fmt.Fprintln(w, "the instance's configuration must have this, or offer the same under other names:")
		for line := range strings.Lines(r.Configuration) {
			fmt.Fprintf(w, "  %s\n", terminal.OneLine(strings.TrimSuffix(line, "\n")))
		}
	}
	fmt.Fprintf(w, "%s read, %s written\n", counted(len(r.Files), "file"), counted(r.DAGs(), "DAG"))
}

// checkImportedModel reads a model file as an instance would whose configuration has offers
// as its section models.
func checkImportedModel(file string, source, offers []byte) error {
	inst := instance.DefaultInstance()
	if err := yaml.Unmarshal(offers, &inst.Offers); err != nil {
		return fmt.Errorf("read what the model needs of the instance: %w", err)
	}
	_, err := generator.ParseModel(file, source, inst)
	return err
}

func printLines(w io.Writer, r importer.Report) {
	for _, l := range r.Lines {
		kind := "note: "
		if l.Left {
			kind = ""
		}
		fmt.Fprintf(w, "%s%s\n", kind, terminal.OneLine(l.String()))
	}
}
