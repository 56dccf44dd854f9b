package metrics

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Figures are what is so at a scrape. Times are ages unless they say otherwise; negative
// numbers stand for what is not known or does not apply, and are not shown.
type Figures struct {
	// DatabaseUp says that the database answered. Without it the figures of the database
	// below are not known.
	DatabaseUp bool
	Runs       map[string]int // by state: queued, running
	Tasks      map[string]int // by state: queued, running
	DAGs       map[string]int // by state: active, paused, archived
	// PendingPushes wait for the generator; OldestPush is the age of the first of them.
	PendingPushes int
	OldestPush    time.Duration
	// BrokenFiles are files of the DAG repository with import errors.
	BrokenFiles int
	// RepositoryFault says that the DAG repository as a whole cannot be read.
	RepositoryFault bool
	// Overdue is for how long the run has been due that is due longest and not made yet.
	Overdue time.Duration

	// Slots bound the tries at once; StartsWaiting are decided and not handed to the executor.
	Slots         int
	StartsWaiting int
	// Connections of the database.
	Connections, MaxConnections int
	ConnectionWaits             int64
	ConnectionWaited            time.Duration
	// Subscribers of the change feed: actors and open pages.
	Subscribers int

	LogBytes, MaxLogBytes, FreeBytes, MinFreeBytes int64
	// LogsWaiting are logs that are not in object storage yet, LogLag since when the one
	// whose end has waited longest.
	LogsWaiting int
	LogLag      time.Duration

	// Certificate is when that of tls.cert_file expires; zero without one.
	Certificate time.Time
	// Executor says that what runs the tries answers.
	Executor bool
}

// figures shows the last Figures that were read.
type figures struct {
	last  atomic.Pointer[Figures]
	all   []figure
	descs map[string]*prometheus.Desc
}

// figure is one metric of Figures.
type figure struct {
	kind, name, help, label string
	value                   func(*Figures) float64
	values                  func(*Figures) map[string]int
	ofDatabase              bool
}

func (f *figures) open(m *Metrics) {
	f.all, f.descs = append(databaseFigures(), processFigures()...), map[string]*prometheus.Desc{}
	for _, one := range f.all {
		var labels []string
		if one.label != "" {
			labels = []string{one.label}
		}
		m.describe(one.kind, one.name, one.help, labels)
		f.descs[one.name] = prometheus.NewDesc(one.name, one.help, labels, nil)
	}
	m.registry.MustRegister(f)
}

// databaseFigures are absent while the database does not answer.
func databaseFigures() []figure {
	all := []figure{
		{name: "dagwright_runs", help: "Runs that have not ended, by state.", label: "state",
			values: func(f *Figures) map[string]int { return f.Runs }},
		{name: "dagwright_tasks", help: "Task instances that hold a slot, by state: queued or running.", label: "state",
			values: func(f *Figures) map[string]int { return f.Tasks }},
		{name: "dagwright_dags", help: "DAGs, by state: active, paused or archived.", label: "state",
			values: func(f *Figures) map[string]int { return f.DAGs }},
		{name: "dagwright_pushes_pending", help: "Pushes of models that wait for the generator.",
			value: func(f *Figures) float64 { return float64(f.PendingPushes) }},
		{name: "dagwright_pushes_pending_age_seconds", help: "Age of the push that waits longest; 0 when none does.",
			value: func(f *Figures) float64 { return f.OldestPush.Seconds() }},
		{name: "dagwright_dag_files_broken", help: "Files of the DAG repository with import errors.",
			value: func(f *Figures) float64 { return float64(f.BrokenFiles) }},
		{name: "dagwright_dag_repository_fault",
			help:  "1 while the DAG repository as a whole cannot be read: unreachable, refused, empty, its branch gone.",
			value: func(f *Figures) float64 { return boolean(f.RepositoryFault) }},
		{name: "dagwright_scheduler_overdue_seconds",
			help:  "For how long the scheduled run is due that is due longest and not made yet; 0 when none is.",
			value: func(f *Figures) float64 { return f.Overdue.Seconds() }},
	}
	for i := range all {
		all[i].kind, all[i].ofDatabase = "gauge", true
	}
	return all
}

