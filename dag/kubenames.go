package dag

import (
	_ "embed"
	"strings"
	"sync"
)

// isKubernetesClass reports whether a class is one of the Python client's
// models: kubernetes.client.models.V1Volume, kubernetes.client.V1Volume or
// kubernetes.client.models.v1_volume.V1Volume.
func isKubernetesClass(class string) bool {
	rest, ok := strings.CutPrefix(class, "kubernetes.client.")
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, "models.")
	if module, name, ok := strings.Cut(rest, "."); ok && strings.HasPrefix(module, "v1") {
		rest = name
	}
	rest, ok = strings.CutPrefix(rest, "V1")
	if !ok || rest == "" || len(rest) > 100 {
		return false
	}
	for i := range len(rest) {
		c := rest[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// readKubernetes turns a model of the Python client into the dictionary that
// Kubernetes reads. Only the model's own attributes change their spelling: a
// plain mapping below it holds names of the user's.
func (r reader) readKubernetes(o object) (any, bool) {
	fields, ok := r.namedArguments(o)
	if !ok {
		return nil, false
	}
	m := make(map[string]any, len(fields))
	for _, p := range fields {
		if p.value.kind == nullKind {
			continue
		}
		name := KubernetesName(p.key)
		if _, twice := m[name]; twice {
			r.faults.addKey(o.node, p, "%s is given twice, in two spellings", clip(name))
			ok = false
			continue
		}
		v, good := r.readPlain(p.value)
		m[name], ok = v, ok && good
	}
	return m, ok
}

// positions.txt has the arguments of the client's models in their order, one model a line:
// test/airflow/positions.py prints it.
//
//go:embed positions.txt
var positionsFile string

var positions = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	for line := range strings.Lines(positionsFile) {
		if words := strings.Fields(line); len(words) > 1 {
			all[words[0]] = words[1:]
		}
	}
	return all
})

// namedArguments gives a model's arguments, with names for those that stand by position.
func (r reader) namedArguments(o object) ([]pair, bool) {
	if len(o.args) == 0 {
		return o.fields, true
	}
	at := o.node.get(argsKey)
	_, model, _ := strings.Cut(o.class, ".V1")
	names := positions()[model]
	switch {
	case len(names) == 0:
		r.faults.addAt(at, "%s takes named arguments only", o.class)
		return nil, false
	case len(o.args) > len(names):
		r.faults.addAt(at, "%s takes at most %d positional arguments: %s", o.class, len(names), strings.Join(names, ", "))
		return nil, false
	}
	fields := make([]pair, 0, len(o.args)+len(o.fields))
	for i, a := range o.args {
		fields = append(fields, pair{key: names[i], at: a.at, value: a})
	}
	return append(fields, o.fields...), true
}

// irregularNames are the attributes whose spelling does not follow from the
// rule, because Kubernetes writes acronyms in capitals.
var irregularNames = map[string]string{
	"_continue":                       "continue",
	"_exec":                           "exec",
	"_from":                           "from",
	"client_ip":                       "clientIP",
	"cluster_i_ps":                    "clusterIPs",
	"cluster_ip":                      "clusterIP",
	"container_id":                    "containerID",
	"data_disk_uri":                   "dataDiskURI",
	"dataset_uuid":                    "datasetUUID",
	"disk_id":                         "diskID",
	"disk_uri":                        "diskURI",
	"downward_api":                    "downwardAPI",
	"external_i_ps":                   "externalIPs",
	"external_id":                     "externalID",
	"host_i_ps":                       "hostIPs",
	"host_ip":                         "hostIP",
	"host_ipc":                        "hostIPC",
	"host_pid":                        "hostPID",
	"image_id":                        "imageID",
	"load_balancer_ip":                "loadBalancerIP",
	"non_resource_ur_ls":              "nonResourceURLs",
	"partition_id":                    "partitionID",
	"pd_id":                           "pdID",
	"pod_cid_rs":                      "podCIDRs",
	"pod_cidr":                        "podCIDR",
	"pod_i_ps":                        "podIPs",
	"pod_ip":                          "podIP",
	"provider_id":                     "providerID",
	"scale_io":                        "scaleIO",
	"set_hostname_as_fqdn":            "setHostnameAsFQDN",
	"storage_policy_id":               "storagePolicyID",
	"system_uuid":                     "systemUUID",
	"target_ww_ns":                    "targetWWNs",
	"volume_id":                       "volumeID",
	"api_server_id":                   "apiServerID",
	"boot_id":                         "bootID",
	"machine_id":                      "machineID",
	"external_traffic_ip":             "externalTrafficIP",
	"server_address_by_client_cid_rs": "serverAddressByClientCIDRs",
}

// KubernetesName spells an attribute of the Python client as Kubernetes does:
// run_as_user is runAsUser, host_ip hostIP.
func KubernetesName(attribute string) string {
	if name, ok := irregularNames[attribute]; ok {
		return name
	}
	if !strings.Contains(attribute, "_") {
		return attribute
	}
	var b strings.Builder
	for i, part := range strings.Split(attribute, "_") {
		if i == 0 || part == "" {
			b.WriteString(part)
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
