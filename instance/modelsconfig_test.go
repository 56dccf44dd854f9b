package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/generator"
)

const offersFile = `models:
  registry: registry.example.com
  branches: {scoring: prod, retrain: train}
  profiles:
    gpu-small:
      resources: {requests: {cpu: "4"}, limits: {memory: 16Gi, nvidia.com/gpu: "1"}}
      node_selector: {pool: gpu}
      tolerations: [{key: gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 60}]
      runtime_class_name: nvidia
      priority_class_name: batch
      labels: {team: risk}
    plain:
  volumes:
    models: {persistent_volume_claim: models, read_only: true, sub_path: "{project}/all"}
  defaults: {retries: 0, timeout: 2d, run_timeout: 90m, resources: {limits: {memory: 1Gi}}}
  allow_pod: [affinity, tolerations]
kubernetes:
  policy: {priority_classes: [batch], runtime_classes: [nvidia], labels: [team], volume_claims: [models]}
`

// TestOffersConfig reads what an instance offers, with the whole file and for one command.
func TestOffersConfig(t *testing.T) {
	t.Parallel()
	want := generator.Offers{
		Profiles: map[string]generator.Profile{"plain": {}, "gpu-small": {
			Resources: generator.Resources{Requests: map[string]string{"cpu": "4"},
				Limits: map[string]string{"memory": "16Gi", "nvidia.com/gpu": "1"}},
			NodeSelector: map[string]string{"pool": "gpu"}, RuntimeClassName: "nvidia", PriorityClassName: "batch",
			Tolerations: []generator.Toleration{{Key: "gpu", Operator: "Exists", Effect: "NoExecute", Seconds: 60}},
			Labels:      map[string]string{"team": "risk"},
		}},
		Volumes: map[string]generator.Volume{"models": {Claim: "models", ReadOnly: true, SubPath: "{project}/all"}},
		Defaults: generator.Defaults{
			RetryDelay: generator.Duration(5 * time.Minute), Timeout: generator.Duration(48 * time.Hour),
			RunTimeout: generator.Duration(90 * time.Minute),
			Resources:  generator.Resources{Limits: map[string]string{"memory": "1Gi"}},
		},
		AllowPod: []string{"affinity", "tolerations"},
	}
	if _, fault := readConfig(t, strings.Replace(minimalConfig, "models:", "unused:", 1)); fault == "" {
		t.Fatal("an unknown section is read")
	}
	file := filepath.Join(t.TempDir(), "dagwright.yml")
	if err := os.WriteFile(file, []byte(offersFile), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := ReadRendering(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.Instance.Offers); diff != "" {
		t.Errorf("offers for one command (-want +got):\n%s", diff)
	}
	if r.Branches.Scoring != "prod" || r.Instance.Registry != "registry.example.com" || r.Instance.CheckTask == nil {
		t.Errorf("read as %+v", r)
	}
	models, rest, _ := strings.Cut(offersFile, "kubernetes:")
	c, fault := readConfig(t, replacedSection(minimalConfig, "models", models)+"kubernetes:"+rest)
	if fault != "" {
		t.Fatal(fault)
	}
	if diff := cmp.Diff(want, c.instance().Offers); diff != "" {
		t.Errorf("offers of the instance (-want +got):\n%s", diff)
	}
}

// replacedSection is a configuration with a whole section instead of a line.
func replacedSection(config, key, text string) string {
	var out strings.Builder
	for line := range strings.Lines(config) {
		if !strings.HasPrefix(line, key+":") {
			out.WriteString(line)
		}
	}
	return out.String() + text
}

// TestOffersThatCannotWork refuses what no model could choose, at its key.
func TestOffersThatCannotWork(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"profiles: {GPU: {}}":                                             `models.profiles: has the name "GPU"; want names with kinds of pods`,
		"profiles: {a: {node: x}}":                                        `models.profiles.a: unknown key "node"; want resources, node_selector`,
		"profiles: {a: {tolerations: {}}}":                                `models.profiles.a.tolerations: is a section; want a list of tolerations`,
		"profiles: {a: {tolerations: [x]}}":                               `models.profiles.a.tolerations[0]: is "x"; want a section with keys such as key`,
		"profiles: {a: {tolerations: [{effect: Never}]}}":                 `models.profiles.a.tolerations[0].effect: is "Never"; want NoSchedule`,
		"profiles: {a: {resources: {limits: {memory: lots}}}}":            `models.profiles.a: container_resources.limits.memory: "lots" is not a quantity`,
		"profiles: {a: {priority_class_name: batch}}":                     `models.profiles.a: priority_class_name: `,
		"profiles: {a: {labels: {team: risk}}}":                           `models.profiles.a: labels.team: `,
		"volumes: {models: {read_only: true}}":                            `models.volumes.models: want persistent_volume_claim`,
		"volumes: {models: {persistent_volume_claim: m}}":                 `models.volumes.models: volumes[0]`,
		"volumes: {m: {persistent_volume_claim: m, sub_path: ../x}}":      `models.volumes.m.sub_path: "../x" is not a folder of the volume`,
		"volumes: {m: {persistent_volume_claim: m, sub_path: \"{dag}\"}}": `is not a folder of the volume`,
		"defaults: {timeout: 2}":                                          `models.defaults.timeout: is "2"; want a time such as 90s, 5m, 2h or 1d, or 0 for no limit`,
		"defaults: {resources: {limits: {cpu: -1}}}":                      `models.defaults.resources: container_resources.limits.cpu: `,
		"allow_pod: [image]":                                              `models.allow_pod[0]: "image" is wrong; want arguments of the operator, of active_deadline_seconds, affinity, `,
		"allow_pod: [labels]":                                             `models.allow_pod[0]: "labels" is wrong`,
	} {
		_, fault := readConfig(t, replaced(minimalConfig, "models: {registry: r.example.com, "+text+"}"))
		if !strings.Contains(fault, want) || !strings.HasPrefix(fault, "FILE:") {
			t.Errorf("%s:\n%s\nwant %s", text, fault, want)
		}
	}
}

