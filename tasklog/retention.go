package tasklog

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
)

// minKeep is the shortest retention: less is a slip of the pen.
const minKeep = time.Hour

// Retention is how long logs are kept after they were sealed. The runs
// themselves stay in the database.
type Retention struct {
	// Keep is for every DAG that DAGs does not name; 0 is for ever.
	Keep time.Duration
	// DAGs is for the DAGs whose id matches a pattern of path.Match, such as
	// "churn-*"; 0 is for ever. Of several patterns the longest counts, and of
	// equally long ones the first in the order of the alphabet.
	DAGs map[string]time.Duration
}

func (r Retention) check() (faults dag.SpecErrors) {
	check := func(key string, keep time.Duration) {
		if keep < 0 || keep > 0 && keep < minKeep {
			faults = append(faults,
				&dag.SpecError{Path: key, Reason: fmt.Sprintf("%v is too short; want at least %v, or 0 for ever", keep, minKeep)})
		}
	}
	check("retention", r.Keep)
	for _, pattern := range slices.Sorted(maps.Keys(r.DAGs)) {
		key := "dags." + pattern
		check(key, r.DAGs[pattern])
		if _, err := path.Match(pattern, ""); err != nil {
			faults = append(faults, &dag.SpecError{Path: key, Reason: "no pattern of DAG ids; want a name, or one with * and ?"})
		}
	}
	return faults
}

// some says whether any log is ever removed.
func (r Retention) some() bool {
	return r.Keep > 0 || slices.Max(append(slices.Collect(maps.Values(r.DAGs)), 0)) > 0
}

// For is how long logs of a DAG are kept; 0 is for ever.
func (r Retention) For(id dag.ID) time.Duration {
	var matching []string
	for pattern := range r.DAGs {
		if ok, err := path.Match(pattern, string(id)); ok && err == nil {
			matching = append(matching, pattern)
		}
	}
	if len(matching) == 0 {
		return r.Keep
	}
	return r.DAGs[slices.MinFunc(matching, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})]
}

// longest is the longest of all periods; 0 is for ever.
func (r Retention) longest() time.Duration {
	longest := r.Keep
	for _, keep := range r.DAGs {
		if keep == 0 || longest == 0 {
			return 0
		}
		longest = max(longest, keep)
	}
	return longest
}

// forName is For of the DAG to which a log belongs. An id so long that the name
// does not hold all of it is kept for the longest of all periods.
func (r Retention) forName(name string) time.Duration {
	folder, _, _ := strings.Cut(name, "/")
	id, ok := strings.CutPrefix(folder, "dag_id=")
	if !ok || len(folder) == maxComponent {
		return r.longest()
	}
	return r.For(dag.ID(id))
}

// Expired says whether a log of an attempt that ended then is gone because of
// its retention, and how long such logs are kept.
func (d *Dir) Expired(id dag.ID, ended time.Time) (keep time.Duration, expired bool) {
	keep = d.config.Retention.For(id)
	return keep, keep > 0 && !ended.IsZero() && d.config.Now().Sub(ended) > keep
}

// KeepWords writes a period of Retention for people: "30 days", "36 hours".
func KeepWords(keep time.Duration) string {
	n, unit := keep/(24*time.Hour), "day"
	if keep%(24*time.Hour) != 0 {
		n, unit = keep/time.Hour, "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// expiredName says whether a log that was sealed then is to go.
func (d *Dir) expiredName(name string, sealed time.Time) bool {
	keep := d.config.Retention.forName(name)
	return keep > 0 && d.config.Now().Sub(sealed) > keep
}
