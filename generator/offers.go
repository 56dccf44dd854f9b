package generator

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
)

// Offers are what an instance lets models choose from and what counts where they say nothing:
// the configuration's models.profiles, volumes, defaults and allow_pod.
type Offers struct {
	// Profiles and Volumes are chosen by their names.
	Profiles map[string]Profile `yaml:"profiles"`
	Volumes  map[string]Volume  `yaml:"volumes"`
	Defaults Defaults           `yaml:"defaults"`
	// AllowPod names the operator's arguments that a model's "pod" may hold: some of
	// OfferedArguments.
	AllowPod []string `yaml:"allow_pod"`
	// Unknown says that the instance is not known, and so its offers are not.
	Unknown bool `yaml:"-"`
}

// Profile is a kind of pod that an instance offers, such as one with a GPU.
type Profile struct {
	Resources         Resources         `yaml:"resources"`
	NodeSelector      map[string]string `yaml:"node_selector"`
	Tolerations       []Toleration      `yaml:"tolerations"`
	RuntimeClassName  string            `yaml:"runtime_class_name"`
	PriorityClassName string            `yaml:"priority_class_name"`
	Labels            map[string]string `yaml:"labels"`
}

// Toleration is Kubernetes' own, of a taint of nodes.
type Toleration struct {
	Key      string `yaml:"key"`
	Operator string `yaml:"operator"`
	Value    string `yaml:"value"`
	Effect   string `yaml:"effect"`
	// Seconds is how long a pod stays once the taint is there; for ever when 0.
	Seconds int `yaml:"tolerationSeconds"`
}

// Volume is storage that an instance offers.
type Volume struct {
	// Claim is a PersistentVolumeClaim of the pods' namespace.
	Claim    string `yaml:"persistent_volume_claim"`
	ReadOnly bool   `yaml:"read_only"`
	// SubPath is the folder of the volume that a model gets, all of it when empty;
	// {project} stands for the project's path.
	SubPath string `yaml:"sub_path"`
}

// Defaults are what counts where a model's file says nothing. A time of 0 stands for no limit.
type Defaults struct {
	Retries    int       `yaml:"retries"`
	RetryDelay Duration  `yaml:"retry_delay"`
	Timeout    Duration  `yaml:"timeout"`
	RunTimeout Duration  `yaml:"run_timeout"`
	Resources  Resources `yaml:"resources"`
}

// settings are the defaults as the farthest layer of a model's settings.
func (d Defaults) settings() Settings {
	return Settings{
		TaskSettings: TaskSettings{
			Retries: &d.Retries, RetryDelay: &d.RetryDelay, Timeout: &d.Timeout, Resources: d.Resources,
		},
		RunTimeout: &d.RunTimeout, MaxActiveRuns: 1,
	}
}

// ownArguments are arguments of the operator that no "pod" may hold, with what to write
// instead.
var ownArguments = map[string]string{
	"container_resources": "write resources",
	"labels":              "labels are the instance's: a profile may bring some",
	"full_pod_spec":       "write the operator's other arguments",
	"pod_template_dict":   "write the operator's other arguments",
}

// OfferedArguments are the arguments of the operator that Offers.AllowPod may name.
func OfferedArguments() []string {
	return slices.DeleteFunc(dag.PodArguments(), func(name string) bool { return ownArguments[name] != "" })
}

// Duration is a time of whole seconds, written like 90s, 5m, 2h or 1d.
type Duration time.Duration

// longest bounds every time of a model's file.
const longest = 366 * 24 * time.Hour

var duration = regexp.MustCompile(`^([0-9]{1,9})(s|m|h|d)$`)

// ParseDuration reads 90s, 5m, 2h or 1d, of at most 366 days.
func ParseDuration(s string) (Duration, error) {
	parts := duration.FindStringSubmatch(s)
	if parts == nil {
		return 0, errors.New("is not a time; want something like 90s, 5m, 2h or 1d")
	}
	n, _ := strconv.ParseInt(parts[1], 10, 64) // digits by the pattern
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[parts[2]]
	if n > int64(longest/unit) {
		return 0, fmt.Errorf("is too long; at most %d days", longest/(24*time.Hour))
	}
	return Duration(time.Duration(n) * unit), nil
}

// UnmarshalYAML reads what ParseDuration reads, and 0.
func (d *Duration) UnmarshalYAML(n *yaml.Node) (err error) {
	if n.Kind == yaml.ScalarNode && n.Value == "0" {
		*d = 0
		return nil
	}
	if *d, err = ParseDuration(n.Value); err != nil {
		return fmt.Errorf("%.60q %w", n.Value, err)
	}
	return nil
}

// String gives the time as it would be written, in its largest whole unit.
func (d Duration) String() string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if t := time.Duration(d); t > 0 && t%unit.size == 0 {
			return strconv.FormatInt(int64(t/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(d.seconds(), 10) + "s"
}

func (d Duration) seconds() int64 { return int64(time.Duration(d) / time.Second) }

// timedelta is the time as dag-factory's dialect has it; nil for none.
func (d Duration) timedelta() any {
	if d == 0 {
		return nil
	}
	unit, n := "seconds", d.seconds()
	switch {
	case n%3600 == 0:
		unit, n = "hours", n/3600
	case n%60 == 0:
		unit, n = "minutes", n/60
	}
	return map[string]any{"__type__": "datetime.timedelta", unit: n}
}

// choices says which names an instance has.
func (o Offers) choices(names []string) string {
	switch {
	case len(names) > 0:
		return "this instance has " + strings.Join(names, ", ")
	case o.Unknown:
		return notKnown
	}
	return "this instance has none"
}

// allowed says which arguments of the operator an instance allows.
func (o Offers) allowed() string {
	switch {
	case len(o.AllowPod) > 0:
		return "this instance allows " + strings.Join(o.AllowPod, ", ")
	case o.Unknown:
		return notKnown
	}
	return "this instance allows none"
}

const notKnown = "what an instance has is known with its configuration (--config) alone"
