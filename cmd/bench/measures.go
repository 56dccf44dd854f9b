package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// measure is one scenario, which may add several figures.
type measure struct {
	name string
	run  func(context.Context, *bench) error
}

var measures = []measure{
	{"weight of the program", weigh},
	{"main job: push, trigger, chain, throughput, memory, start", mainJob},
	{"render 1,000 projects and push", renderFleet},
	{"load 10,000 specs", loadSpecs},
	{"pods of a real node", realPods},
	{"pods of fake nodes", fakePods},
	{"pages in a browser", browserPages},
	{"pages over 10,000 DAGs and 1,000,000 runs", bigPages},
}

// stats adds a figure of many values, which are milliseconds.
func (b *bench) stats(name, aim string, values []float64) {
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	b.add(figure{Name: name, Unit: "ms", Aim: aim, N: len(values),
		Median: values[len(values)/2], P95: values[min(len(values)*95/100, len(values)-1)]})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// mainJob measures one server from its start to its end.
func mainJob(ctx context.Context, b *bench) error {
	home := filepath.Join(b.dir, "main")
	s, err := b.start(home)
	if err != nil {
		return err
	}
	steps := []func(context.Context, *bench, *server) error{
		prepareSpecs, idleMemory, pushToDAG, triggerToStart, chainGap, singleTasks, chains, bareExec,
	}
	for _, step := range steps {
		if err := step(ctx, b, s); err != nil {
			_ = s.stop() // the step's error says more
			return err
		}
	}
	if err := s.stop(); err != nil {
		return err
	}
	return startToHTTP(b, home)
}

// browserPages measures what a person sees of one server.
func browserPages(ctx context.Context, b *bench) error {
	s, err := b.start(filepath.Join(b.dir, "pages"))
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, *bench, *server) error{prepareSpecs, inBrowser, openPages} {
		if err := step(ctx, b, s); err != nil {
			_ = s.stop() // the step's error says more
			return err
		}
	}
	return s.stop()
}

const taskSpec = `    - task_id: %s
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/bench:1
      cmds: ["true"]
      dependencies: [%s]
`

// spec is a DAG with a chain of tasks that do nothing.
func spec(id string, tasks int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n  schedule: none\n  max_active_runs: 1000\n  max_active_tasks: 1000\n  tasks:\n", id)
	before := ""
	for i := range tasks {
		task := fmt.Sprintf("t%d", i+1)
		fmt.Fprintf(&b, taskSpec, task, before)
		before = task
	}
	return b.String()
}

func prepareSpecs(ctx context.Context, b *bench, s *server) error {
	if err := s.awaitDAGs(ctx, 4); err != nil {
		return err
	}
	files := map[string]string{"bench/one.yaml": spec("bench-one", 1), "bench/chain.yaml": spec("bench-chain", 4)}
	for i := range b.n.dags {
		id := fmt.Sprintf("bench-chain-%d", i)
		files["bench/"+id+".yaml"] = spec(id, 4)
	}
	if err := pushSpecs(ctx, filepath.Join(b.dir, "dags"), filepath.Join(s.home, "airflow-dev.git"), files); err != nil {
		return err
	}
	return s.awaitDAGs(ctx, 4+len(files))
}

func idleMemory(_ context.Context, b *bench, s *server) error {
	mb, err := s.pss()
	if err != nil {
		return err
	}
	b.add(figure{Name: "memory when idle (PSS)", Unit: "MB", Median: mb, N: 1, Aim: "< 60"})
	return nil
}

