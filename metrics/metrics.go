// Package metrics counts and measures what an instance does, and shows it to Prometheus.
//
// It knows neither the actors nor the store: package instance tells it what happened and
// reads figures for it at a scrape. Names follow Prometheus' rules
// (https://prometheus.io/docs/practices/naming/): the prefix dagwright_, base units, _total
// for what only grows. No label has the name of a DAG, run, project or user, so that the
// number of series does not grow with what an instance runs.
package metrics

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the metrics of one instance. New makes them; the methods of a nil *Metrics
// count nothing. They are safe for concurrent use.
type Metrics struct {
	registry  *prometheus.Registry
	described []Description

	pushes
	work
	outside
	requests
	figures figures
}

// Description is one metric of dagwright, for its documentation.
type Description struct {
	Name, Kind string // Kind is counter, gauge or histogram
	Labels     []string
	Help       string
}

// New returns metrics of an instance of a version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gaugeVec("dagwright_build_info", "Always 1; the labels say which program this is.", "version", "goversion").
		WithLabelValues(version, runtime.Version()).Set(1)
	m.pushes.open(m)
	m.work.open(m)
	m.outside.open(m)
	m.requests.open(m)
	m.figures.open(m)
	return m
}

// Descriptions are all metrics of dagwright's own, by name.
func (m *Metrics) Descriptions() []Description {
	return slices.SortedFunc(slices.Values(m.described), func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
}

// Gatherer gives the metrics to tests and tools.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

const (
	// freshFor is how long figures that were read for one scrape serve others.
	freshFor = 5 * time.Second
	// readTime bounds how long a scrape waits for figures.
	readTime = 5 * time.Second
)

// Handler answers a scrape in Prometheus' text format, or OpenMetrics where that is asked
// for. read gives the figures of now; one scrape at a time asks, at most every five seconds.
func (m *Metrics) Handler(read func(context.Context) Figures) http.Handler {
	answer := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * readTime})
	var turn sync.Mutex
	var at time.Time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		if time.Since(at) >= freshFor || at.After(time.Now()) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), readTime)
			m.figures.set(read(ctx))
			cancel()
			at = time.Now()
		}
		turn.Unlock()
		answer.ServeHTTP(w, r)
	})
}

func (m *Metrics) describe(kind, name, help string, labels []string) {
	m.described = append(m.described, Description{Name: name, Kind: kind, Labels: labels, Help: help})
}

func (m *Metrics) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	m.describe("counter", name, help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	return m.counterVec(name, help).WithLabelValues()
}

func (m *Metrics) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	m.describe("gauge", name, help, labels)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.describe("histogram", name, help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Observer {
	return m.histogramVec(name, help, buckets).WithLabelValues()
}

// stamp sets a gauge to a time, as Prometheus has times: in seconds since 1970.
func stamp(g *prometheus.GaugeVec, t time.Time) {
	g.WithLabelValues().Set(float64(t.UnixMicro()) / 1e6)
}

// The upper bounds of histograms, in seconds.
var (
	shortTimes = []float64{.001, .005, .025, .1, .5, 2.5, 10}
	longTimes  = []float64{1, 5, 15, 60, 300, 1800, 7200, 28800, 86400}
	waitTimes  = []float64{.1, .5, 1, 2, 5, 15, 60, 300, 1800}
)
