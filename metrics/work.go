package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pushes are what happens to a push until its DAG is there.
type pushes struct {
	hooks     *prometheus.CounterVec
	handled   *prometheus.CounterVec
	toDAG     prometheus.Observer
	reconcile *prometheus.GaugeVec
	round     *prometheus.GaugeVec
}

func (p *pushes) open(m *Metrics) {
	p.hooks = m.counterVec("dagwright_hooks_total",
		"Deliveries of GitLab's hooks, by the answer: accepted, repeated, ignored, refused or failed.", "answer")
	preset(p.hooks, "accepted", "repeated", "ignored", "refused", "failed")
	p.handled = m.counterVec("dagwright_pushes_handled_total",
		"Pushes of models that the generator is done with, by their state; pending is one that is tried again.", "state")
	preset(p.handled, "rendered", "unchanged", "refused", "superseded", "pending")
	p.toDAG = m.histogram("dagwright_push_to_dag_seconds",
		"Time from the report of a push of a model until its DAG is there.",
		[]float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 1800})
	p.reconcile = m.gaugeVec("dagwright_reconcile_last_round_timestamp_seconds",
		"When the reconciler had last compared every project with what is recorded.")
	p.round = m.gaugeVec("dagwright_reconcile_round_seconds",
		"Time that the reconciler's last round took; it is spread over gitlab.reconcile on purpose.")
}

// preset shows counters before they count, so that a rate has a beginning.
func preset(v *prometheus.CounterVec, values ...string) {
	for _, value := range values {
		v.WithLabelValues(value)
	}
}

// Hook counts a delivery by its answer.
func (m *Metrics) Hook(answer string) {
	if m != nil {
		m.hooks.WithLabelValues(answer).Inc()
	}
}

// Pushed counts a push that was handled, by its state.
func (m *Metrics) Pushed(state string) {
	if m != nil {
		m.handled.WithLabelValues(state).Inc()
	}
}

// Delivered observes the time from a push to its DAG.
func (m *Metrics) Delivered(took time.Duration) {
	if m != nil {
		m.toDAG.Observe(took.Seconds())
	}
}

// Reconciled notes the end of a round of the reconciler.
func (m *Metrics) Reconciled(end time.Time, took time.Duration) {
	if m != nil {
		stamp(m.reconcile, end)
		m.round.WithLabelValues().Set(took.Seconds())
	}
}

// work is what the scheduler does.
type work struct {
	syncs      *prometheus.CounterVec
	syncTime   prometheus.Observer
	syncGood   *prometheus.GaugeVec
	beat       *prometheus.GaugeVec
	steps      *prometheus.CounterVec
	stepTime   prometheus.Observer
	commit     *prometheus.GaugeVec
	runs       *prometheus.CounterVec
	runDelay   prometheus.Observer
	tasks      *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	retries    *prometheus.CounterVec
	startDelay prometheus.Observer
	attempt    prometheus.Observer
	start      prometheus.Observer
	imageWait  prometheus.Observer
}

func (w *work) open(m *Metrics) {
	w.syncs = m.counterVec("dagwright_syncs_total",
		"Readings of the DAG repository, by outcome: done or failed.", "outcome")
	preset(w.syncs, "done", "failed")
	w.syncTime = m.histogram("dagwright_sync_duration_seconds", "Time of one reading of the DAG repository.",
		[]float64{.05, .2, 1, 5, 20, 60})
	w.syncGood = m.gaugeVec("dagwright_sync_last_success_timestamp_seconds",
		"When the DAG repository was last read without a fault.")
	w.beat = m.gaugeVec("dagwright_scheduler_heartbeat_timestamp_seconds",
		"When the scheduler's loop turned last; it does so every 30 seconds even with nothing to do.")
	w.steps = m.counterVec("dagwright_scheduler_steps_total",
		"Steps of the scheduler, each one transaction, by outcome: done or failed.", "outcome")
	preset(w.steps, "done", "failed")
	w.stepTime = m.histogram("dagwright_scheduler_step_duration_seconds", "Time of one step of the scheduler.", shortTimes)
	w.commit = m.gaugeVec("dagwright_scheduler_last_commit_timestamp_seconds",
		"When the scheduler's last step was committed.")
	w.openRuns(m)
}