// pushToDAG measures from the start of "git push" to the API's answer that
// shows the pushed commit.
func pushToDAG(ctx context.Context, b *bench, s *server) error {
	work := filepath.Join(b.dir, "model")
	if err := git(ctx, ".", "clone", "--quiet", filepath.Join(s.home, "models", "fraud-model.git"), work); err != nil {
		return err
	}
	var all, after []float64
	for i := range b.n.pushes {
		minute := fmt.Sprintf("%d 4 %d * *", i%60, i%28+1)
		model := fmt.Sprintf("scoring: {schedule: %q}\n", minute)
		if err := os.WriteFile(filepath.Join(work, ".dagwright.yml"), []byte(model), 0o644); err != nil {
			return err
		}
		if err := git(ctx, work, "commit", "--quiet", "--all", "--message=Bench"); err != nil {
			return err
		}
		began := time.Now()
		if err := git(ctx, work, "push", "--quiet", "origin", "HEAD:main"); err != nil {
			return err
		}
		pushed := time.Now()
		err := s.until(ctx, func() (bool, error) {
			var d struct {
				Summary string `json:"timetable_summary"`
			}
			err := s.call(ctx, http.MethodGet, "/dags/fraud-model", nil, &d)
			return d.Summary == minute, err
		})
		if err != nil {
			return err
		}
		all = append(all, ms(time.Since(began)))
		after = append(after, ms(time.Since(pushed)))
	}
	b.stats("git push begun → DAG in the API", "p95 < 300", all)
	b.stats("git push returned → DAG in the API", "", after)
	return nil
}

// instance is a task instance as the API returns it.
type instance struct {
	Task  string    `json:"task_id"`
	Start time.Time `json:"start_date"`
	End   time.Time `json:"end_date"`
}

func (s *server) trigger(ctx context.Context, dag string) (string, error) {
	var run struct {
		ID string `json:"dag_run_id"`
	}
	err := s.call(ctx, http.MethodPost, "/dags/"+dag+"/dagRuns", map[string]any{"logical_date": nil}, &run)
	return run.ID, err
}

func (s *server) instances(ctx context.Context, dag, run string) ([]instance, error) {
	var list struct {
		Instances []instance `json:"task_instances"`
	}
	err := s.call(ctx, http.MethodGet, "/dags/"+dag+"/dagRuns/"+run+"/taskInstances", nil, &list)
	return list.Instances, err
}

func triggerToStart(ctx context.Context, b *bench, s *server) error {
	var values []float64
	for range b.n.triggers {
		began := time.Now()
		run, err := s.trigger(ctx, "bench-one")
		if err != nil {
			return err
		}
		if err := s.awaitEnded(ctx); err != nil {
			return err
		}
		tis, err := s.instances(ctx, "bench-one", run)
		if err != nil {
			return err
		}
		values = append(values, ms(tis[0].Start.Sub(began)))
	}
	b.stats("trigger → process started", "< 10", values)
	return nil
}

func chainGap(ctx context.Context, b *bench, s *server) error {
	var values []float64
	for range b.n.chains {
		run, err := s.trigger(ctx, "bench-chain")
		if err != nil {
			return err
		}
		if err := s.awaitEnded(ctx); err != nil {
			return err
		}
		gaps, err := s.gaps(ctx, "bench-chain", run)
		if err != nil {
			return err
		}
		values = append(values, gaps...)
	}
	b.stats("gap between tasks of a chain, idle", "< 5", values)
	return nil
}

// gaps are the times between the end of a task and the start of the next.
func (s *server) gaps(ctx context.Context, dag, run string) ([]float64, error) {
	tis, err := s.instances(ctx, dag, run)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(tis, func(a, b instance) int { return strings.Compare(a.Task, b.Task) })
	var values []float64
	for i := 1; i < len(tis); i++ {
		values = append(values, ms(tis[i].Start.Sub(tis[i-1].End)))
	}
	return values, nil
}

// triggerers is how many clients trigger runs at once in a burst.
const triggerers = 16

