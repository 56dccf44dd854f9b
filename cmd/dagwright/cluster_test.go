package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"dagwright/gitlab/gitlabtest"
	"dagwright/test/cluster/clustertest"
)

// onCluster is a "dagwright serve" whose tasks are pods of the real cluster, with
// a GitLab beside it.
type onCluster struct {
	*devProcess
	*clustertest.Cluster
	gitlab *gitlabtest.Server
	config string
}

func newOnCluster(t *testing.T, c *clustertest.Cluster, templates string) *onCluster {
	t.Helper()
	gitlab := gitlabtest.New(t)
	gitlab.HookSecret = "hook-secret"
	gitlab.CreateProject("gbc/airflow-dev")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), []byte(gitlab.Token))
	write(t, filepath.Join(dir, "hook"), []byte(gitlab.HookSecret))
	o := &onCluster{
		devProcess: &devProcess{dir: dir, log: &lockedBuffer{}}, Cluster: c, gitlab: gitlab,
		config: filepath.Join(dir, "dagwright.yml"),
	}
	write(t, o.config,
		[]byte(strings.NewReplacer("DIR", dir, "GITLAB", gitlab.URL, "CONFIG", c.Kubeconfig, "SPACE", c.Namespace,
			"TEMPLATES", templates).Replace(`
listen: 127.0.0.1:0
auth: none
database: sqlite:DIR/dagwright.db
data: DIR
dag_repository: {url: GITLAB/gbc/airflow-dev.git, project: gbc/airflow-dev, username: oauth2, password_file: DIR/token}
gitlab: {url: GITLAB, token_file: DIR/token, groups: [gbc]}
webhook: {secret_files: [DIR/hook]}
models: {registry: localhost, templates: "TEMPLATES"}
scheduler: {executor: kubernetes, max_active_tasks: 40, poll: 1s}
kubernetes:
  {kubeconfig: CONFIG, namespace: SPACE, instance: SPACE, startup_timeout: 10m, policy: {volume_claims: [models]}}
`)))
	return o
}

func (o *onCluster) begin(t *testing.T) {
	t.Helper()
	o.run(t, "serve", "--config", o.config, "--log-level", "info")
}

// serve starts the server, which must come up, and has GitLab send its events
// there.
func (o *onCluster) serve(t *testing.T) {
	t.Helper()
	o.begin(t)
	if !o.greeted() {
		t.Fatalf("dagwright serve ended without a greeting: %s", o.log)
	}
	o.gitlab.HookURL = o.url + "/hooks/gitlab"
}

// TestModelsAsPods pushes both example models and runs their scoring and their
// retraining as pods, with a configuration, down to the lines of their logs.
func TestModelsAsPods(t *testing.T) {
	t.Parallel()
	c := clustertest.Open(t)
	o := newOnCluster(t, c, retrainTemplate(t))
	sharedVolume(t, c)
	o.serve(t)
	for _, model := range []string{"churn-model", "fraud-model"} {
		project, folder := "gbc/risk/"+model, filepath.Join("../../testdata/models", model)
		o.gitlab.CreateProject(project)
		for _, branch := range []string{"main", "retrain"} {
			commit := o.gitlab.Commit(project, branch, filesOf(t, folder))
			c.Image("localhost/"+project+":"+commit[:8], folder)
		}
		o.await(t, `"dag_id": ?"`+model+`"`, "/api/v2/dags")
		o.await(t, `"dag_id": ?"`+model+`-retrain"`, "/api/v2/dags")
	}
	o.trigger(t, "churn-model", `{"SCORING_DATE": "2026-01-31", "OUTPUT_DIR": "/tmp"}`)
	o.trigger(t, "fraud-model", `{"OUTPUT_DIR": "/tmp"}`)
	o.trigger(t, "churn-model-retrain", `{"EPOCHS": 50}`)
	o.trigger(t, "fraud-model-retrain", `{"EPOCHS": 50}`)
	o.wantLog(t, "churn-model", "run_model", "scoring date: 2026-01-31")
	o.wantLog(t, "fraud-model", "run_model", "")
	for _, id := range []string{"churn-model-retrain", "fraud-model-retrain"} {
		for _, task := range []string{"prepare_data", "train_model", "evaluate_model", "register_model"} {
			o.wantLog(t, id, task, "")
		}
	}
}

func (o *onCluster) trigger(t *testing.T, id, conf string) {
	t.Helper()
	status, body := o.do(t, o.request(t, "POST", "/api/v2/dags/"+id+"/dagRuns", "application/json",
		`{"dag_run_id": "r1", "logical_date": null, "conf": `+conf+`}`))
	if status != 200 {
		t.Fatalf("trigger %s: %d\n%s", id, status, body)
	}
}

// wantLog waits for the run's end and wants the task's log to have a line and the
// pod's events.
func (o *onCluster) wantLog(t *testing.T, id, task, line string) {
	t.Helper()
	body := o.await(t, `"state": ?"(success|failed)"`, "/api/v2/dags/"+id+"/dagRuns/r1")
	if !regexp.MustCompile(`"state": ?"success"`).MatchString(body) {
		t.Errorf("the run of %s: %s", id, body)
	}
	_, text := o.get(t, "/api/v2/dags/"+id+"/dagRuns/r1/taskInstances/"+task+"/logs/1?full_content=true")
	for _, want := range []string{line, "Scheduled"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log of %s of %s lacks %q:\n%s", task, id, want, text)
		}
	}
}

