package importer

import "strings"

// advice says what to do about an argument or key that is refused.
var advice = map[string]string{
	"access_control":           "give the rights in the instance's configuration (docs/auth.md)",
	"depends_on_past":          "max_active_runs: 1 keeps runs in order",
	"do_xcom_push":             "hand results on in a volume or in object storage",
	"execution_timeout":        "write it as a timedelta",
	"executor_config":          "write what it asks of the pod as arguments of the task",
	"jinja_environment_kwargs": "write the templates for Jinja's own settings",
	"on_execute_callback":      "have what watches dagwright's API or metrics notify people",
	"on_failure_callback":      "have what watches dagwright's API or metrics notify people",
	"on_retry_callback":        "have what watches dagwright's API or metrics notify people",
	"on_success_callback":      "have what watches dagwright's API or metrics notify people",
	"params":                   "give them to the DAG",
	"pod_template_file":        "write its content as pod_template_dict",
	"pool":                     "max_active_tasks and max_active_runs bound what runs at once",
	"schedule":                 "write a cron expression",
	"sla":                      "dagrun_timeout and execution_timeout end what takes too long",
	"template_searchpath":      "write the texts of those files into the spec, or read them in the image",
	"user_defined_filters":     "compute such values in the image",
	"user_defined_macros":      "write the values into the spec, or compute them in the image",
	"xcom_push":                "hand results on in a volume or in object storage",
}

// operatorAdvice is what to do instead of an operator, by a part of its name.
var operatorAdvice = []struct{ part, text string }{
	{"KubernetesPodOperator.expand", "write a task for each value, in a loop over a list"},
	{"KubernetesPodOperator.partial", "write a task for each value, in a loop over a list"},
	{"GKE", "tasks run in the instance's own cluster: write a KubernetesPodOperator"},
	{"Eks", "tasks run in the instance's own cluster: write a KubernetesPodOperator"},
	{"Branch", "let each task find out whether it is wanted, and end with a code of skip_on_exit_code"},
	{"ShortCircuit", "let the task end with a code of skip_on_exit_code"},
	{"Bash", "write a KubernetesPodOperator with an image that has the commands"},
	{"Python", "put the function into an image, and run that by a KubernetesPodOperator"},
	{"@task", "put the function into an image, and run that by a KubernetesPodOperator"},
	{"TriggerDagRun", "start the other DAG from a task by the API, or give it a schedule of its own"},
	{"Sensor", "wait in the task that needs it, or trigger the DAG by the API when it is there"},
}

// adviceForOperator says what to do instead of an operator.
func adviceForOperator(class string) string {
	for _, a := range operatorAdvice {
		if strings.Contains(class, a.part) {
			return a.text
		}
	}
	return "do its work in an image, and run that by a KubernetesPodOperator"
}

// sayNotes turns what the program in Python noted into lines.
func sayNotes(notes []note, report func(Line)) {
	for _, n := range notes {
		l := Line{File: n.At.file, Line: n.At.line, Text: n.What, Left: true}
		switch n.Kind {
		case "placeholder":
			l.Text = n.What + " is only known where Airflow runs: " + n.Of + " stands for it; write the value there"
			if strings.Contains(n.What, "Variable.get") {
				l.Text += ", or take it from a Kubernetes secret if it is one"
			}
		case "default":
			l.Text = n.What + ": its default is taken; write the value of your Airflow if that is another"
		}
		report(l)
	}
}
