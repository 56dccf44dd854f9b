// Package podspec turns a task into the Kubernetes Pod that runs it. It is pure:
// no cluster, no clock, so that the same task gives the same pod wherever it is
// built, and a pod that exists already can be recognised.
//
// A task's fields are those of Airflow's KubernetesPodOperator (provider
// cncf.kubernetes 10.25.0), and so is the order in which they count: the
// operator's own fields over full_pod_spec over pod_template_dict. Unlike there,
// everything is read strictly: a field that Kubernetes does not know is an error
// with its path.
//
// A pod must also keep to the instance's [Policy]. What a spec leaves open is
// filled in so that it does; what a spec asks for and may not have is an error.
// Pod Security, "restricted" unless the policy says otherwise, is checked with
// Kubernetes' own code.
package podspec
