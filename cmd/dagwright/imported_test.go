package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"dagwright/cli/clitest"
	"dagwright/test/cluster/clustertest"
)

// TestImportedModelAsPods goes the way from an Airflow as its user does: a repository that has
// nothing but DAG files is imported, the proposed configuration is pasted, the result is pushed,
// and both DAGs run as pods with their secret, volume, graph and profile. A merge request with
// wrong keys is refused in its preview.
func TestImportedModelAsPods(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../testdata/imported")); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "import.md")
	cmd := clitest.Program(t.Context(), "import", "dag-batch.py", "dag-retrain.py", "--out", ".", "--as", "model",
		"--project", testModel, "--report", report)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}

	c := clustertest.Open(t)
	o := newOnCluster(t, c, "")
	paste(t, o.config, report)
	sharedVolume(t, c)
	if _, err := c.Client.CoreV1().Secrets(c.Namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "churn-db"}, StringData: map[string]string{"password": "s3cret"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pods := watchPodsOfTasks(t, c)
	o.serve(t)
	o.gitlab.CreateProject(testModel)
	for _, branch := range []string{"main", "retrain"} {
		newCheckout(t, o.gitlab, testModel, branch, nil, os.DirFS(folder))
	}
	for _, id := range []string{"churn-model", "churn-model-retrain"} {
		o.await(t, `"dag_id": ?"`+id+`"`, "/api/v2/dags")
		o.trigger(t, id, `{"SCORING_DATE": "2026-01-31"}`)
	}
	o.wantRefusals(t, folder)
	o.await(t, `Scores every customer with the \*\*latest\*\* model`, "/dags/churn-model/details")
	o.wantLog(t, "churn-model", "run_model", "churn scored for 2026-01-31")
	o.wantLog(t, "churn-model-retrain", "register_model", "equally good")
	pods.check(t)
}

// paste adds to a configuration what a report of an import proposes.
func paste(t *testing.T, config, report string) {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatalf("the report proposes nothing:\n%s", text)
	}
	own, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	var into, proposed map[string]any
	for source, to := range map[string]*map[string]any{string(own): &into, string(block[1]): &proposed} {
		if err := yaml.Unmarshal([]byte(source), to); err != nil {
			t.Fatal(err)
		}
	}
	merge(into, proposed)
	merge(into, map[string]any{"webhook": map[string]any{"previews": true}})
	merged, err := yaml.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, merged)
}

// merge sets what one mapping has in another, mappings within them key by key.
func merge(into, from map[string]any) {
	for key, value := range from {
		inner, isMap := value.(map[string]any)
		if old, ok := into[key].(map[string]any); ok && isMap {
			merge(old, inner)
			continue
		}
		into[key] = value
	}
}

// wantRefusals wants a merge request's preview to name each wrong key with its line and what
// would be allowed.
func (o *onCluster) wantRefusals(t *testing.T, folder string) {
	t.Helper()
	model, err := os.ReadFile(filepath.Join(folder, ".dagwright.yml"))
	if err != nil {
		t.Fatal(err)
	}
	o.gitlab.Branch(testModel, "feature", "main")
	iid := o.gitlab.OpenMergeRequest(testModel, "feature", "main")
	for _, tt := range []struct{ from, to, want string }{
		{"profile: pods", "profile: podz", `there is no profile "podz"; this instance has pods`},
		{"/models: models", "/models: data", `there is no volume "data"; this instance has models`},
		{"churn-db/password", "fraud-db/password", `secret "fraud-db" is not for models of ` + testModel},
		{"needs: [evaluate_model]", "needs: [evaluat_model]", `there is no task "evaluat_model"; did you mean "evaluate_model"?`},
	} {
		before, _, ok := strings.Cut(string(model), tt.from)
		if !ok {
			t.Fatalf("the imported model has no %q:\n%s", tt.from, model)
		}
		commit := o.gitlab.Commit(testModel, "feature",
			map[string]string{".dagwright.yml": strings.Replace(string(model), tt.from, tt.to, 1)})
		o.gitlab.SendEvent("Merge Request Hook", `{"object_kind":"merge_request","project":{"id":2,"path_with_namespace":"`+
			testModel+`"},"object_attributes":{"iid":`+strconv.FormatInt(iid, 10)+
			`,"action":"update","target_branch":"main","source_project_id":2,"last_commit":{"id":"`+commit+`"}}}`)
		want := ".dagwright.yml:" + strconv.Itoa(strings.Count(before, "\n")+1) + ":"
		o.gitlab.Await("a preview with "+tt.want, func() bool {
			notes := o.gitlab.MergeRequests(testModel)[0].Notes
			return len(notes) == 1 && strings.Contains(notes[0], want) && strings.Contains(notes[0], tt.want)
		})
	}
}

// podsOfTasks are the pods of a namespace as they were created, by task.
type podsOfTasks struct {
	mu   sync.Mutex
	pods map[string]*corev1.Pod
}

// watchPodsOfTasks keeps the pods of a namespace, which are gone when their tasks have ended.
func watchPodsOfTasks(t *testing.T, c *clustertest.Cluster) *podsOfTasks {
	t.Helper()
	p := &podsOfTasks{pods: map[string]*corev1.Pod{}}
	note := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.pods[pod.Labels["task_id"]] = pod
		}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithNamespace(c.Namespace))
	if _, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: note, UpdateFunc: func(_, object any) { note(object) },
	}); err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	t.Cleanup(factory.Shutdown)
	return p
}

// check compares the pods with what the DAG files say, and when they ran with the graph there.
func (p *podsOfTasks) check(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	want := []string{"evaluate_model", "prepare_data", "register_model", "run_model", "train_net", "train_trees"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(p.pods))); diff != "" {
		t.Fatalf("pods of tasks (-want +got):\n%s", diff)
	}
	for task, pod := range p.pods {
		base := pod.Spec.Containers[0]
		var secret, claim string
		for _, e := range base.Env {
			if e.Name == "DB_PASSWORD" && e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				secret = e.ValueFrom.SecretKeyRef.Name + "/" + e.ValueFrom.SecretKeyRef.Key
			}
		}
		for _, v := range pod.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				claim = v.PersistentVolumeClaim.ClaimName
			}
		}
		mounted := slices.ContainsFunc(base.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/models" })
		if secret != "churn-db/password" || claim != "models" || !mounted {
			t.Errorf("the pod of %s has secret %q, claim %q, mounts %v", task, secret, claim, base.VolumeMounts)
		}
		large := pod.Labels["team"] == "risk" && pod.Spec.NodeSelector["kubernetes.io/os"] == "linux" &&
			slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool { return t.Key == "large" })
		if large != (task == "train_net") || large && base.Resources.Limits.Memory().String() != "128Mi" {
			t.Errorf("the pod of %s has the profile: %t, limits %v", task, large, base.Resources.Limits)
		}
	}
	for _, edge := range [][2]string{
		{"prepare_data", "train_trees"}, {"prepare_data", "train_net"}, {"train_trees", "evaluate_model"},
		{"train_net", "evaluate_model"}, {"evaluate_model", "register_model"},
	} {
		before, after := p.pods[edge[0]], p.pods[edge[1]]
		ended := before.Status.ContainerStatuses[0].State.Terminated
		if ended == nil || after.CreationTimestamp.Time.Before(ended.FinishedAt.Time) {
			t.Errorf("%s ran before %s had ended (%+v)", edge[1], edge[0], ended)
		}
	}
}
