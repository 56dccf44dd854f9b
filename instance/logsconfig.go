package instance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"dagwright/dag"
	"dagwright/tasklog"
)

// logsConfig is the section "logs" of the configuration file.
type logsConfig struct {
	Bucket string `yaml:"bucket"`
	// Retention is for all DAGs, DAGs for those whose id matches a pattern.
	Retention keepTime            `yaml:"retention"`
	DAGs      map[string]keepTime `yaml:"dags"`
	// MaskFiles are files, or folders of files, whose contents no log shows.
	MaskFiles []string `yaml:"mask_files"`
	// MaxBytesPerTry, MaxBytes and MinFree are tasklog.Config's.
	MaxBytesPerTry byteCount `yaml:"max_bytes_per_try"`
	MaxBytes       byteCount `yaml:"max_bytes"`
	MinFree        byteCount `yaml:"min_free"`
}

// config is the task logs' configuration below a data folder.
func (c logsConfig) config(data string) tasklog.Config {
	dags := make(map[string]time.Duration, len(c.DAGs))
	for pattern, keep := range c.DAGs {
		dags[pattern] = time.Duration(keep)
	}
	return tasklog.Config{
		Dir: filepath.Join(data, "logs"), Bucket: c.Bucket,
		Retention:      tasklog.Retention{Keep: time.Duration(c.Retention), DAGs: dags},
		MaxBytesPerTry: int64(c.MaxBytesPerTry), MaxBytes: int64(c.MaxBytes), MinFree: int64(c.MinFree),
	}
}

// byteCount is a number of bytes in a configuration file. It is 0 where the file
// says nothing, and -1 for the 0 that stands for no limit.
type byteCount int64

// UnmarshalYAML reads bytes as Kubernetes writes memory, such as 256Mi.
func (b *byteCount) UnmarshalYAML(node *yaml.Node) error {
	n, ok := parseBytes(node.Value)
	if !ok {
		return fmt.Errorf("line %d: %.40q is not a number of bytes", node.Line, node.Value)
	}
	if *b = byteCount(n); n == 0 {
		*b = -1
	}
	return nil
}

// parseBytes reads a whole number of bytes, 0 or more.
func parseBytes(text string) (n int64, ok bool) {
	q, err := resource.ParseQuantity(text)
	n, whole := q.AsInt64()
	return n, err == nil && whole && n >= 0
}

// keepTime is a time for which something is kept, in a configuration file.
type keepTime time.Duration

// UnmarshalYAML reads days, such as 30d, or what time.ParseDuration reads.
func (k *keepTime) UnmarshalYAML(node *yaml.Node) error {
	d, err := parseDays(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a time to keep logs", node.Line, node.Value)
	}
	*k = keepTime(d)
	return nil
}

// parseDays reads a whole number of days, or a duration as Go writes it. A day
// has 24 hours.
func parseDays(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	number, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(number, 10, 32)
	if err != nil || days > uint64(math.MaxInt64/day) {
		return 0, errors.New("no number of days")
	}
	return time.Duration(days) * day, nil
}

// openLogs opens the task logs. Only the scheduler writes them; other
// processes of the instance show what is in the bucket.
func (a *Instance) openLogs() (*tasklog.Dir, error) {
	c := a.Logs
	c.Logger, c.ReadOnly = a.Logger, !a.runs("scheduler")
	c.Wrap = a.Metrics.Outgoing("object_storage")
	c.Active = func(ctx context.Context) ([]dag.AttemptKey, error) {
		tasks, err := a.store.ActiveAttempts(ctx)
		keys := make([]dag.AttemptKey, len(tasks))
		for i, t := range tasks {
			keys[i] = t.Key()
		}
		return keys, err
	}
	return tasklog.Open(c)
}
