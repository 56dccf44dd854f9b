package dag

import (
	"slices"

	"dagwright/shape"
)

// handling says what happens to an operator's argument.
type handling int

const (
	// fieldArgument fills a field of its own in Task.
	fieldArgument handling = iota
	// keptArgument goes into Task.Pod under its own name.
	keptArgument
	// ignoredArgument means nothing here and does no harm.
	ignoredArgument
	// defaultOnlyArgument may stand with the value that changes nothing.
	defaultOnlyArgument
	// refusedArgument cannot be honoured.
	refusedArgument
)

// argument is one argument of KubernetesPodOperator or BaseOperator.
type argument struct {
	handling handling
	// read gives the kept value.
	read func(reader, *node) (any, bool)
	// allowed are the values of a defaultOnlyArgument, as text.
	allowed []string
	// what names for people what is refused.
	what string
	// shape describes the value for editors: of fields and of what is kept.
	shape shapeFunc
}

// shapeFunc describes a value. object is the shape of a Kubernetes object in it, if it has any.
type shapeFunc func(object shape.Shape) shape.Shape

// valueKind is a way to read a kept argument, with the shape of what it reads.
type valueKind struct {
	read  func(reader, *node) (any, bool)
	shape shapeFunc
}

func field(shape shapeFunc) argument { return argument{shape: shape} }

func kept(k valueKind) argument {
	return argument{handling: keptArgument, read: k.read, shape: k.shape}
}

func ignored() argument { return argument{handling: ignoredArgument} }

func refused(what string) argument { return argument{handling: refusedArgument, what: what} }

func only(what string, allowed ...string) argument {
	return argument{handling: defaultOnlyArgument, what: what, allowed: allowed}
}

// arguments says what happens to every argument that Airflow 3.3's BaseOperator
// and the cncf.kubernetes provider's KubernetesPodOperator (10.25) know, and of
// dag-factory's own task keys. Everything else is an unknown key.
var arguments = map[string]argument{
	// What a task is and waits for.
	"task_id":         field(shapeOfAnything),
	"operator":        field(shapeOfOperator),
	"dependencies":    field(shapeOfAnyList),
	"task_group_name": field(shapeOfText),
	"owner":           field(shapeOfText),
	"doc_md":          field(shapeOfText),
	"trigger_rule":    field(shapeOfTriggerRule),
	"depends_on_past": only("waiting for the same task of the last run (max_active_runs: 1 keeps runs in order)",
		"false"),
	"priority_weight":     field(shapeOfWeight),
	"weight_rule":         only("weights that depend on other tasks", "absolute", "downstream", "upstream"),
	"wait_for_downstream": only("waiting for the downstream tasks of the last run", "false"),

	"ignore_first_depends_on_past":          only("depends_on_past for the first run", "true"),
	"wait_for_past_depends_before_skipping": only("waiting before a task is skipped", "false"),

	// Tries.
	"retries":                   field(shapeOfCount),
	"retry_delay":               field(shapeOfDuration),
	"retry_exponential_backoff": field(shapeOfBackoff),
	"max_retry_delay":           field(shapeOfDuration),
	"execution_timeout":         field(shapeOfDuration),

	// The container.
	"image":                             field(shapeOfImage),
	"cmds":                              field(shapeOfTexts),
	"arguments":                         field(shapeOfTexts),
	"env_vars":                          field(shapeOfEnv),
	"image_pull_policy":                 kept(oneOf("Always", "IfNotPresent", "Never")),
	"image_pull_secrets":                kept(pullSecrets),
	"container_resources":               kept(oneMap),
	"env_from":                          kept(listOfMaps),
	"secrets":                           kept(secretList),
	"configmaps":                        kept(nameList),
	"volume_mounts":                     kept(models("kubernetes.client.models.V1VolumeMount")),
	"container_security_context":        kept(oneMap),
	"ports":                             kept(models("kubernetes.client.models.V1ContainerPort")),
	"termination_message_policy":        kept(oneOf("File", "FallbackToLogsOnError")),
	"base_container_name":               kept(anyText),
	"container_name_log_prefix_enabled": ignored(),

	// The pod.
	"name":                            kept(anyText),
	"random_name_suffix":              kept(anyBool),
	"namespace":                       kept(anyText),
	"labels":                          kept(textMap),
	"annotations":                     kept(textMap),
	"volumes":                         kept(models("kubernetes.client.models.V1Volume")),
	"service_account_name":            kept(anyText),
	"automount_service_account_token": kept(anyBool),
	"node_selector":                   kept(textMap),
	"tolerations":                     kept(listOfMaps),
	"affinity":                        kept(oneMap),
	"security_context":                kept(oneMap),
	"priority_class_name":             kept(anyText),
	"runtime_class_name":              kept(anyText),
	"active_deadline_seconds":         kept(anyCount),
	"termination_grace_period":        kept(anyCount),
	"init_containers":                 kept(listOfMaps),
	"hostname":                        kept(anyText),
	"subdomain":                       kept(anyText),
	"hostnetwork":                     kept(anyBool),
	"dns_config":                      kept(oneMap),
	"dnspolicy":                       kept(oneOf("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")),
	"host_aliases":                    kept(listOfMaps),
	"schedulername":                   kept(anyText),
	"pod_template_dict":               kept(oneMap),
	"full_pod_spec":                   kept(podModel),
	"pod_template_file":               refused("pod templates in other files (write it as pod_template_dict)"),
	"startup_timeout_seconds":         kept(anyCount),
	"schedule_timeout_seconds":        kept(anyCount),
	"startup_check_interval_seconds":  kept(anyCount),
	"on_finish_action":                kept(oneOf(finishActions...)),
	"on_kill_action":                  kept(oneOf("delete_pod", "keep_pod")),
	"is_delete_operator_pod":          field(shapeOfBool),
	"skip_on_exit_code":               kept(exitCodes),
	"get_logs":                        kept(anyBool),
	"container_logs":                  kept(whichContainers),
	"init_container_logs":             kept(whichContainers),
	"log_events_on_failure":           kept(anyBool),
	"log_events_on_startup":           kept(anyBool),
	"log_pod_spec_on_failure":         kept(anyBool),
	"log_formatter":                   refused("formatters of log lines"),
	"termination_message_path":        kept(anyText),
	"do_xcom_push":                    only("XCom", "false"),
	"multiple_outputs":                only("XCom", "false"),
	"callbacks":                       refused("callbacks"),
	"progress_callback":               refused("callbacks"),
	"trigger_kwargs":                  refused("triggers"),
	"pod_runtime_info_envs": refused(
		"environment variables from the pod's own fields (use env_vars with value_from)"),
	"get_logs_api_read_timeout": ignored(),
	"istio_sidecar":             ignored(),

	"base_container_status_polling_interval":  ignored(),
	"xcom_sidecar_container_security_context": ignored(),

	// How Airflow reaches the cluster and waits, which dagwright does its own way.
	"in_cluster":          ignored(),
	"cluster_context":     ignored(),
	"config_file":         ignored(),
	"kubernetes_conn_id":  ignored(),
	"deferrable":          ignored(),
	"poll_interval":       ignored(),
	"logging_interval":    ignored(),
	"reattach_on_restart": ignored(),
	"durable":             ignored(),

	// Airflow's own scheduling.
	"pool":                          only("pools", "default_pool"),
	"pool_slots":                    only("pools", "1"),
	"queue":                         ignored(),
	"executor":                      refused("a task's own executor"),
	"executor_config":               refused("a task's own executor"),
	"max_active_tis_per_dag":        refused("limits for a single task (use max_active_runs)"),
	"max_active_tis_per_dagrun":     refused("limits for a single task"),
	"run_as_user":                   refused("running as another user (use security_context)"),
	"resources":                     refused("resources of Airflow's workers (use container_resources)"),
	"expand":                        refused("dynamic task mapping"),
	"partial":                       refused("dynamic task mapping"),
	"map_index_template":            refused("dynamic task mapping"),
	"inlets":                        refused("assets"),
	"outlets":                       refused("assets"),
	"params":                        refused("params of a task (give them to the DAG)"),
	"sla":                           refused("service level agreements"),
	"start_date":                    refused("a task's own start_date (give it to the DAG)"),
	"end_date":                      refused("a task's own end_date (give it to the DAG)"),
	"email":                         field(shapeOfAnything),
	"email_on_failure":              field(shapeOfAnything),
	"email_on_retry":                field(shapeOfAnything),
	"on_execute_callback":           refused("callbacks"),
	"on_failure_callback":           refused("callbacks"),
	"on_retry_callback":             refused("callbacks"),
	"on_skipped_callback":           refused("callbacks"),
	"on_success_callback":           refused("callbacks"),
	"pre_execute":                   refused("callbacks"),
	"post_execute":                  refused("callbacks"),
	"retry_policy":                  refused("retry policies"),
	"doc":                           ignored(),
	"doc_json":                      ignored(),
	"doc_yaml":                      ignored(),
	"doc_rst":                       ignored(),
	"task_display_name":             ignored(),
	"logger_name":                   ignored(),
	"allow_nested_operators":        ignored(),
	"render_template_as_native_obj": only("templates that give other values than strings", "false"),
}

