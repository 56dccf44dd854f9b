package generator

import (
	"dagwright/dag"
)

// checkLayers checks what a model comes to once its layers lie over each other: of both kinds
// of DAG, and of each task that says something of its own.
func (r *modelReader) checkLayers(m *Model) {
	for _, kind := range []Kind{Scoring, Retrain} {
		all := r.inst.kind(*m, kind)
		if all.Catchup != nil && *all.Catchup && all.StartDate == "" {
			r.faultSaid(all.Said["catchup"], "needs start_date beside it: the day from which missed runs are made up")
		}
		r.checkTask(m, all.TaskSettings)
		if kind == Retrain {
			for _, step := range m.Retrain.Steps {
				if len(step.Said) > 0 {
					r.checkTask(m, r.inst.over(all.TaskSettings, step.TaskSettings))
				}
			}
		}
	}
}

// checkTask refuses what is there twice, of which one would be lost, and resources that do not
// go with those of the profile.
func (r *modelReader) checkTask(m *Model, t TaskSettings) {
	from := map[string]string{}
	for _, v := range t.Env {
		from[v.Name] = "env"
	}
	for _, p := range m.Params {
		if from[p.Name] != "" {
			r.fault(r.paramFields[p.Name], "is in env, too; a param becomes an environment variable by itself")
		}
		from[p.Name] = "params"
	}
	for _, s := range t.Secrets {
		if from[s.Name] != "" {
			r.faultSaid(t.Said["secrets."+s.Name], "is in %s, too; one of them would be lost", from[s.Name])
		}
	}
	r.checkMounts(t)
	if all := r.inst.resources(t); t.Profile != "" {
		for _, name := range all.above() {
			r.faultSaid(t.Said["resources"],
				"with what profile %s brings, requests %s of %s, but its limit is %s; a request must not be above its limit",
				t.Profile, all.Requests[name], name, all.Limits[name])
		}
	}
}

func (r *modelReader) checkMounts(t TaskSettings) {
	there := map[string]bool{}
	for _, v := range t.Volumes {
		there[v.Path] = true
	}
	for _, s := range t.SecretFiles {
		if there[s.Path] {
			r.faultSaid(t.Said["secret_files."+s.Path], "is in volumes, too; a folder can hold one of them")
		}
	}
}

// isGraph reports whether the steps' needs say what comes before what.
func isGraph(steps []Step) bool {
	for _, s := range steps {
		if s.Needs != nil {
			return true
		}
	}
	return false
}

// after are the tasks before the step at an index.
func after(steps []Step, i int) []string {
	var ids []dag.TaskID
	switch {
	case isGraph(steps):
		ids = steps[i].Needs
	case i > 0:
		ids = []dag.TaskID{steps[i-1].ID}
	}
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return out
}
