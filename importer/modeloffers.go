package importer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// offer is a profile or volume under a name.
type offer struct {
	name  string
	value mapping
}

// offerProfile names a profile; those that are alike share a name.
func (b *modelBuilder) offerProfile(profile mapping) string {
	name := "pods"
	if profile.has("resources") {
		name = "gpu"
	}
	return b.offer(&b.profiles, name, profile)
}

func (b *modelBuilder) offer(offers *[]offer, name string, value mapping) string {
	free := name
	for i := 2; ; i++ {
		at := slices.IndexFunc(*offers, func(o offer) bool { return o.name == free })
		if at < 0 {
			*offers = append(*offers, offer{free, value})
			return free
		}
		if same((*offers)[at].value, value) {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, i)
	}
}

// offered is the section models of the instance's configuration that the model needs.
func (b *modelBuilder) offered() mapping {
	var m mapping
	for _, section := range []struct {
		key    string
		offers []offer
	}{{"profiles", b.profiles}, {"volumes", b.volumes}} {
		var all mapping
		for _, o := range section.offers {
			all = append(all, field{o.name, o.value})
		}
		if all != nil {
			m = append(m, field{section.key, all})
		}
	}
	if len(b.allowed) > 0 {
		m = append(m, field{"allow_pod", texts(b.allowed)})
	}
	return m
}

// configuration is what the instance's configuration must have, as YAML; "" for nothing.
func (b *modelBuilder) configuration(project string) string {
	models := b.offered()
	if len(b.secrets) > 0 {
		named := mapping{{cmp.Or(project, unknownText), texts(b.secrets)}}
		models = append(mapping{{"secrets", named}}, models...)
	}
	if models == nil {
		return ""
	}
	config := mapping{{"models", models}}
	if policy := b.policy(); policy != nil {
		config = append(config, field{"kubernetes", mapping{{"policy", policy}}})
	}
	text, err := encode(config)
	if err != nil {
		return ""
	}
	return string(text)
}

// policy is what the closed lists of the instance's policy must have, since an instance does
// not start with an offer that its own policy forbids.
func (b *modelBuilder) policy() mapping {
	allowed := map[string][]string{}
	allow := func(list string, v any) {
		if name, ok := v.(string); ok && !slices.Contains(allowed[list], name) {
			allowed[list] = append(allowed[list], name)
		}
	}
	for _, o := range b.profiles {
		allow("priority_classes", o.value.get("priority_class_name"))
		allow("runtime_classes", o.value.get("runtime_class_name"))
		labels, _ := o.value.get("labels").(mapping)
		for _, label := range labels {
			allow("labels", label.key)
		}
	}
	for _, o := range b.volumes {
		allow("volume_claims", o.value.get("persistent_volume_claim"))
	}
	for _, pod := range b.pods {
		allow("service_accounts", pod.get("service_account_name"))
		allow("schedulers", pod.get("schedulername"))
		annotations, _ := pod.get("annotations").(mapping)
		for _, annotation := range annotations {
			allow("annotations", annotation.key)
		}
	}
	var m mapping
	for _, list := range slices.Sorted(maps.Keys(allowed)) {
		m = append(m, field{list, texts(allowed[list])})
	}
	return m
}

// texts is a sorted list of YAML.
func texts(names []string) []any {
	var list []any
	for _, name := range slices.Sorted(slices.Values(names)) {
		list = append(list, name)
	}
	return list
}
