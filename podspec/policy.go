package podspec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"

	"dagwright/dag"
)

// Policy is what the specs of an instance may ask for. It is read from the
// instance's configuration. The zero Policy is a safe one: Pod Security
// "restricted", the instance's own namespace, the service account "default", and
// no token of it; images from anywhere, resources without a ceiling.
//
// Each list of names says what is allowed. A list that is left out stands for
// what its field says; an empty list ([]) allows nothing. An entry that ends in
// "*" stands for every name that begins so.
type Policy struct {
	// PodSecurity is the level of Kubernetes' Pod Security Standards that pods
	// must keep: restricted (also when it is empty), baseline or privileged. See
	// https://kubernetes.io/docs/concepts/security/pod-security-standards/.
	PodSecurity string `yaml:"pod_security"`
	// Namespaces beside the instance's own. Left out: none.
	Namespaces []string `yaml:"namespaces"`
	// ServiceAccounts that pods may run as. Left out: default alone.
	ServiceAccounts []string `yaml:"service_accounts"`
	// ServiceAccountToken lets a spec ask for the token of its service account,
	// with which a container can talk to the cluster's API.
	ServiceAccountToken bool `yaml:"service_account_token"`
	// Registries are where images may come from: a registry's host, or a host
	// and the beginning of a path, as in registry.example.com/gbc. Images without
	// a host are of docker.io. Left out: any.
	Registries []string `yaml:"registries"`
	// MaxResources is the most that one pod may ask for of each resource, such as
	// {cpu: "8", memory: 32Gi, nvidia.com/gpu: "1"}; requests and limits are
	// counted each for itself, over all containers that run at the same time.
	MaxResources map[string]string `yaml:"max_resources"`
	// RequireLimits are the resources of which every container must have a limit.
	// Without one, MaxResources bounds a container's request and not its use.
	RequireLimits []string `yaml:"require_limits"`
	// RequireRequests are those of which every container must have a request. As
	// in Kubernetes, a limit counts as a request of the same size.
	RequireRequests []string `yaml:"require_requests"`
	// NodeSelector is part of every pod's node selector; a spec may not
	// contradict it. A pod may never name its node.
	NodeSelector map[string]string `yaml:"node_selector"`
	// NodeLabels are the labels of nodes that specs may select or avoid nodes by.
	// Left out: any.
	NodeLabels []string `yaml:"node_labels"`
	// Tolerations are the taints, by key, that specs may tolerate; "*" stands for
	// all of them and for the toleration without a key. Left out: any.
	Tolerations []string `yaml:"tolerations"`
	// The lists from here to Annotations are closed: left out they allow nothing
	// while PodSecurity is restricted, and anything otherwise.

	// PriorityClasses that specs may name.
	PriorityClasses []string `yaml:"priority_classes"`
	// RuntimeClasses that specs may name.
	RuntimeClasses []string `yaml:"runtime_classes"`
	// Schedulers that specs may name beside Kubernetes' own.
	Schedulers []string `yaml:"schedulers"`
	// ResourceClaims are claims, and templates of them, that specs may name.
	ResourceClaims []string `yaml:"resource_claims"`
	// VolumeClaims are the claims of volumes that specs may mount.
	VolumeClaims []string `yaml:"volume_claims"`
	// StorageClasses that volumes of a pod's own may name.
	StorageClasses []string `yaml:"storage_classes"`
	// CSIDrivers that volumes may be of.
	CSIDrivers []string `yaml:"csi_drivers"`
	// CSIAttributes are what such a volume may say to its driver, as name=value,
	// such as secretProviderClass=churn-*.
	CSIAttributes []string `yaml:"csi_attributes"`
	// NodeProfiles are the files of seccomp and AppArmor profiles on the nodes that
	// specs may name.
	NodeProfiles []string `yaml:"node_profiles"`
	// Labels that specs may set, by key: services and NetworkPolicies select pods by
	// them.
	Labels []string `yaml:"labels"`
	// Annotations that specs may set, by key: some make others in the cluster
	// change a pod, or give it secrets.
	Annotations []string `yaml:"annotations"`

	// Secrets that specs may refer to, in variables, volumes and as pull secrets.
	// Left out: any of the pod's namespace.
	Secrets []string `yaml:"secrets"`
	// ConfigMaps that specs may refer to. Left out: any of the pod's namespace.
	ConfigMaps []string `yaml:"config_maps"`
}

// Validate says what is wrong with the instance's own settings; it is nil when
// nothing is. The error is a dag.SpecErrors, whose paths are keys of the configuration.
// Build and Check expect a Config that has passed it.
func (c Config) Validate() error {
	var faults dag.SpecErrors
	wrong := func(key, format string, args ...any) {
		faults = append(faults, &dag.SpecError{Path: key, Reason: fmt.Sprintf(format, args...)})
	}
	if text := validation.IsValidLabelValue(c.Instance); len(text) > 0 || c.Instance == "" {
		wrong("instance", "%s: want 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
			clip(c.Instance))
	}
	if len(validation.IsDNS1123Label(c.Namespace)) > 0 {
		wrong("namespace", "%s: want the name of a namespace: at most 63 lower-case letters, digits and '-'",
			clip(c.Namespace))
	}
	if c.StartupTimeout < 0 {
		wrong("startup_timeout", "%s: want a duration of 0 or more", c.StartupTimeout)
	}
	if c.Grace < 0 || c.Grace%time.Second != 0 {
		wrong("grace", "%s: want whole seconds, 0 or more", c.Grace)
	}
	return append(faults, c.Policy.validate()...).Err()
}

