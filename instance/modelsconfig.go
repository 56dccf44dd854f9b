package instance

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/podspec"
	"dagwright/usage"
)

// modelsConfig is the section "models" of the configuration file.
type modelsConfig struct {
	Registry  string `yaml:"registry"`
	Timezone  string `yaml:"timezone"`
	Templates string `yaml:"templates"`
	// RegistryUsername and RegistryPasswordFile read the registry.
	RegistryUsername     string `yaml:"registry_username"`
	RegistryPasswordFile string `yaml:"registry_password_file"`
	// WaitFor is "pipeline", "image" or "none"; WaitStages build the image.
	WaitFor    string   `yaml:"wait_for"`
	WaitStages []string `yaml:"wait_stages"`
	// Branches of model repositories become DAGs.
	Branches dag.Branches `yaml:"branches"`
	// Secrets are those that models' files may name, by the path of a project or of a group,
	// or "*" for every project.
	Secrets map[string][]string `yaml:"secrets"`
	// Offers are what models may choose from, and the defaults of their settings.
	Offers generator.Offers `yaml:",inline"`
}

// Rendering is what models are rendered with, as a configuration file says.
type Rendering struct {
	Instance generator.Instance
	// Templates is the folder of templates over the built-in ones; it may be empty.
	Templates string
	// Branches become DAGs.
	Branches dag.Branches
}

// ReadRendering reads the sections models, variables and kubernetes of a configuration file
// strictly, and nothing else of it.
func ReadRendering(file string) (Rendering, error) {
	f, err := openConfig(file)
	if err != nil {
		return Rendering{}, err
	}
	f.root = only(f.root, "models", "variables", "kubernetes")
	c := Config{file: file, root: f.root}
	c.Models.Branches, c.Models.Offers = dag.DefaultBranches(), generator.DefaultInstance().Offers
	f.decode(&c)
	if len(f.faults) == 0 {
		c.Kubernetes.check(f, false)
	}
	if len(f.faults) == 0 {
		checkOffers(f, c.Models.Offers, c.Kubernetes.pods())
	}
	if err := f.err(); err != nil {
		return Rendering{}, usage.New(err)
	}
	r := Rendering{Instance: c.instance(), Templates: c.Models.Templates, Branches: c.Models.Branches}
	withChecks(&r.Instance, c.Kubernetes.pods())
	r.Instance.CheckVariables = knownVariables(c.Variables).checker()
	return r, nil
}

// instance is what models are rendered with.
func (c Config) instance() generator.Instance {
	i := DefaultInstance()
	i.Offers, i.Registry = c.Models.Offers, cmp.Or(c.Models.Registry, i.Registry)
	i.WaitFor, i.Timezone = cmp.Or(c.Models.WaitFor, i.WaitFor), cmp.Or(c.Models.Timezone, i.Timezone)
	if c.Models.WaitStages != nil {
		i.WaitStages = c.Models.WaitStages
	}
	i.CheckSecret = c.checkSecret
	return i
}

// checkOffers reports what no model could choose: what the instance's own policy forbids, and
// volumes without a claim or with a folder outside of them.
func checkOffers(f *configFile, offers generator.Offers, pods podspec.Config) {
	usual := faultsOf(pods, nil)
	check := func(key string, arguments map[string]any) {
		for _, e := range faultsOf(pods, arguments) {
			// What a pod without the offer lacks as well, the model or its task may bring.
			if !slices.ContainsFunc(usual, func(u *dag.SpecError) bool { return *u == *e }) {
				f.fault(key, "%s: %s", e.Path, e.Reason)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(offers.Profiles)) {
		check("models.profiles."+name, offers.Profiles[name].PodArguments())
	}
	for _, name := range slices.Sorted(maps.Keys(offers.Volumes)) {
		v, key := offers.Volumes[name], "models.volumes."+name
		f.want(v.Claim != "", key, "want persistent_volume_claim, the name of a claim in the pods' namespace")
		if !isSubPath(v.SubPath) {
			f.fault(key+".sub_path", `%.80q is not a folder of the volume; want something like "{project}"`, v.SubPath)
		} else if v.Claim != "" {
			check(key, v.PodArguments(name))
		}
	}
	check("models.defaults.resources", generator.Profile{Resources: offers.Defaults.Resources}.PodArguments())
}

// faultsOf is what is wrong with a pod that has some arguments.
func faultsOf(pods podspec.Config, arguments map[string]any) dag.SpecErrors {
	err := faults(pods.Check(dag.Task{ID: "t", Image: "registry.example.com/x:1", Pod: arguments}))
	many, _ := err.(dag.SpecErrors) //nolint:errorlint // faults gives nothing else for what podspec finds
	return many
}

// isSubPath reports whether a text is a folder within a volume, perhaps with {project}.
func isSubPath(s string) bool {
	folder := strings.ReplaceAll(s, "{project}", "x")
	return s == "" || folder == path.Clean(folder) && !path.IsAbs(folder) && folder != "." && folder != ".." &&
		!strings.HasPrefix(folder, "../") && !strings.ContainsAny(folder, "{}")
}
