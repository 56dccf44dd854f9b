package instance

import (
	"os"
	"path/filepath"
	"testing"

	"dagwright/deploy"

	"gopkg.in/yaml.v3"
)

// TestDeployedConfig reads the configuration file of the manifests, as it would
// in the pod.
func TestDeployedConfig(t *testing.T) {
	t.Parallel()
	manifest, err := deploy.Kubernetes.ReadFile("kubernetes/30-configuration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configMap struct {
		Data map[string]string `yaml:"data"`
	}
	if err := yaml.Unmarshal(manifest, &configMap); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dagwright.yml")
	if err := os.WriteFile(file, []byte(configMap.Data["dagwright.yml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Scheduler.Executor != "kubernetes" || c.Kubernetes.Kubeconfig != "" || c.Probes == "" {
		t.Errorf("want pods by the account of dagwright's own pod, and probes: got %+v", c)
	}
}
