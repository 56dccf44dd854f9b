package tasklog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"dagwright/dag"
)

const (
	// maxID is the longest id in bytes, as in a spec.
	maxID = 250
	// maxPlace is that of a DAG's place, which may have the number of an owner.
	maxPlace = maxID + 20
	// maxComponent is the longest file name that Linux file systems take.
	maxComponent = 255
)

// logName is the path of an attempt's log below the folder, with slashes.
func logName(key dag.AttemptKey) (string, error) {
	run, err := runDir(key.Place(), key.Run)
	if err != nil {
		return "", err
	}
	task, err := component("task_id=", string(key.Task), maxID)
	if err != nil {
		return "", err
	}
	if key.Try < 0 {
		return "", fmt.Errorf("task log: try %d: %w", key.Try, dag.ErrInvalid)
	}
	return path.Join(run, task, "attempt="+strconv.Itoa(key.Try)+".log"), nil
}

// runDir is the folder of a run's logs; id is the run's place ([dag.Run.Place]).
func runDir(id dag.ID, run dag.RunID) (string, error) {
	if n := len(id.Taken()); n > maxID {
		return "", fmt.Errorf("task log: dag_id of %d bytes, more than %d: %w", n, maxID, dag.ErrInvalid)
	}
	d, err := component("dag_id=", string(id), maxPlace)
	if err != nil {
		return "", err
	}
	r, err := component("run_id=", string(run), maxID)
	if err != nil {
		return "", err
	}
	return path.Join(d, r), nil
}

// component turns an id into one file name. A name that would be too long is
// cut and ends in a hash of the id; such names, and no others, have the full
// length, so no two ids share one.
func component(prefix, id string, most int) (string, error) {
	if err := checkID(id, most); err != nil {
		return "", fmt.Errorf("task log: %s: %w", strings.TrimSuffix(prefix, "="), err)
	}
	name := prefix + id
	if len(name) < maxComponent {
		return name, nil
	}
	sum := sha256.Sum256([]byte(id))
	suffix := "~" + hex.EncodeToString(sum[:16])
	return name[:maxComponent-len(suffix)] + suffix, nil
}

// checkID refuses what would not be one file name. Dots are harmless: an id
// always stands behind its prefix.
func checkID(id string, most int) error {
	switch {
	case id == "":
		return fmt.Errorf("empty id: %w", dag.ErrInvalid)
	case len(id) > most:
		return fmt.Errorf("id of %d bytes, more than %d: %w", len(id), most, dag.ErrInvalid)
	case !utf8.ValidString(id):
		return fmt.Errorf("id is not UTF-8: %w", dag.ErrInvalid)
	case strings.Contains(id, "/"), strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("id holds \"/\" or a control character: %w", dag.ErrInvalid)
	}
	return nil
}