// burst triggers runs of the DAGs in turn, all at once, and returns how long it
// took from the first trigger to the last run's end.
func (s *server) burst(ctx context.Context, dags []string, each int) (ids map[string][]string, took, cpu time.Duration,
	err error) {
	before, err := s.cpu()
	if err != nil {
		return nil, 0, 0, err
	}
	began := time.Now()
	results := make([]string, len(dags)*each)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(triggerers)
	for i := range results {
		g.Go(func() error {
			id, err := s.trigger(gctx, dags[i%len(dags)])
			results[i] = id
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, 0, err
	}
	if err := s.awaitEnded(ctx); err != nil {
		return nil, 0, 0, err
	}
	after, err := s.cpu()
	if err != nil {
		return nil, 0, 0, err
	}
	last, err := s.lastEnd(ctx)
	took = last.Sub(began)
	ids = map[string][]string{}
	for i, id := range results {
		ids[dags[i%len(dags)]] = append(ids[dags[i%len(dags)]], id)
	}
	return ids, took, after - before, err
}

// lastEnd is when the run that ended last did so.
func (s *server) lastEnd(ctx context.Context) (time.Time, error) {
	var list struct {
		Runs []struct {
			End time.Time `json:"end_date"`
		} `json:"dag_runs"`
	}
	err := s.call(ctx, http.MethodGet, "/dags/~/dagRuns?limit=1&order_by=-end_date", nil, &list)
	if err != nil {
		return time.Time{}, err
	}
	if len(list.Runs) == 0 {
		return time.Time{}, errors.New("no run has ended")
	}
	return list.Runs[0].End, nil
}

func singleTasks(ctx context.Context, b *bench, s *server) error {
	_, took, cpu, err := s.burst(ctx, []string{"bench-one"}, b.n.single)
	if err != nil {
		return err
	}
	b.add(figure{Name: fmt.Sprintf("%d runs × 1 task", b.n.single), Unit: "tasks/s", N: b.n.single,
		Median: float64(b.n.single) / took.Seconds(), Aim: "> 1000"})
	b.add(figure{Name: "CPU of dagwright a one-task run", Unit: "ms", N: b.n.single,
		Median: ms(cpu) / float64(b.n.single)})
	return nil
}

func chains(ctx context.Context, b *bench, s *server) error {
	var dags []string
	for i := range b.n.dags {
		dags = append(dags, fmt.Sprintf("bench-chain-%d", i))
	}
	ids, took, cpu, err := s.burst(ctx, dags, b.n.runsEach)
	if err != nil {
		return err
	}
	tasks := b.n.dags * b.n.runsEach * 4
	b.add(figure{Name: fmt.Sprintf("%d DAGs × %d runs × 4 tasks", b.n.dags, b.n.runsEach), Unit: "tasks/s", N: tasks,
		Median: float64(tasks) / took.Seconds(), Aim: "> 1000"})
	b.add(figure{Name: "CPU of dagwright a task", Unit: "ms", N: tasks, Median: ms(cpu) / float64(tasks)})
	var values []float64
	for dag, runs := range ids {
		for _, run := range runs {
			gaps, err := s.gaps(ctx, dag, run)
			if err != nil {
				return err
			}
			values = append(values, gaps...)
		}
	}
	b.stats("gap between tasks of a chain, under load", "< 20", values)
	return nil
}

// bareExec starts the same command in a plain loop on all cores: the limit.
func bareExec(ctx context.Context, b *bench, _ *server) error {
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for range b.n.execs {
		g.Go(func() error { return exec.CommandContext(gctx, "true").Run() })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	b.add(figure{Name: "limit: bare fork/exec loop", Unit: "tasks/s", N: b.n.execs,
		Median: float64(b.n.execs) / time.Since(began).Seconds()})
	return nil
}

func startToHTTP(b *bench, home string) error {
	var values []float64
	for range b.n.starts {
		began := time.Now()
		s, err := b.start(home)
		if err != nil {
			return err
		}
		response, err := http.Get(s.url + "/healthz")
		if err != nil {
			return err
		}
		response.Body.Close()
		values = append(values, ms(time.Since(began)))
		if err := s.stop(); err != nil {
			return err
		}
	}
	b.stats("start → HTTP answers", "< 200", values)
	return nil
}