func (w *work) openRuns(m *Metrics) {
	w.runs = m.counterVec("dagwright_runs_ended_total", "Runs that have ended, by their state.", "state")
	preset(w.runs, "success", "failed")
	w.runDelay = m.histogram("dagwright_run_start_delay_seconds",
		"Time from when a run may begin until it does.", waitTimes)
	w.tasks = m.counterVec("dagwright_tasks_ended_total", "Task instances that have ended, by their state.", "state")
	preset(w.tasks, "success", "failed", "skipped", "upstream_failed")
	w.attempts = m.counterVec("dagwright_attempts_ended_total",
		"Tries of tasks that have ended, by outcome: success, failed, stopped, or lost through the infrastructure's fault.",
		"outcome")
	preset(w.attempts, "success", "failed", "stopped", "lost")
	w.retries = m.counterVec("dagwright_task_retries_total", "Tries that failed and are followed by another one.")
	w.retries.WithLabelValues()
	w.startDelay = m.histogram("dagwright_attempt_start_delay_seconds",
		"Time from the decision to run a try until its container or process runs.", waitTimes)
	w.attempt = m.histogram("dagwright_attempt_duration_seconds",
		"Time for which the container or process of a try ran.", longTimes)
	w.start = m.histogram("dagwright_pod_start_seconds",
		"Time from the request for a try's pod (or process) until its container runs.", waitTimes)
	w.imageWait = m.histogram("dagwright_image_wait_seconds",
		"Time for which a try waited for an image that could not be pulled.", waitTimes)
}

// Synced notes a reading of the DAG repository that ended at a time.
func (m *Metrics) Synced(end time.Time, took time.Duration, good bool) {
	if m == nil {
		return
	}
	m.syncTime.Observe(took.Seconds())
	m.syncs.WithLabelValues(outcome(good)).Inc()
	if good {
		stamp(m.syncGood, end)
	}
}

// Beat notes that the scheduler's loop turns.
func (m *Metrics) Beat(now time.Time) {
	if m != nil {
		stamp(m.beat, now)
	}
}

// Stepped notes a step of the scheduler that ended at a time.
func (m *Metrics) Stepped(end time.Time, took time.Duration, good bool) {
	if m == nil {
		return
	}
	m.stepTime.Observe(took.Seconds())
	m.steps.WithLabelValues(outcome(good)).Inc()
	if good {
		stamp(m.commit, end)
	}
}

// RunStarted observes how long after the time from which it may begin a run did.
func (m *Metrics) RunStarted(late time.Duration) {
	if m != nil {
		m.runDelay.Observe(max(late, 0).Seconds())
	}
}

// RunEnded counts a run by its state.
func (m *Metrics) RunEnded(state string) {
	if m != nil {
		m.runs.WithLabelValues(state).Inc()
	}
}

// TaskEnded counts a task instance by its state.
func (m *Metrics) TaskEnded(state string) {
	if m != nil {
		m.tasks.WithLabelValues(state).Inc()
	}
}

// AttemptStarted observes how long after it was decided on an attempt began to run.
func (m *Metrics) AttemptStarted(late time.Duration) {
	if m != nil {
		m.startDelay.Observe(max(late, 0).Seconds())
	}
}

// PodStarted observes how long after the executor was asked for it an attempt began to run.
func (m *Metrics) PodStarted(late time.Duration) {
	if m != nil {
		m.start.Observe(max(late, 0).Seconds())
	}
}

// ImageCame observes how long an attempt waited for its image.
func (m *Metrics) ImageCame(waited time.Duration) {
	if m != nil {
		m.imageWait.Observe(max(waited, 0).Seconds())
	}
}

// AttemptEnded counts an attempt by its outcome and observes how long it ran.
func (m *Metrics) AttemptEnded(outcome string, ran time.Duration) {
	if m == nil {
		return
	}
	m.attempts.WithLabelValues(outcome).Inc()
	m.attempt.Observe(max(ran, 0).Seconds())
}

// TaskRetried counts a try that is followed by another one.
func (m *Metrics) TaskRetried() {
	if m != nil {
		m.retries.WithLabelValues().Inc()
	}
}

func outcome(good bool) string {
	if good {
		return "done"
	}
	return "failed"
}
