package podspec

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"dagwright/dag"
)

// The labels and annotations that Build writes, beside Airflow's.
const (
	ownPrefix      = "dagwright/"
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "dagwright"
	labelInstance  = "dagwright/instance"
	labelDatabase  = "dagwright/database"

	annotationAttempt = "dagwright/attempt"
	annotationOptions = "dagwright/options"
	annotationVersion = "dagwright/version"
	// A spec carries these itself; dag.Source is read from the first three.
	annotationProject  = dag.AnnotationProject
	annotationRef      = dag.AnnotationRef
	annotationCommit   = dag.AnnotationCommit
	annotationTemplate = dag.AnnotationTemplate
	annotationPromoted = dag.AnnotationPromoted
)

// specMarks are the annotations of ours that a spec may hold.
var specMarks = []string{annotationProject, annotationRef, annotationCommit, annotationTemplate, annotationPromoted}

// identityLabels are those by which Airflow knows its pods.
var identityLabels = []string{"dag_id", "task_id", "run_id", "try_number", "kubernetes_pod_operator", labelManagedBy}

// checkOwnMarks refuses the labels and annotations by which a pod is recognised.
func (k checker) checkOwnMarks(pod *corev1.Pod) {
	for _, name := range sortedKeys(pod.Labels) {
		if slices.Contains(identityLabels, name) || strings.HasPrefix(name, ownPrefix) {
			k.bad("metadata.labels."+name, "must not be set: pods are recognised by it")
		}
	}
	for _, name := range sortedKeys(pod.Annotations) {
		if strings.HasPrefix(name, ownPrefix) && !slices.Contains(specMarks, name) {
			k.bad("metadata.annotations."+name, "must not be set: annotations that begin with %s are dagwright's own", ownPrefix)
		}
	}
}

// mark writes on a pod what it is: labels for selectors and for people, as
// Airflow's, and annotations that hold the same whole.
func (c Config) mark(pod *corev1.Pod, in Input, o Options) error {
	attempt, err := json.Marshal(attemptJSON(in.Key))
	if err != nil {
		return fmt.Errorf("write attempt: %w", err)
	}
	options, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write options: %w", err)
	}
	pod.Labels = joinMaps(pod.Labels, map[string]string{
		"dag_id":                  safeLabel(string(in.Key.DAG)),
		"task_id":                 safeLabel(string(in.Key.Task)),
		"run_id":                  safeLabel(string(in.Key.Run)),
		"try_number":              strconv.Itoa(in.Key.Try),
		"kubernetes_pod_operator": "True",
		labelManagedBy:            managedBy,
		labelInstance:             c.Instance,
	})
	if c.Database != "" {
		pod.Labels[labelDatabase] = c.Database
	}
	marks := map[string]string{annotationAttempt: string(attempt), annotationOptions: string(options)}
	if in.Version > 0 {
		marks[annotationVersion] = strconv.Itoa(in.Version)
	}
	if in.Source != (dag.Source{}) {
		marks[annotationProject], marks[annotationRef] = in.Source.Project, in.Source.Branch
		marks[annotationCommit] = in.Source.Commit
	}
	pod.Annotations = joinMaps(pod.Annotations, marks)
	pod.Finalizers = []string{Finalizer}
	return nil
}

// checkSource refuses a task that claims to be of another commit than its DAG.
func (k checker) checkSource(pod *corev1.Pod, s dag.Source) {
	for _, mark := range []struct{ name, want string }{
		{annotationProject, s.Project}, {annotationRef, s.Branch}, {annotationCommit, s.Commit},
	} {
		if value, set := pod.Annotations[mark.name]; set && value != mark.want {
			k.bad("metadata.annotations."+mark.name, "%s differs from the DAG's own %s; all tasks of a DAG are of one commit",
				clip(value), clip(mark.want))
		}
	}
}

const maxLabel = 63

// unsafeInLabel is what Airflow takes out of a label's value (make_safe_label_value).
var unsafeInLabel = regexp.MustCompile(`^[^a-z0-9A-Z]*|[^a-zA-Z0-9_\-.]|[^a-z0-9A-Z]*$`)

// safeLabel makes a label's value of any text by Airflow's rule, so that the
// same selectors work: what is not allowed is left out, and a value that was
// changed or is too long ends in nine digits of the text's MD5. Of a text without
// any letter or digit the digits alone are left, where Airflow makes a value that
// Kubernetes refuses.
func safeLabel(s string) string {
	safe := unsafeInLabel.ReplaceAllString(s, "")
	if safe == s && len(safe) <= maxLabel {
		return safe
	}
	sum := md5.Sum([]byte(s)) // not for security: Airflow's labels have it
	digits := hex.EncodeToString(sum[:])[:9]
	return strings.TrimLeft(safe[:min(len(safe), maxLabel-len(digits)-1)]+"-"+digits, "-")
}