// filesOf reads a model's files for a commit.
func filesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// retrainTemplate is the built-in template with a volume on which the tasks of a
// retraining, each a pod of its own, hand files to one another: what a
// platform's team would write.
func retrainTemplate(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../templates/default-retrain.yaml.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	const env = "      env_vars:\n"
	if !bytes.Contains(text, []byte(env)) {
		t.Fatal("the built-in template has no env_vars to add to")
	}
	text = bytes.Replace(text, []byte(env),
		[]byte(`      volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]
      volume_mounts: [{name: models, mountPath: /models}]
      env_vars:
        ARTIFACTS_DIR: "/models/{{ dag.dag_id }}/{{ run_id }}"
        MODEL_REGISTRY: "/models/{{ dag.dag_id }}/registry"
`), 1)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "default-retrain.yaml.tmpl"), text)
	return dir
}

// sharedVolume gives the namespace a claim on a folder of this machine.
func sharedVolume(t *testing.T, c *clustertest.Cluster) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	none, size := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: c.Namespace},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: modes,
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: folder}},
			ClaimRef:               &corev1.ObjectReference{Namespace: c.Namespace, Name: "models"},
		},
	}
	if _, err := c.Client.CoreV1().PersistentVolumes().Create(t.Context(), volume, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Client.CoreV1().PersistentVolumes().Delete(context.WithoutCancel(t.Context()), volume.Name,
			metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete volume: %v", err)
		}
	})
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "models"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: modes, Resources: corev1.VolumeResourceRequirements{Requests: size},
			StorageClassName: &none, VolumeName: volume.Name,
		},
	}
	if _, err := c.Client.CoreV1().PersistentVolumeClaims(c.Namespace).Create(t.Context(), claim,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

const (
	podKills = 12
	podRuns  = 200
)

// podChain is a DAG of one task whose log tells whether it is whole.
const podChain = `chain:
  schedule: none
  max_active_runs: 40
  default_args: {retries: 2, retry_delay: 0}
  tasks:
    - task_id: first
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: localhost/busybox:1
      cmds: [sh, -c]
      log_events_on_startup: false
      arguments: ['echo "$AIRFLOW_CTX_TASK_ID begins"; sleep "$NAP"; echo "$AIRFLOW_CTX_TASK_ID ends"']
`

// TestKillOnCluster kills dagwright again and again at random moments while runs
// are triggered. In the end every attempt has had exactly one pod, none was lost,
// and all logs are whole.
func TestKillOnCluster(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -kill.seed=%d", seed)
	o := newOnCluster(t, clustertest.Open(t), "")
	o.gitlab.Commit("gbc/airflow-dev", "main", map[string]string{"chain.yaml": podChain})
	k := &killing{
		devProcess: o.devProcess, random: rand.New(rand.NewPCG(seed, 1)), tasks: []string{"first"},
		tried: map[string]bool{}, latest: 3 * time.Second, begin: o.begin,
	}
	pods := watchPods(t, o.Cluster)
	k.restart(t)
	k.await(t, `"dag_id": ?"chain"`, "/api/v2/dags")
	k.stop()
	for range podKills {
		k.untilKilled(t, func() { k.trigger(t, min(len(k.runs)+podRuns/podKills, podRuns)) })
	}
	k.restart(t)
	k.trigger(t, max(podRuns, len(k.runs)+1))
	k.await(t, `"queued","count":0},{"state":"running","count":0}`, "/api/v2/dagStats?dag_ids=chain")
	k.checkRuns(t)
	k.checkTasks(t)
	k.stop()
	pods.check(t, len(k.runs))
	k.restart(t)
	pods.awaitNone(t)
	k.stop()
	if log := k.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "panic") {
		t.Errorf("the log has errors:\n%s", log)
	}
	t.Logf("%d runs; starts that found attempts from before a kill: %d", len(k.runs),
		len(attemptsFound.FindAllString(k.log.String(), -1)))
}

// seenPods is every pod that there ever was in a namespace.
type seenPods struct {
	mu    sync.Mutex
	names map[string]map[string]bool // name → UIDs
	there map[string]bool
	none  chan struct{} // closed when there is none any more
}

func watchPods(t *testing.T, c *clustertest.Cluster) *seenPods {
	t.Helper()
	s := &seenPods{names: map[string]map[string]bool{}, there: map[string]bool{}}
	factory := informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithNamespace(c.Namespace))
	informer := factory.Core().V1().Pods().Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.note(o, true) },
		UpdateFunc: func(_, o any) { s.note(o, true) },
		DeleteFunc: func(o any) { s.note(o, false) },
	}); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	t.Cleanup(factory.Shutdown)
	return s
}

func (s *seenPods) note(object any, there bool) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[pod.Name] == nil {
		s.names[pod.Name] = map[string]bool{}
	}
	s.names[pod.Name][string(pod.UID)] = true
	s.there[pod.Name] = there
	if !there {
		delete(s.there, pod.Name)
	}
	if len(s.there) == 0 && s.none != nil {
		close(s.none)
		s.none = nil
	}
}

// check wants n attempts to have had one pod each.
func (s *seenPods) check(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[int]int{}
	for _, uids := range s.names {
		got[len(uids)]++
	}
	if diff := cmp.Diff(map[int]int{1: n}, got); diff != "" {
		t.Errorf("how many attempts had how many pods (-want +got):\n%s", diff)
	}
}

// awaitNone waits until every pod is gone.
func (s *seenPods) awaitNone(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	none := make(chan struct{})
	if len(s.there) == 0 {
		close(none)
	} else {
		s.none = none
	}
	s.mu.Unlock()
	select {
	case <-none:
	case <-time.After(scriptPatience):
		s.mu.Lock()
		defer s.mu.Unlock()
		t.Errorf("pods are left: %v", s.there)
	}
}