func processFigures() []figure {
	all := []figure{
		{name: "dagwright_database_up", help: "1 while the database answers.",
			value: func(f *Figures) float64 { return boolean(f.DatabaseUp) }},
		{name: "dagwright_database_connections", help: "Connections of the database that are in use.",
			value: func(f *Figures) float64 { return float64(f.Connections) }},
		{name: "dagwright_database_connections_max", help: "Connections of the database that there may be.",
			value: func(f *Figures) float64 { return float64(f.MaxConnections) }},
		{kind: "counter", name: "dagwright_database_connection_waits_total",
			help:  "Transactions that waited for a connection (PostgreSQL).",
			value: func(f *Figures) float64 { return float64(f.ConnectionWaits) }},
		{kind: "counter", name: "dagwright_database_connection_wait_seconds_total",
			help:  "Time that transactions waited for a connection (PostgreSQL).",
			value: func(f *Figures) float64 { return f.ConnectionWaited.Seconds() }},
		{name: "dagwright_feed_subscribers", help: "Subscriptions of the change feed: actors and open streams.",
			value: func(f *Figures) float64 { return float64(f.Subscribers) }},
		{name: "dagwright_scheduler_slots", help: "Tries that may run at once (scheduler.max_active_tasks).",
			value: func(f *Figures) float64 { return float64(f.Slots) }},
		{name: "dagwright_scheduler_starts_waiting", help: "Tries that are decided and not handed to the executor yet.",
			value: func(f *Figures) float64 { return float64(f.StartsWaiting) }},
		{name: "dagwright_executor_up", help: "1 while what runs the tries (Kubernetes, or this machine) answers.",
			value: func(f *Figures) float64 { return boolean(f.Executor) }},
		{name: "dagwright_log_bytes", help: "What the task logs in the data folder take.",
			value: func(f *Figures) float64 { return float64(f.LogBytes) }},
		{name: "dagwright_log_bytes_max", help: "What they may take (logs.max_bytes); absent without a limit.",
			value: func(f *Figures) float64 { return float64(f.MaxLogBytes) }},
		{name: "dagwright_log_disk_free_bytes", help: "What the file system of the task logs has left.",
			value: func(f *Figures) float64 { return float64(f.FreeBytes) }},
		{name: "dagwright_log_disk_min_free_bytes", help: "What it should have left (logs.min_free).",
			value: func(f *Figures) float64 { return float64(f.MinFreeBytes) }},
		{name: "dagwright_logs_waiting", help: "Task logs that are not in object storage yet; absent without a bucket.",
			value: func(f *Figures) float64 { return float64(f.LogsWaiting) }},
		{name: "dagwright_log_lag_seconds",
			help:  "Age of the ended task log that waits longest for object storage; 0 when none does; absent without a bucket.",
			value: func(f *Figures) float64 { return f.LogLag.Seconds() }},
		{name: "dagwright_tls_certificate_expiry_timestamp_seconds",
			help: "When the certificate of tls.cert_file expires; absent without one.",
			value: func(f *Figures) float64 {
				if f.Certificate.IsZero() {
					return -1
				}
				return float64(f.Certificate.Unix())
			}},
	}
	for i := range all {
		if all[i].kind == "" {
			all[i].kind = "gauge"
		}
	}
	return all
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (f *figures) set(now Figures) { f.last.Store(&now) }

// Describe implements prometheus.Collector.
func (f *figures) Describe(descs chan<- *prometheus.Desc) {
	for _, one := range f.all {
		descs <- f.descs[one.name]
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	now := f.last.Load()
	if now == nil {
		return
	}
	for _, one := range f.all {
		if one.ofDatabase && !now.DatabaseUp {
			continue
		}
		kind := prometheus.GaugeValue
		if one.kind == "counter" {
			kind = prometheus.CounterValue
		}
		desc := f.descs[one.name]
		if one.values != nil {
			values := one.values(now)
			for _, label := range slices.Sorted(maps.Keys(values)) {
				out <- prometheus.MustNewConstMetric(desc, kind, float64(values[label]), label)
			}
		} else if v := one.value(now); v >= 0 {
			out <- prometheus.MustNewConstMetric(desc, kind, v)
		}
	}
}
