package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/podspec"
)

// minimalConfig is the least that a configuration file must say.
const minimalConfig = `
auth: none
database: sqlite:x.db
data: x
dag_repository: {url: x.git, project: gbc/airflow-dev}
gitlab: {url: https://gitlab.example.com, groups: [gbc]}
webhook: {secret_files: [x]}
models: {registry: registry.example.com}
`

// readConfig reads a configuration file of the given text.
func readConfig(t *testing.T, text string) (Config, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dagwright.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(file)
	if err != nil {
		return c, strings.ReplaceAll(err.Error(), file, "FILE")
	}
	return c, ""
}

func TestKubernetesConfig(t *testing.T) {
	t.Parallel()
	c, fault := readConfig(t, minimalConfig+`
scheduler: {executor: kubernetes}
kubernetes:
  kubeconfig: /etc/dagwright/kubeconfig
  context: prod
  namespace: models-prod
  instance: prod
  qps: 100
  burst: 200
  startup_timeout: 5m
  policy:
    pod_security: baseline
    namespaces: [team-*]
    service_accounts: [scorer]
    service_account_token: true
    registries: []
    max_resources: {cpu: "8", memory: 32Gi}
    require_limits: [memory]
    require_requests: [cpu]
    node_selector: {pool: models}
    node_labels: [disk]
    tolerations: [spot]
    priority_classes: [batch]
    secrets: [churn-*]
    config_maps: [common]
`)
	if fault != "" {
		t.Fatal(fault)
	}
	want := kubernetesConfig{
		Kubeconfig: "/etc/dagwright/kubeconfig", Context: "prod", Namespace: "models-prod", Instance: "prod", QPS: 100,
		Burst:          200,
		StartupTimeout: 5 * time.Minute, Policy: podspec.Policy{
			PodSecurity: "baseline", Namespaces: []string{"team-*"}, ServiceAccounts: []string{"scorer"},
			ServiceAccountToken: true,
			Registries:          []string{}, MaxResources: map[string]string{"cpu": "8", "memory": "32Gi"},
			RequireLimits:   []string{"memory"},
			RequireRequests: []string{"cpu"}, NodeSelector: map[string]string{"pool": "models"}, NodeLabels: []string{"disk"},
			Tolerations: []string{"spot"}, PriorityClasses: []string{"batch"}, Secrets: []string{"churn-*"},
			ConfigMaps: []string{"common"},
		},
	}
	if diff := cmp.Diff(want, c.Kubernetes); diff != "" {
		t.Errorf("section kubernetes (-want +got):\n%s", diff)
	}
	if got := c.Kubernetes.pods(); got.Instance != "prod" || got.Namespace != "models-prod" ||
		got.StartupTimeout != 5*time.Minute {
		t.Errorf("pods() = %+v", got)
	}
}

func TestWrongKubernetesConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"nothing said", "", ""},
		{"another executor", "scheduler: {executor: kubernets}",
			`FILE:9:23: scheduler.executor: is "kubernets"; want "process" or "kubernetes"`},
		{"pods without a place", "scheduler: {executor: kubernetes}",
			"FILE: kubernetes.namespace: want the namespace of the tasks' pods\n" +
				"FILE: kubernetes.instance: want a name that no other dagwright in the cluster has, such as prod"},
		{"unknown keys", "kubernetes: {name_space: x, policy: {registrys: []}}",
			"FILE:9:14: kubernetes: unknown key \"name_space\"; did you mean \"namespace\"?\n" +
				"FILE:9:38: kubernetes.policy: unknown key \"registrys\"; did you mean \"registries\"?"},
		{"an unknown key of the whole file", "kubernets: {}",
			`FILE:9:1: unknown key "kubernets"; did you mean "kubernetes"?`},
		{"a list for a name", "kubernetes: {namespace: [x]}",
			"FILE:9:25: kubernetes.namespace: is a list; want the namespace of the tasks' pods"},
		{"numbers and words", "kubernetes: {qps: -1, burst: -2, policy: {pod_security: strict}}",
			"FILE:9:19: kubernetes.qps: is \"-1\"; want requests a second, more than 0, such as 100\n" +
				"FILE:9:30: kubernetes.burst: is \"-2\"; want a number of requests from 1, such as 200\n" +
				"FILE:9:57: kubernetes.policy.pod_security: is \"strict\"; want restricted, baseline or privileged"},
		{"a policy that cannot hold", "kubernetes: {context: x, policy: {max_resources: {cpu: many}}}",
			"FILE:9:23: kubernetes.context: names a context, but there is no kubernetes.kubeconfig\n" +
				"FILE:9:56: kubernetes.policy.max_resources.cpu: \"many\": want a quantity such as 500m or 2Gi"},
	} {
		_, got := readConfig(t, minimalConfig+tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestPodRules gives other rules another name, and the same rules the same.
func TestPodRules(t *testing.T) {
	t.Parallel()
	one, same := AnyInstance(), AnyInstance()
	if podRules(one) != podRules(same) {
		t.Error("the same rules have two names")
	}
	same.Policy.MaxResources = map[string]string{"cpu": "1"}
	if podRules(one) == podRules(same) {
		t.Error("other rules have the same name")
	}
}

// TestReadPods reads the policy out of a file that is not a whole configuration, strictly.
func TestReadPods(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"kubernetes: {namespace: models, policy: {pod_security: baseline}}\ndata: [anything]\nelse: x\n": "",
		"": "", "data: x\n": "",
		"kubernetes: {policy: {pod_security: high}}\n": `:1:37: kubernetes.policy.pod_security: is "high"; want`,
		"x: 1\nkubernetes: {polcy: {}}\n":              `:2:14: kubernetes: unknown key "polcy"; did you mean "policy"?`,
		"kubernetes: [\n":                              ":1: not YAML: ",
		"- x\n":                                        ":1:1: is a list; want a section",
	} {
		file := filepath.Join(t.TempDir(), "dagwright.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		pods, err := ReadPods(file)
		if want == "" {
			if err != nil || strings.Contains(text, "models") &&
				(pods.Namespace != "models" || pods.Policy.PodSecurity != "baseline") {
				t.Errorf("%q: %+v, %v", text, pods, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
