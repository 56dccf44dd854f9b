package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dagwright/dag"
	"dagwright/macro"
	"dagwright/podspec"
)

// variableSet has the variables of an instance, and says who may read which. Files are read
// again when they have changed. It is safe for concurrent use; nil has no variables.
type variableSet struct {
	config variablesConfig
	// elsewhere says that files cannot be read here, so that names in them are not known.
	elsewhere bool
	logger    *slog.Logger

	mu      sync.Mutex
	values  map[string]string
	version string
	state   []fileState
	checked time.Time
}

// variablesAge is for how long a change of the files may go unnoticed.
const variablesAge = 5 * time.Second

// openVariables reads the variables of a configuration. The error names the file.
func openVariables(c variablesConfig) (*variableSet, error) {
	if c.empty() {
		return nil, nil //nolint:nilnil // nil has no variables
	}
	s := &variableSet{config: c, state: statesOf(c.Files), checked: time.Now()}
	values, err := c.read()
	if err != nil {
		return nil, err
	}
	s.set(values)
	return s, nil
}

// knownVariables are those of a configuration that is read on another machine: files that
// cannot be read here may have any name.
func knownVariables(c variablesConfig) *variableSet {
	s := &variableSet{config: c, elsewhere: len(c.Files) > 0, checked: time.Now()}
	if values, err := c.read(); err == nil {
		s.elsewhere = false
		s.set(values)
		return s
	}
	c.Files = nil
	values, _ := c.read() // what is wrong with the values themselves was found when the file was read
	s.config.Files = nil
	s.set(values)
	return s
}

func (s *variableSet) set(values map[string]string) {
	s.values = values
	text, _ := json.Marshal([]any{slices.Sorted(maps.Keys(values)), s.config.Projects, s.config.DAGs}) // always marshal
	sum := sha256.Sum256(text)
	s.version = ",variables:" + hex.EncodeToString(sum[:6])
}

// current are the variables as the files have them; those before while a file is broken.
func (s *variableSet) current() (values map[string]string, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.config.Files) == 0 || time.Since(s.checked) < variablesAge {
		return s.values, s.version
	}
	s.checked = time.Now()
	state := statesOf(s.config.Files)
	if slices.Equal(state, s.state) {
		return s.values, s.version
	}
	s.state = state
	values, err := s.config.read()
	switch {
	case err == nil:
		s.set(values)
		s.log("variables were read again", nil)
	default:
		s.log("variables are broken; the ones before stay in force", err)
	}
	return s.values, s.version
}

func (s *variableSet) log(text string, err error) {
	switch {
	case s.logger == nil:
	case err == nil:
		s.logger.Info(text)
	default:
		s.logger.Error(text, "err", err)
	}
}

// Version changes whenever check may decide otherwise; it is empty when there are no
// variables.
func (s *variableSet) Version() string {
	if s == nil {
		return ""
	}
	_, version := s.current()
	return version
}

// Variable is macro.Variables: the text of a variable that a DAG may read.
func (s *variableSet) Variable(d *dag.DAG, name string) (string, error) {
	if s == nil {
		return "", macro.NoVariable(fmt.Sprintf("variable %.80q does not exist: this instance has none (variables)", name))
	}
	values, _ := s.current()
	value, there := values[name]
	allowed := s.config.allowed(d)
	switch may := podspec.Allows(allowed, name); {
	case there && may:
		return value, nil
	case may && s.elsewhere:
		return "", nil
	case there:
		return "", errors.New(refusedVariable(d, name, allowed))
	case !may && s.elsewhere:
		return "", macro.NoVariable(refusedVariable(d, name, allowed))
	}
	return "", macro.NoVariable(fmt.Sprintf("variable %.80q does not exist: variables.values and variables.files have "+
		"none of that name", name))
}

// refusedVariable says whose list a variable is not on.
func refusedVariable(d *dag.DAG, name string, allowed []string) string {
	list := strings.Join(allowed, ", ")
	switch project := d.Source.Project; {
	case project != "" && list != "":
		return fmt.Sprintf("variable %.80q is not for DAGs of %s (variables.projects); they may read %s", name, project, list)
	case project != "":
		return fmt.Sprintf("variable %.80q is not for DAGs of %s (variables.projects); this instance lists none for them",
			name, project)
	case list != "":
		return fmt.Sprintf("variable %.80q is not for the DAG %s, which has no project (variables.dags); it may read %s",
			name, d.ID, list)
	}
	return fmt.Sprintf("variable %.80q is not for the DAG %s, which has no project (variables.dags); this instance lists "+
		"none for it", name, d.ID)
}

// checker says which variables that a DAG's templates name it may not read, or that are not
// there.
func (s *variableSet) checker() func(*dag.DAG) error {
	templates := macro.New()
	return func(d *dag.DAG) error { return templates.CheckVariables(d, s.Variable) }
}

// NoteVariables says which variables a DAG's templates want of an instance.
func NoteVariables() func(*dag.DAG) dag.SpecErrors {
	templates := macro.New()
	return func(d *dag.DAG) (notes dag.SpecErrors) {
		for i := range d.Tasks {
			for _, use := range templates.VariablesOf(d.Tasks[i]) {
				if use.Optional {
					continue
				}
				notes = append(notes, &dag.SpecError{Path: fmt.Sprintf("tasks[%d].%s", i, use.Field),
					Reason: fmt.Sprintf("the instance must have the variable %.80q, and give it to this DAG (variables)", use.Name)})
			}
		}
		return notes
	}
}