func (p Policy) validate() dag.SpecErrors {
	var faults dag.SpecErrors
	wrong := func(key, format string, args ...any) {
		faults = append(faults, &dag.SpecError{Path: key, Reason: fmt.Sprintf(format, args...)})
	}
	if !slices.Contains([]string{"", "restricted", "baseline", "privileged"}, p.PodSecurity) {
		wrong("policy.pod_security", "%s: want restricted, baseline or privileged", clip(p.PodSecurity))
	}
	for i, r := range p.Registries {
		if _, ok := registryPrefix(r); !ok {
			wrong(fmt.Sprintf("policy.registries[%d]", i),
				"%s: want a registry's host and perhaps a path, such as registry.example.com/gbc", clip(r))
		}
	}
	for _, name := range sortedKeys(p.MaxResources) {
		if q, err := resource.ParseQuantity(p.MaxResources[name]); err != nil || q.Sign() < 0 {
			wrong("policy.max_resources."+name, "%s: want a quantity such as 500m or 2Gi", clip(p.MaxResources[name]))
		}
	}
	for _, name := range sortedKeys(p.NodeSelector) {
		if len(validation.IsQualifiedName(name)) > 0 || len(validation.IsValidLabelValue(p.NodeSelector[name])) > 0 {
			wrong("policy.node_selector", "%s=%s is not the label of a node", clip(name), clip(p.NodeSelector[name]))
		}
	}
	for _, list := range []struct {
		key   string
		names []string
	}{
		{"namespaces", p.Namespaces}, {"service_accounts", p.ServiceAccounts}, {"node_labels", p.NodeLabels},
		{"tolerations", p.Tolerations},
		{"priority_classes", p.PriorityClasses}, {"runtime_classes", p.RuntimeClasses}, {"schedulers", p.Schedulers},
		{"resource_claims", p.ResourceClaims}, {"volume_claims", p.VolumeClaims}, {"storage_classes", p.StorageClasses},
		{"csi_drivers", p.CSIDrivers}, {"csi_attributes", p.CSIAttributes}, {"node_profiles", p.NodeProfiles},
		{"labels", p.Labels}, {"annotations", p.Annotations},
		{"secrets", p.Secrets}, {"config_maps", p.ConfigMaps},
	} {
		for i, name := range list.names {
			at := fmt.Sprintf("policy.%s[%d]", list.key, i)
			switch {
			case name == "":
				wrong(at, "is empty; want a name, or the beginning of names with \"*\" at its end")
			case strings.Contains(name[:len(name)-1], "*"):
				wrong(at, "%s: \"*\" may stand at the end only", clip(name))
			}
		}
	}
	return faults
}

// level is the policy's Pod Security level; what is not known is restricted.
func (p Policy) level() api.Level {
	switch p.PodSecurity {
	case "baseline":
		return api.LevelBaseline
	case "privileged":
		return api.LevelPrivileged
	}
	return api.LevelRestricted
}

// Allows reports whether a list of allowed names has a name in it. An entry that ends in "*"
// stands for all names that begin with the rest of it.
func Allows(list []string, name string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		prefix, open := strings.CutSuffix(entry, "*")
		return entry == name || open && strings.HasPrefix(name, prefix)
	})
}

// listed shows a list of allowed names in a message.
func listed(list []string) string {
	if len(list) == 0 {
		return "(none)"
	}
	return strings.Join(list, ", ")
}

// registryPrefix gives an allowed registry in the form in which repositories are
// compared. ok is false for what is not a registry.
func registryPrefix(s string) (prefix string, ok bool) {
	host, path, _ := strings.Cut(strings.TrimSuffix(s, "/"), "/")
	if host == "index.docker.io" {
		host = "docker.io"
	}
	// As in an image's name, a host is known by its dot or port.
	if host != "localhost" && !strings.ContainsAny(host, ".:") {
		return "", false
	}
	prefix = strings.TrimSuffix(host+"/"+path, "/")
	named, err := reference.ParseNamed(prefix + "/x/y")
	return prefix, err == nil && named.Name() == prefix+"/x/y"
}

// fromRegistry reports whether a repository is in an allowed registry, at or
// below its path.
func fromRegistry(registries []string, repository string) bool {
	return slices.ContainsFunc(registries, func(r string) bool {
		prefix, ok := registryPrefix(r)
		return ok && (repository == prefix || strings.HasPrefix(repository, prefix+"/"))
	})
}