// finishActions are what may happen to a pod when its task has ended.
var finishActions = []string{"delete_pod", "keep_pod", "delete_succeeded_pod", "delete_active_pod"}

// emptyOperators are the names of the operator that does nothing.
var emptyOperators = map[string]bool{
	EmptyOperator:                                    true,
	"airflow.operators.empty.EmptyOperator":          true,
	"airflow.operators.dummy.DummyOperator":          true,
	"airflow.operators.dummy_operator.DummyOperator": true,
}

// baseArguments are those that every operator has, among the arguments that are not
// ignored.
var baseArguments = setOf(
	"task_id", "operator", "dependencies", "task_group_name", "owner", "doc_md", "trigger_rule",
	"depends_on_past", "priority_weight", "weight_rule", "wait_for_downstream", "ignore_first_depends_on_past",
	"wait_for_past_depends_before_skipping", "retries", "retry_delay", "retry_exponential_backoff",
	"max_retry_delay", "execution_timeout", "do_xcom_push", "multiple_outputs", "pool", "pool_slots", "queue",
	"executor", "executor_config", "max_active_tis_per_dag", "max_active_tis_per_dagrun", "run_as_user",
	"resources", "expand", "partial", "map_index_template", "inlets", "outlets", "params", "sla", "start_date",
	"end_date", "email", "email_on_failure", "email_on_retry", "on_execute_callback", "on_failure_callback",
	"on_retry_callback", "on_skipped_callback", "on_success_callback", "pre_execute", "post_execute",
	"retry_policy", "doc", "doc_json", "doc_yaml", "doc_rst", "task_display_name", "logger_name",
	"allow_nested_operators", "render_template_as_native_obj",
)

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// takes reports whether the task's operator has an argument that is known.
func (t *Task) takes(name string) bool { return !t.Empty() || baseArguments[name] }

// PodArguments returns the names of the operator's arguments that say what a pod is like
// beside its image, command and variables: those that Task.Pod holds, in order.
func PodArguments() []string {
	var names []string
	for name, a := range arguments {
		if a.handling == keptArgument {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
