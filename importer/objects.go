package importer

import (
	_ "embed"
	"slices"
	"strings"
)

// positionsText is made by test/airflow/positions.py.
//
//go:embed positions.txt
var positionsText string

// positions are the arguments by position of the models of the Kubernetes client, and of
// what Airflow once had beside them.
var positions = readPositions()

func readPositions() map[string][]string {
	table := map[string][]string{
		"Secret":            {"deploy_type", "deploy_target", "secret", "key", "items"},
		"VolumeMount":       {"name", "mount_path", "sub_path", "read_only"},
		"Volume":            {"name", "configs"},
		"Port":              {"name", "container_port"},
		"PodRuntimeInfoEnv": {"name", "field_path"},
		"Resources": {"request_memory", "request_cpu", "request_ephemeral_storage", "limit_memory", "limit_cpu",
			"limit_gpu", "limit_ephemeral_storage"},
		"timezone":                  {"name"},
		"Param":                     {"default", "description", "source"},
		"CronTriggerTimetable":      {"cron", "timezone"},
		"CronDataIntervalTimetable": {"cron", "timezone"},
	}
	for line := range strings.Lines(positionsText) {
		words := strings.Fields(line)
		if len(words) > 0 {
			table[words[0]] = words[1:]
		}
	}
	return table
}

// object turns what a class would make into an object of the dialect.
func (c converter) object(o call) any {
	class := lastPart(o.path)
	kwargs := c.byName(o, class)
	switch {
	case class == "Secret":
		secret := c.typed(secretClass, kwargs)
		if !secret.has("deploy_target") { // Airflow wants it, if only as None
			secret = append(secret, field{"deploy_target", nil})
		}
		return secret
	case class == "Param":
		return c.param(kwargs)
	case class == "VolumeMount":
		return c.typed(kubernetesClass+"V1VolumeMount", kwargs.without("sub_path_expr"))
	case class == "Volume":
		return c.oldVolume(kwargs)
	case class == "Port":
		return c.typed(kubernetesClass+"V1ContainerPort", kwargs)
	case class == "Resources":
		return c.oldResources(kwargs)
	case class == "PodRuntimeInfoEnv":
		return c.fieldVariable(kwargs)
	case strings.HasPrefix(class, "V1"):
		return c.typed(kubernetesClass+class, kwargs)
	case o.path == "pendulum.timezone":
		return c.plain(kwargs.get("name"))
	}
	return c.typed(o.path, kwargs)
}

// byName gives a call's arguments names.
func (c converter) byName(o call, class string) dict {
	names, known := positions[class]
	var d dict
	if !known && len(o.args) > 0 {
		d = dict{{argsKey, o.args}}
		o.args = nil
	}
	for i, v := range o.args {
		if i >= len(names) {
			c.missing(o.at, "an argument of "+class, "what the argument at this place means is not known")
			continue
		}
		d = append(d, entry{names[i], v})
	}
	return append(d, o.kwargs...)
}

// typed writes an object of a class without the arguments that are None.
func (c converter) typed(class string, kwargs dict) mapping {
	m := mapping{{typeKey, class}}
	for _, f := range c.mapping(kwargs) {
		if f.value != nil {
			m = append(m, f)
		}
	}
	return m
}

func (c converter) param(kwargs dict) mapping {
	return append(mapping{{typeKey, paramClass}}, c.mapping(kwargs.without("source"))...)
}

// oldVolume is Airflow 1's Volume: a name, and the source as Kubernetes spells it.
func (c converter) oldVolume(kwargs dict) mapping {
	m := c.typed(kubernetesClass+"V1Volume", kwargs.without("configs"))
	configs, _ := kwargs.get("configs").(dict)
	for _, f := range c.mapping(configs) {
		m = append(m, field{snakeCase(f.key), f.value})
	}
	return m
}

// oldResources is Airflow 1's Resources, or a dictionary with the same keys.
func (c converter) oldResources(d dict) mapping {
	var requests, limits mapping
	for _, f := range c.mapping(d) {
		part, name, _ := strings.Cut(f.key, "_")
		if name = strings.ReplaceAll(name, "_", "-"); name == "gpu" {
			name = "nvidia.com/gpu"
		}
		switch {
		case f.value == nil:
		case part == "request":
			requests = append(requests, field{name, f.value})
		case part == "limit":
			limits = append(limits, field{name, f.value})
		}
	}
	m := mapping{{typeKey, kubernetesClass + "V1ResourceRequirements"}}
	if requests != nil {
		m = append(m, field{"requests", requests})
	}
	if limits != nil {
		m = append(m, field{"limits", limits})
	}
	return m
}

// isOldResources reports whether a dictionary has Airflow 1's keys.
func isOldResources(d dict) bool {
	return slices.ContainsFunc(d, func(e entry) bool {
		key, _ := e.key.(string)
		return strings.HasPrefix(key, "request_") || strings.HasPrefix(key, "limit_")
	})
}

// fieldVariable is a variable with the value of one of the pod's own fields.
func (c converter) fieldVariable(kwargs dict) mapping {
	return mapping{{typeKey, kubernetesClass + "V1EnvVar"}, {"name", c.plain(kwargs.get("name"))},
		{"value_from", mapping{{typeKey, kubernetesClass + "V1EnvVarSource"},
			{"field_ref", mapping{{typeKey, kubernetesClass + "V1ObjectFieldSelector"},
				{"field_path", c.plain(kwargs.get("field_path"))}}}}}}
}

// snakeCase spells a field of Kubernetes as its Python client does.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
