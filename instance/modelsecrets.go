package instance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/podspec"
)

var (
	// secretPattern is the name of a secret, or the beginning of one with a "*".
	secretPattern = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]{0,252})?\*?$`)
	// projectPattern is the path of a GitLab project or group.
	projectPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
)

// checkSecret says why the models of a project may not name a secret. The pods of all teams are
// in one namespace, so what nobody has listed is for nobody.
func (c Config) checkSecret(project, secret string) error {
	allowed := c.secretsOf(project)
	if podspec.Allows(allowed, secret) {
		return nil
	}
	there := "this instance lists none for them"
	if len(allowed) > 0 {
		there = "they may name " + strings.Join(allowed, ", ")
	}
	return fmt.Errorf("secret %.80q is not for models of %s (models.secrets); %s", secret, project, there)
}

// secretsOf are the secrets that the models of a project may name: without models.secrets those
// that the policy lists.
func (c Config) secretsOf(project string) []string {
	if c.Models.Secrets == nil {
		return c.Kubernetes.Policy.Secrets
	}
	var allowed []string
	for _, path := range slices.Sorted(maps.Keys(c.Models.Secrets)) {
		if path == "*" || dag.IsOfPath(project, path) {
			allowed = append(allowed, c.Models.Secrets[path]...)
		}
	}
	return allowed
}

// secretsFor reports whether secrets can be listed for a name: "*", or the path of a project or
// group.
func secretsFor(name string) bool { return name == "*" || projectPattern.MatchString(name) }