// TestOffersBesideRequirements takes a profile that leaves to models what the policy requires.
func TestOffersBesideRequirements(t *testing.T) {
	t.Parallel()
	text := replaced(minimalConfig, "models: {registry: r.example.com, profiles: {a: {node_selector: {pool: gpu}}}}") +
		"kubernetes: {policy: {require_limits: [memory], registries: [r.example.com/gbc]}}\n"
	if _, fault := readConfig(t, text); fault != "" {
		t.Error(fault)
	}
}

// TestSecretsOfModels asks which secrets the models of a project may name.
func TestSecretsOfModels(t *testing.T) {
	t.Parallel()
	const rules = "models: {registry: r.example.com, secrets: {gbc/risk: [risk-*], gbc/risk/churn: [churn-db], \"*\": [shared]}}\n"
	const policy = "kubernetes: {policy: {secrets: [churn-*]}}\n"
	none := "this instance lists none for them"
	for _, c := range []struct{ name, config, project, secret, want string }{
		{"nothing is listed", "models: {registry: r.example.com}\n", "gbc/risk/churn", "churn-db", none},
		{"the policy lists it", "models: {registry: r.example.com}\n" + policy, "gbc/risk/churn", "churn-db", ""},
		{"the policy does not", "models: {registry: r.example.com}\n" + policy, "gbc/risk/churn", "fraud-db", "they may name churn-*"},
		{"of the project", rules, "gbc/risk/churn", "churn-db", ""},
		{"of the project in another case", rules, "GBC/Risk/Churn", "churn-db", ""},
		{"of the group", rules, "gbc/risk/fraud", "risk-db", ""},
		{"of all", rules, "eve/x", "shared", ""},
		{"of another project", rules, "gbc/risk/fraud", "churn-db", "they may name shared, risk-*"},
		{"of a project whose name begins alike", rules, "gbc/risk-x/churn", "risk-db", "they may name shared"},
		{"of another project, though the policy lists it", rules + policy, "gbc/risk/fraud", "churn-db", "they may name shared, risk-*"},
		{"an empty list", "models: {registry: r.example.com, secrets: {}}\n" + policy, "gbc/risk/churn", "churn-db", none},
	} {
		file := filepath.Join(t.TempDir(), "dagwright.yml")
		if err := os.WriteFile(file, []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := ReadRendering(file)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.want != "" {
			want = fmt.Sprintf("secret %q is not for models of %s (models.secrets); %s", c.secret, c.project, c.want)
		}
		got := ""
		if err := r.Instance.CheckSecret(c.project, c.secret); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}
