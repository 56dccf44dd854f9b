package podspec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/podspec"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	good := podspec.Config{Instance: "dev", Namespace: "models", Policy: podspec.Policy{
		PodSecurity:  "baseline",
		Registries:   []string{"registry.example.com/gbc/", "registry:5000", "docker.io", "index.docker.io/library"},
		MaxResources: map[string]string{"cpu": "8", "memory": "32Gi"},
		NodeSelector: map[string]string{"example.com/pool": "models"},
	}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := podspec.Config{Instance: "dev instance", Namespace: "Models", StartupTimeout: -time.Second,
		Grace: 1500 * time.Millisecond, Policy: podspec.Policy{
			PodSecurity: "strict", Registries: []string{"registry.example.com", "https://registry.example.com", "gbc"},
			MaxResources: map[string]string{"memory": "lots", "cpu": "-1"}, NodeSelector: map[string]string{"a b": "c"},
			Secrets: []string{"a*b"}, Tolerations: []string{""},
		}}
	want := `instance: "dev instance": want 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends
namespace: "Models": want the name of a namespace: at most 63 lower-case letters, digits and '-'
startup_timeout: -1s: want a duration of 0 or more
grace: 1.5s: want whole seconds, 0 or more
policy.pod_security: "strict": want restricted, baseline or privileged
policy.registries[1]: "https://registry.example.com": want a registry's host and perhaps a path, such as registry.example.com/gbc
policy.registries[2]: "gbc": want a registry's host and perhaps a path, such as registry.example.com/gbc
policy.max_resources.cpu: "-1": want a quantity such as 500m or 2Gi
policy.max_resources.memory: "lots": want a quantity such as 500m or 2Gi
policy.node_selector: "a b"="c" is not the label of a node
policy.tolerations[0]: is empty; want a name, or the beginning of names with "*" at its end
policy.secrets[0]: "a*b": "*" may stand at the end only`
	if diff := cmp.Diff(want, strings.TrimSuffix(reasons(t, bad.Validate()), ": invalid")); diff != "" {
		t.Errorf("Validate (-want +got):\n%s", diff)
	}
}
