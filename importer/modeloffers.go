package importer

import (
	"fmt"
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
		var names []any
		for _, name := range b.allowed {
			names = append(names, name)
		}
		m = append(m, field{"allow_pod", names})
	}
	return m
}

// configuration is what the instance's configuration must have; "" for nothing.
func (b *modelBuilder) configuration() string {
	models := b.offered()
	if models == nil {
		return ""
	}
	text, err := encode(mapping{{"models", models}})
	if err != nil {
		return ""
	}
	return string(text)
}
