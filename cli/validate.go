package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/instance"
	"dagwright/scheduler"
	"dagwright/usage"
)

// reports are the files that "dagwright validate" writes for GitLab.
type reports struct{ codeQuality, junit string }

func newValidateCommand() *cobra.Command {
	var config string
	var airflow bool
	var r reports
	cmd := &cobra.Command{
		Use:   "validate PATH…",
		Short: "Check DAG specs, as the scheduler would load them",
		Long: `Check DAG spec files. A folder stands for every .yaml and .yml file in it. Every
fault is printed as file:line:column; the exit code is 1 if there is any. This is
what the DAG repository's own pipeline runs.

A note tells what means nothing here and is left out. A warning tells
what the real Airflow with dag-factory would refuse, so that the repository would not
load there; with --airflow it is a fault.

The pods of tasks are checked against Kubernetes' Pod Security "restricted" or, with
--config, against the whole policy of an instance. Only the sections kubernetes and
variables of that file are used; no secret is read.

Templates may name variables of the instance (var.value, var.json). With --config those
that it does not have, or not for the DAG, are faults; without it a note tells each.`,
		Example: `  dagwright validate dags
  dagwright validate dags/gbc/risk/churn-model.yaml
  dagwright validate --code-quality gl-code-quality-report.json --junit junit.xml dags
  dagwright validate --config dagwright.yml dags
  dagwright validate --airflow dags`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.New(fmt.Errorf("name at least one file or folder: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			v := newValidator(cmd.OutOrStdout())
			v.airflow = airflow
			if config != "" {
				if err := v.configure(config); err != nil {
					return err
				}
			}
			return v.validate(args, r)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file of the instance whose policy applies")
	cmd.Flags().BoolVar(&airflow, "airflow", false, "take for a fault what the real Airflow would refuse")
	cmd.Flags().StringVar(&r.codeQuality, "code-quality", "", "write GitLab's code-quality report to this file")
	cmd.Flags().StringVar(&r.junit, "junit", "", "write a JUnit report to this file")
	return cmd
}

// validator checks files and remembers which file defines which DAG.
type validator struct {
	out     io.Writer
	parser  dag.Parser
	files   map[dag.ID]string
	checked []string
	// airflow says that what Airflow would refuse is a fault.
	airflow bool
	faults  []*dag.SpecError
	notes   []dag.SpecNote
	noted   map[dag.SpecNote]bool
}

// newValidator checks for an instance of which nothing is known.
func newValidator(out io.Writer) *validator {
	return &validator{out: out, files: map[dag.ID]string{}, noted: map[dag.SpecNote]bool{}, parser: dag.Parser{
		CheckSchedule: scheduler.CheckSchedule, CheckTask: instance.CheckTask(instance.AnyInstance()),
		NoteDAG: instance.NoteVariables(),
	}}
}

// configure checks for the instance of a configuration file.
func (v *validator) configure(file string) error {
	pods, err := instance.ReadPods(file)
	if err != nil {
		return err
	}
	v.parser.CheckTask, v.parser.NoteDAG = instance.CheckTask(pods), nil
	v.parser.CheckDAG, err = instance.ReadVariables(file)
	return err
}

// validate checks files and folders. The error says how many faults there are.
func (v *validator) validate(paths []string, r reports) error {
	for _, p := range paths {
		if err := v.walk(p); err != nil {
			return err
		}
	}
	if err := v.report(r); err != nil {
		return err
	}
	if len(v.faults) > 0 {
		return fmt.Errorf("%s in %s", counted(len(v.faults), "fault"), counted(len(v.checked), "file"))
	}
	said := ""
	if len(v.notes) > 0 {
		said = ", " + counted(len(v.notes), "note")
	}
	fmt.Fprintf(v.out, "%s with %s: no faults%s\n", counted(len(v.checked), "file"), counted(len(v.files), "DAG"), said)
	return nil
}

// report writes the reports that are asked for.
func (v *validator) report(r reports) error {
	if r.codeQuality != "" {
		if err := writeCodeQuality(r.codeQuality, v.faults, v.notes); err != nil {
			return err
		}
	}
	if r.junit != "" {
		return writeJUnit(r.junit, v.checked, v.faults)
	}
	return nil
}

func (v *validator) walk(root string) error {
	if _, err := os.Stat(root); err != nil {
		return usage.New(err)
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case path != root && strings.HasPrefix(name, "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		return v.checkNamed(root, path, entry)
	})
}

// checkNamed reports the faults of a file that its name says is a spec. A file that
// was named by itself is one.
func (v *validator) checkNamed(root, path string, entry fs.DirEntry) error {
	kind, reason := dag.KindOfFile(entry.Name())
	switch {
	case kind == dag.MisnamedFile:
		v.checked = append(v.checked, path)
		v.fault(&dag.SpecError{File: path, Reason: reason})
		return nil
	case path != root && kind != dag.SpecFile:
		return nil
	}
	return v.check(path, entry)
}

// check reports every fault of one file.
func (v *validator) check(path string, entry fs.DirEntry) error {
	v.checked = append(v.checked, path)
	if entry.Type()&fs.ModeSymlink != 0 {
		v.fault(&dag.SpecError{File: path, Reason: "is a symbolic link; a spec must be a plain file"})
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	reading, err := v.parser.Read(path, content, nearestDefaults(path)...)
	for _, n := range reading.Notes {
		v.note(n)
	}
	var many dag.SpecErrors
	switch {
	case errors.As(err, &many):
		for _, e := range many {
			v.fault(e)
		}
	case err != nil:
		v.fault(&dag.SpecError{File: path, Reason: err.Error()})
	}
	for _, d := range reading.DAGs {
		if other, ok := v.files[d.ID]; ok {
			v.fault(&dag.SpecError{File: path, Path: string(d.ID), Reason: "this DAG is defined in " + other + " already"})
			continue
		}
		v.files[d.ID] = path
	}
	return nil
}

// note prints a note. One of a file of defaults, which many files share, is printed once.
func (v *validator) note(n dag.SpecNote) {
	word := "note"
	if n.Kind == dag.NoteAirflow {
		word = "warning"
	}
	if v.noted[n] {
		return
	}
	v.noted[n] = true
	if n.Kind == dag.NoteAirflow && v.airflow {
		v.fault(&n.At)
		return
	}
	v.notes = append(v.notes, n)
	shown := n.At
	shown.Reason = word + ": " + n.At.Reason
	fmt.Fprintln(v.out, &shown)
}

func (v *validator) fault(e *dag.SpecError) {
	v.faults = append(v.faults, e)
	fmt.Fprintln(v.out, e)
}

// nearestDefaults reads the defaults files in a spec's folder and its parents,
// up to the working folder or the root of the path that was given.
func nearestDefaults(spec string) []dag.Defaults {
	var found []dag.Defaults
	for dir := filepath.Dir(spec); ; dir = filepath.Dir(dir) {
		for _, name := range dag.DefaultsNames() {
			file := filepath.Join(dir, name)
			if content, err := os.ReadFile(file); err == nil {
				found = append(found, dag.Defaults{File: file, Source: content})
				break
			}
		}
		if dir == "." || dir == filepath.Dir(dir) {
			return found
		}
	}
}
