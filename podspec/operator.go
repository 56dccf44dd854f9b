package podspec

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// operatorFields says where in the pod each argument of KubernetesPodOperator
// goes that is kept in Task.Pod under its own name and that Kubernetes has in
// the same shape. The base container is the first one.
var operatorFields = []struct {
	argument string
	path     string
	target   func(*corev1.Pod) any
}{
	{"namespace", "metadata.namespace", func(p *corev1.Pod) any { return &p.Namespace }},
	{"labels", "metadata.labels", func(p *corev1.Pod) any { return &p.Labels }},
	{"annotations", "metadata.annotations", func(p *corev1.Pod) any { return &p.Annotations }},
	{"active_deadline_seconds", "spec.activeDeadlineSeconds",
		func(p *corev1.Pod) any { return &p.Spec.ActiveDeadlineSeconds }},
	{"affinity", "spec.affinity", func(p *corev1.Pod) any { return &p.Spec.Affinity }},
	{"automount_service_account_token", "spec.automountServiceAccountToken",
		func(p *corev1.Pod) any { return &p.Spec.AutomountServiceAccountToken }},
	{"dns_config", "spec.dnsConfig", func(p *corev1.Pod) any { return &p.Spec.DNSConfig }},
	{"dnspolicy", "spec.dnsPolicy", func(p *corev1.Pod) any { return &p.Spec.DNSPolicy }},
	{"host_aliases", "spec.hostAliases", func(p *corev1.Pod) any { return &p.Spec.HostAliases }},
	{"hostname", "spec.hostname", func(p *corev1.Pod) any { return &p.Spec.Hostname }},
	{"hostnetwork", "spec.hostNetwork", func(p *corev1.Pod) any { return &p.Spec.HostNetwork }},
	{"image_pull_secrets", "spec.imagePullSecrets", func(p *corev1.Pod) any { return &p.Spec.ImagePullSecrets }},
	{"init_containers", "spec.initContainers", func(p *corev1.Pod) any { return &p.Spec.InitContainers }},
	{"node_selector", "spec.nodeSelector", func(p *corev1.Pod) any { return &p.Spec.NodeSelector }},
	{"priority_class_name", "spec.priorityClassName", func(p *corev1.Pod) any { return &p.Spec.PriorityClassName }},
	{"runtime_class_name", "spec.runtimeClassName", func(p *corev1.Pod) any { return &p.Spec.RuntimeClassName }},
	{"schedulername", "spec.schedulerName", func(p *corev1.Pod) any { return &p.Spec.SchedulerName }},
	{"security_context", "spec.securityContext", func(p *corev1.Pod) any { return &p.Spec.SecurityContext }},
	{"service_account_name", "spec.serviceAccountName", func(p *corev1.Pod) any { return &p.Spec.ServiceAccountName }},
	{"subdomain", "spec.subdomain", func(p *corev1.Pod) any { return &p.Spec.Subdomain }},
	{"termination_grace_period", "spec.terminationGracePeriodSeconds",
		func(p *corev1.Pod) any { return &p.Spec.TerminationGracePeriodSeconds }},
	{"tolerations", "spec.tolerations", func(p *corev1.Pod) any { return &p.Spec.Tolerations }},
	{"volumes", "spec.volumes", func(p *corev1.Pod) any { return &p.Spec.Volumes }},
	{"base_container_name", basePath + ".name", func(p *corev1.Pod) any { return &base(p).Name }},
	{"container_resources", basePath + ".resources", func(p *corev1.Pod) any { return &base(p).Resources }},
	{"container_security_context", basePath + ".securityContext",
		func(p *corev1.Pod) any { return &base(p).SecurityContext }},
	{"env_from", basePath + ".envFrom", func(p *corev1.Pod) any { return &base(p).EnvFrom }},
	{"env_vars", basePath + ".env", func(p *corev1.Pod) any { return &base(p).Env }},
	{"image_pull_policy", basePath + ".imagePullPolicy", func(p *corev1.Pod) any { return &base(p).ImagePullPolicy }},
	{"ports", basePath + ".ports", func(p *corev1.Pod) any { return &base(p).Ports }},
	{"termination_message_path", basePath + ".terminationMessagePath",
		func(p *corev1.Pod) any { return &base(p).TerminationMessagePath }},
	{"termination_message_policy", basePath + ".terminationMessagePolicy",
		func(p *corev1.Pod) any { return &base(p).TerminationMessagePolicy }},
	{"volume_mounts", basePath + ".volumeMounts", func(p *corev1.Pod) any { return &base(p).VolumeMounts }},
}

// basePath leads to the base container in a pod.
const basePath = "spec.containers[0]"

// base is the container that the task runs in.
func base(p *corev1.Pod) *corev1.Container { return &p.Spec.Containers[0] }

// operatorPod is the pod that a task's own arguments make, without templates.
type operatorPod struct {
	decoder
	pod *corev1.Pod
	// places maps a path in pod to the argument that it comes from.
	places map[string]string
}

// readOperator reads a task's own arguments.
func readOperator(d decoder, t dag.Task) operatorPod {
	o := operatorPod{decoder: d, places: map[string]string{}, pod: &corev1.Pod{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: BaseContainer, Image: t.Image, Command: t.Cmds, Args: t.Arguments,
		}}},
	}}
	if t.Image != "" {
		o.places[basePath+".image"] = "image"
	}
	if len(t.Cmds) > 0 {
		o.places[basePath+".command"] = "cmds"
	}
	if len(t.Arguments) > 0 {
		o.places[basePath+".args"] = "arguments"
	}
	for _, f := range operatorFields {
		if v, ok := t.Pod[f.argument]; ok && o.decode(f.argument, v, f.target(o.pod)) {
			o.places[f.path] = f.argument
		}
	}
	for i, v := range base(o.pod).Env {
		// By name: the argument may hold values, too, which are kept elsewhere.
		o.places[fmt.Sprintf("%s.env[%d]", basePath, i)] = join("env_vars", v.Name)
	}
	o.addConfigMaps(t)
	o.addSecrets(t)
	o.checkEnv(t)
	return o
}

// addConfigMaps makes each key of the named config maps a variable.
func (o *operatorPod) addConfigMaps(t dag.Task) {
	var names []string
	if v, ok := t.Pod["configmaps"]; !ok || !o.decode("configmaps", v, &names) {
		return
	}
	for i, name := range names {
		o.addEnvFrom(fmt.Sprintf("configmaps[%d]", i), corev1.EnvFromSource{
			ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
		})
	}
}

func (o *operatorPod) addEnvFrom(argument string, from corev1.EnvFromSource) {
	c := base(o.pod)
	o.places[fmt.Sprintf("%s.envFrom[%d]", basePath, len(c.EnvFrom))] = argument
	c.EnvFrom = append(c.EnvFrom, from)
}

// checkEnv refuses a variable that the task sets twice: as a value and by
// reference, or by two references. Which of them counts would be a riddle.
func (o *operatorPod) checkEnv(t dag.Task) {
	from := make(map[string]string, len(t.Env))
	for _, v := range t.Env {
		from[v.Name] = "env_vars"
	}
	for i, v := range base(o.pod).Env {
		place := o.place(fmt.Sprintf("%s.env[%d]", basePath, i))
		if first, twice := from[v.Name]; twice {
			o.faults.add(place, "variable %s is set by %s already; remove one of them", clip(v.Name), first)
		}
		from[v.Name] = place
	}
}
