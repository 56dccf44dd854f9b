package dag

import (
	"strconv"
	"time"
)

// Environment is what a container is given: the task's own variables, then the
// run's conf, then Airflow's context variables. A later name replaces an
// earlier one in its place.
func Environment(task []EnvVar, run Run, k AttemptKey, owner string) []EnvVar {
	all := append([]EnvVar(nil), task...)
	all = append(all, ConfEnv(run.Conf)...)
	all = append(all,
		EnvVar{Name: "AIRFLOW_CTX_DAG_OWNER", Value: owner},
		EnvVar{Name: "AIRFLOW_CTX_DAG_ID", Value: string(k.DAG)},
		EnvVar{Name: "AIRFLOW_CTX_TASK_ID", Value: string(k.Task)},
		EnvVar{Name: "AIRFLOW_CTX_DAG_RUN_ID", Value: string(k.Run)},
		EnvVar{Name: "AIRFLOW_CTX_TRY_NUMBER", Value: strconv.Itoa(k.Try)},
		EnvVar{Name: "AIRFLOW_CTX_LOGICAL_DATE", Value: run.LogicalDate.UTC().Format(time.RFC3339Nano)},
	)
	return uniqueEnv(all)
}

func uniqueEnv(vars []EnvVar) []EnvVar {
	at := make(map[string]int, len(vars))
	var out []EnvVar
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
