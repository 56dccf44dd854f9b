package dag

import (
	"fmt"
	"regexp"
	"strings"
)

// maxID is Airflow's limit for ids (ID_LEN).
const maxID = 250

var (
	idPattern    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	runIDPattern = regexp.MustCompile(`^[A-Za-z0-9_.~:+-]+$`)
)

// CheckID checks the id of a DAG or task: 1 to 250 letters, digits, dots,
// dashes and underscores, and neither "." nor "..". The error is ErrInvalid.
func CheckID(s string) error {
	if s == "." || s == ".." {
		return fmt.Errorf("id %q is a name of a folder: %w", s, ErrInvalid)
	}
	return checkName("id", s, idPattern, "letters, digits, '.', '-' and '_'")
}

// CheckRunID checks a run id by Airflow's pattern (allowed_run_id_pattern). It must
// also not be "~", which means every run in the API's paths, nor "." or "..", which
// clients take out of a path, nor begin with "-", which commands take for a flag. The
// error is ErrInvalid.
func CheckRunID(s string) error {
	if strings.HasPrefix(s, "-") {
		return fmt.Errorf("run id %s begins with -, which commands take for a flag; choose another: %w", clip(s), ErrInvalid)
	}
	if s == "~" || s == "." || s == ".." {
		return fmt.Errorf("run id %q has a meaning of its own in paths; choose another: %w", s, ErrInvalid)
	}
	return checkName("run id", s, runIDPattern, "letters, digits and _ . ~ : + -")
}

func checkName(what, s string, pattern *regexp.Regexp, allowed string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty; want 1 to %d of %s: %w", what, maxID, allowed, ErrInvalid)
	case len(s) > maxID:
		return fmt.Errorf("%s %s has %d characters; want %d at most: %w", what, clip(s), len(s), maxID, ErrInvalid)
	case !pattern.MatchString(s):
		return fmt.Errorf("%s %s has a character that is not allowed; want %s: %w", what, clip(s), allowed, ErrInvalid)
	}
	return nil
}

// clip quotes text from outside for a message, cut to 80 characters.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return fmt.Sprintf("%q", s)
}
