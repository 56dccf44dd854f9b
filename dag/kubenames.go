package dag

import "strings"

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
	if len(o.args) > 0 {
		r.faults.addAt(o.node.get(argsKey), "%s takes named arguments only", o.class)
		return nil, false
	}
	m, ok := make(map[string]any, len(o.fields)), true
	for _, p := range o.fields {
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
