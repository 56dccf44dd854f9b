package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outside is what others answer: the database, git servers, and services over HTTP.
type outside struct {
	transactions *prometheus.CounterVec
	transaction  *prometheus.HistogramVec
	git          *prometheus.CounterVec
	gitTime      *prometheus.HistogramVec
	asked        *prometheus.CounterVec
	askedTime    *prometheus.HistogramVec
	token        *prometheus.GaugeVec
}

func (o *outside) open(m *Metrics) {
	o.transactions = m.counterVec("dagwright_database_transactions_total",
		"Transactions, by kind (read or write) and outcome: done, or unavailable when the database did not answer.",
		"kind", "outcome")
	o.transaction = m.histogramVec("dagwright_database_transaction_duration_seconds",
		"Time of a transaction with the wait for its turn, by kind.", shortTimes, "kind")
	for _, kind := range []string{"read", "write"} {
		for _, outcome := range []string{"done", "unavailable"} {
			o.transactions.WithLabelValues(kind, outcome)
		}
		o.transaction.WithLabelValues(kind)
	}
	o.git = m.counterVec("dagwright_git_operations_total",
		"Fetches and pushes of the DAG repository's clones, by outcome: done or failed.", "operation", "outcome")
	o.gitTime = m.histogramVec("dagwright_git_operation_duration_seconds",
		"Time of a fetch or push, by operation.", []float64{.05, .2, 1, 5, 20, 60}, "operation")
	o.asked = m.counterVec("dagwright_outgoing_requests_total",
		"HTTP requests to other services (gitlab, registry, object_storage, identity_provider, kubernetes), by the class of "+
			"the answer's status, such as 2xx; error stands for a missing answer.", "service", "code")
	o.askedTime = m.histogramVec("dagwright_outgoing_request_duration_seconds",
		"Time until another service begins to answer, by service.", []float64{.01, .05, .2, 1, 5, 20}, "service")
	o.token = m.gaugeVec("dagwright_gitlab_token_expiry_timestamp_seconds",
		"When GitLab's token (gitlab.token_file) expires; absent for one that does not, or is not known.")
}

// Transaction notes a transaction of the database.
func (m *Metrics) Transaction(kind string, took time.Duration, available bool) {
	if m == nil {
		return
	}
	outcome := "done"
	if !available {
		outcome = "unavailable"
	}
	m.transactions.WithLabelValues(kind, outcome).Inc()
	m.transaction.WithLabelValues(kind).Observe(took.Seconds())
}

// Git notes a fetch or push of a clone.
func (m *Metrics) Git(operation string, took time.Duration, good bool) {
	if m == nil {
		return
	}
	m.git.WithLabelValues(operation, outcome(good)).Inc()
	m.gitTime.WithLabelValues(operation).Observe(took.Seconds())
}

// TokenExpires notes when GitLab's token expires; the zero time takes the metric away.
func (m *Metrics) TokenExpires(at time.Time) {
	switch {
	case m == nil:
	case at.IsZero():
		m.token.Reset()
	default:
		stamp(m.token, at)
	}
}

// Outgoing wraps a transport so that its requests are counted as those to a service.
func (m *Metrics) Outgoing(service string) func(http.RoundTripper) http.RoundTripper {
	return func(base http.RoundTripper) http.RoundTripper {
		if m == nil {
			return base
		}
		m.asked.WithLabelValues(service, "2xx")
		m.asked.WithLabelValues(service, "error")
		return &counted{base: base, service: service, m: m}
	}
}

// counted is a transport whose requests are counted.
type counted struct {
	base    http.RoundTripper
	service string
	m       *Metrics
}

// RoundTrip implements http.RoundTripper. The error is that of the base.
func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	answer, err := c.base.RoundTrip(r)
	code := "error"
	if err == nil {
		code = class(answer.StatusCode)
	}
	c.m.asked.WithLabelValues(c.service, code).Inc()
	c.m.askedTime.WithLabelValues(c.service).Observe(time.Since(began).Seconds())
	return answer, err
}

// CloseIdleConnections closes those of the base, for http.Client.
func (c *counted) CloseIdleConnections() {
	if base, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// class is the class of a status, such as 2xx.
func class(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}
