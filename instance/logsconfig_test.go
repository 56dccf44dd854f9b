package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/tasklog"
)

// serveFile is a configuration file that lacks nothing.
const serveFile = `
auth: none
database: sqlite:x.db
data: /data
dag_repository: {url: https://gitlab.example.com/gbc/airflow-dev.git, project: gbc/airflow-dev}
gitlab: {url: https://gitlab.example.com, groups: [gbc]}
webhook: {secret_files: [secret]}
models: {registry: registry.example.com}
`

func readLogsConfig(t *testing.T, logs string) (tasklog.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dagwright.yml")
	if err := os.WriteFile(file, []byte(serveFile+logs), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(file)
	return c.Logs.config(c.Data), err
}

func TestLogsConfig(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		logs string
		want tasklog.Config
	}{
		"none": {"", tasklog.Config{}},
		"all": {
			`logs: {bucket: "s3://logs/dev?region=eu-central-1", retention: 30d, dags: {"churn-*": 90d, "audit-*": 0, b: 36h}}`,
			tasklog.Config{Bucket: "s3://logs/dev?region=eu-central-1", Retention: tasklog.Retention{
				Keep: 30 * day, DAGs: map[string]time.Duration{"churn-*": 90 * day, "audit-*": 0, "b": 36 * time.Hour},
			}},
		},
		"limits": {
			`logs: {max_bytes_per_try: 64Mi, max_bytes: 0, min_free: 1000}`,
			tasklog.Config{MaxBytesPerTry: 64 << 20, MaxBytes: -1, MinFree: 1000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readLogsConfig(t, test.logs)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Dir = "/data/logs"
			if test.want.Retention.DAGs == nil {
				test.want.Retention.DAGs = map[string]time.Duration{}
			}
			if diff := cmp.Diff(test.want.Retention, got.Retention); diff != "" || got.Bucket != test.want.Bucket ||
				got.Dir != test.want.Dir {
				t.Errorf("bucket %q, folder %q, retention (-want +got):\n%s", got.Bucket, got.Dir, diff)
			}
		})
	}
}

func TestLogsConfigFaults(t *testing.T) {
	t.Parallel()
	for logs, want := range map[string]string{
		"logs: {retention: 30}":           `:9:19: logs.retention: is "30"; want a time to keep logs, such as 30d or 720h, or 0 for ever`,
		"logs: {retention: -1d}":          `logs.retention: is "-1d"`,
		"logs: {retention: 999999999d}":   `logs.retention: is "999999999d"`,
		"logs: {retention: [1d]}":         "logs.retention: is a list",
		"logs: {dags: {a: x}}":            `logs.dags.a: is "x"`,
		"logs: {retention: 5m}":           "logs.retention: 5m0s is too short; want at least 1h0m0s",
		`logs: {dags: {"[a": 1d}}`:        `logs.dags.[a: no pattern`,
		"logs: {bucket: gs://x}":          `logs.bucket: bucket URL begins with "gs:"; want s3://bucket/prefix`,
		"logs: {bucket: s3://k:geheim@x}": "logs.bucket: bucket URL holds credentials",
		"logs: {keep: 30d}":               `unknown key "keep"`,
		"logs: {max_bytes: 1 GB}":         `:9:19: logs.max_bytes: is "1 GB"; want a number of bytes such as 256Mi or 10Gi, or 0 for no limit`,
		"logs: {min_free: -1}":            `logs.min_free: is "-1"`,
		"logs: {max_bytes_per_try: 1.5}":  `logs.max_bytes_per_try: is "1.5"`,
		"logs: {max_bytes_per_try: [1]}":  "logs.max_bytes_per_try: is a list",
	} {
		_, err := readLogsConfig(t, logs)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v; want %q", logs, err, want)
		}
	}
}

// TestParseDays reads both ways to write a time.
func TestParseDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"0": 0, "0d": 0, "1d": 24 * time.Hour,
		"36500d": 36500 * 24 * time.Hour, "90m": 90 * time.Minute} {
		if got, err := parseDays(text); got != want || err != nil {
			t.Errorf("parseDays(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "1d2h", "1 d", "１d", "106752d"} {
		if got, err := parseDays(text); err == nil {
			t.Errorf("parseDays(%q) = %v", text, got)
		}
	}
}
