package store

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"dagwright/dag"
)

// projectAnnotation is the annotation in which the generator names a model's
// project.
const projectAnnotation = "dagwright/project"

// projectOfFile is the GitLab path that the place of a file in the DAG
// repository tells: "gbc/risk/churn-model" for dags/gbc/risk/churn-model.yaml,
// and "" for files elsewhere.
func projectOfFile(file string) string {
	place, ok := strings.CutPrefix(file, "dags/")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(place, path.Ext(place))
}

// projectOf is the GitLab path of the project that a DAG belongs to, as its file
// tells. A file's name may be longer than the project's (churn-model-retrain), so
// the annotation of the tasks says where the project's path ends; it counts only
// when the file stands where that project's files do, in the folder of its group
// or in its own, and so cannot claim another team's.
func projectOf(file string, d *dag.DAG) string {
	named := annotatedProject(d)
	folder := path.Dir(strings.TrimPrefix(file, "dags/"))
	if strings.HasPrefix(file, "dags/") && named != "" && (folder == path.Dir(named) || folder == named) {
		return named
	}
	return projectOfFile(file)
}

// annotatedProject is the project that every task names, "" when they differ.
func annotatedProject(d *dag.DAG) string {
	project := ""
	for i := range d.Tasks {
		named := textMap(&d.Tasks[i], "annotations")[projectAnnotation]
		if named == "" || i > 0 && named != project {
			return ""
		}
		project = named
	}
	return project
}

// commonLabels are the labels that all tasks of the DAG have, as "key=value",
// sorted. Labels are those of the argument of that name.
func commonLabels(d *dag.DAG) []string {
	if len(d.Tasks) == 0 {
		return nil
	}
	var labels []string
	for key, value := range textMap(&d.Tasks[0], "labels") {
		shared := true
		for i := range d.Tasks {
			v, ok := textMap(&d.Tasks[i], "labels")[key]
			shared = shared && ok && v == value
		}
		if shared {
			labels = append(labels, key+"="+value)
		}
	}
	slices.Sort(labels)
	return labels
}

// textMap reads an argument of a task that is a mapping of texts.
func textMap(task *dag.Task, argument string) map[string]string {
	raw, _ := task.Pod[argument].(map[string]any)
	texts := make(map[string]string, len(raw))
	for key, v := range raw {
		if text, ok := v.(string); ok {
			texts[key] = text
		}
	}
	return texts
}

func replaceLabels(t *tx, d *dag.DAG) error {
	if _, err := t.exec(`DELETE FROM dag_label WHERE dag_id = $1`, d.ID); err != nil {
		return fmt.Errorf("write label: %w", err)
	}
	return insertLabels(t, d)
}

func insertLabels(t *tx, d *dag.DAG) error {
	for _, label := range commonLabels(d) {
		if _, err := t.exec(`INSERT INTO dag_label (dag_id, label) VALUES ($1, $2)`, d.ID, label); err != nil {
			return fmt.Errorf("write label: %w", err)
		}
	}
	return nil
}

// moveProject gives the DAG of a spec the spec's project. The id of one that is
// known already stays: the next sync finds that the DAG has another owner.
func moveProject(t *tx, spec Spec) error {
	n, err := t.exec(`UPDATE dag SET project = $2, project_id = $4 WHERE dag_id = $1 AND file = $3 AND is_archived = 0
		AND (project_id = 0 OR project_id = $4) AND (project <> $2 OR project_id <> $4)`,
		spec.DAG, spec.Source.Project, spec.Path, spec.ProjectID)
	if n > 0 {
		t.announce(Change{Kind: ChangeDAG, DAG: spec.DAG})
	}
	return err
}
