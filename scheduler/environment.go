package scheduler

import (
	"strconv"
	"time"

	"dagwright/dag"
)

// environment is what a container is given: the task's own variables, then the
// run's conf, then Airflow's context variables. A later name replaces an
// earlier one in its place.
func environment(task []dag.EnvVar, run dag.Run, k dag.AttemptKey, owner string) []dag.EnvVar {
	all := append([]dag.EnvVar(nil), task...)
	all = append(all, dag.ConfEnv(run.Conf)...)
	all = append(all,
		dag.EnvVar{Name: "AIRFLOW_CTX_DAG_OWNER", Value: owner},
		dag.EnvVar{Name: "AIRFLOW_CTX_DAG_ID", Value: string(k.DAG)},
		dag.EnvVar{Name: "AIRFLOW_CTX_TASK_ID", Value: string(k.Task)},
		dag.EnvVar{Name: "AIRFLOW_CTX_DAG_RUN_ID", Value: string(k.Run)},
		dag.EnvVar{Name: "AIRFLOW_CTX_TRY_NUMBER", Value: strconv.Itoa(k.Try)},
		dag.EnvVar{Name: "AIRFLOW_CTX_LOGICAL_DATE", Value: run.LogicalDate.UTC().Format(time.RFC3339Nano)},
	)
	return unique(all)
}

func unique(vars []dag.EnvVar) []dag.EnvVar {
	at := make(map[string]int, len(vars))
	var out []dag.EnvVar
	for _, v := range vars {
		if i, ok := at[v.Name]; ok {
			out[i] = v
			continue
		}
		at[v.Name] = len(out)
		out = append(out, v)
	}
	return out
}
