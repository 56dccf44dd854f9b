package generator

import (
	"maps"
	"slices"

	"dagwright/dag"
)

// TaskSettings are what a model's file may say of tasks: at its top, for one kind of DAG, and
// for one task. A zero field says nothing.
type TaskSettings struct {
	// Image may hold the placeholders {short_sha}, {sha}, {branch} and {project};
	// the instance's ImageFormat when empty.
	Image string
	Env   []dag.EnvVar
	// Secrets are variables that hold a key of a secret of the pods' namespace.
	Secrets []SecretVar
	// SecretFiles are whole secrets as folders of files, read-only.
	SecretFiles []Mount
	// Volumes are mounted by the names under which the instance offers them.
	Volumes []Mount
	// Profile is the name of one of the instance's.
	Profile   string
	Resources Resources
	Retries   *int
	// RetryDelay, Timeout and the other times are of whole seconds.
	RetryDelay *Duration
	// Timeout ends a try; 0 for no limit, which only an instance's defaults can say.
	Timeout *Duration
	// Pod are further arguments of the operator, by its own names, as plain values.
	Pod map[string]any
	// Said is where the file says what stands here, by key: "profile", "env.NAME",
	// "pod.affinity".
	Said map[string]Said
}

// Settings are what a model's file may say of a DAG and its tasks: at its top, of one of
// several models, and for one kind of DAG. A zero field says nothing.
type Settings struct {
	TaskSettings
	Description string
	// Docs is a Markdown file of the repository, which becomes the DAG's doc_md.
	Docs string
	// Tags stand beside the kind and the model's name.
	Tags []string
	// RunTimeout fails a run; 0 for no limit, which only an instance's defaults can say.
	RunTimeout    *Duration
	MaxActiveRuns int
	Catchup       *bool
	StartDate     string // as in 2026-01-31
}

// SecretVar is a variable that holds one key of a secret.
type SecretVar struct{ Name, Secret, Key string }

// Mount is a folder of the container with the name of what is mounted there.
type Mount struct{ Path, Name string }

// Said is a place in a model's file with its key, such as "retrain.tasks[1].profile".
type Said struct {
	Place
	Path string
}

// over returns what counts where near says nearer to a task than far: env, secrets, files and
// volumes by name, the operator's arguments by name, and else the nearest. A profile that
// brings resources replaces those that were said farther off.
func (i Instance) over(far, near TaskSettings) TaskSettings {
	out := far
	out.Image, out.Profile = or(near.Image, far.Image), or(near.Profile, far.Profile)
	out.Env = merged(far.Env, near.Env, func(v dag.EnvVar) string { return v.Name })
	out.Secrets = merged(far.Secrets, near.Secrets, func(v SecretVar) string { return v.Name })
	out.SecretFiles = merged(far.SecretFiles, near.SecretFiles, mountPath)
	out.Volumes = merged(far.Volumes, near.Volumes, mountPath)
	switch profile := i.Offers.Profiles[near.Profile]; {
	case !near.Resources.empty():
		out.Resources = near.Resources
	case !profile.Resources.empty():
		out.Resources = Resources{}
	}
	out.Retries, out.RetryDelay = nearest(near.Retries, far.Retries), nearest(near.RetryDelay, far.RetryDelay)
	out.Timeout = nearest(near.Timeout, far.Timeout)
	out.Pod = mergedMaps(far.Pod, near.Pod)
	out.Said = mergedMaps(far.Said, near.Said)
	return out
}

// overAll does for whole settings what over does for those of tasks.
func (i Instance) overAll(far, near Settings) Settings {
	out := Settings{
		TaskSettings: i.over(far.TaskSettings, near.TaskSettings),
		Description:  or(near.Description, far.Description), Docs: or(near.Docs, far.Docs), Tags: far.Tags,
		RunTimeout: nearest(near.RunTimeout, far.RunTimeout), MaxActiveRuns: near.MaxActiveRuns,
		Catchup: nearest(near.Catchup, far.Catchup), StartDate: or(near.StartDate, far.StartDate),
	}
	if near.Tags != nil {
		out.Tags = near.Tags
	}
	if near.MaxActiveRuns == 0 {
		out.MaxActiveRuns = far.MaxActiveRuns
	}
	return out
}

// kind returns what the file and the instance's defaults say of one kind of a model's DAGs.
func (i Instance) kind(m Model, kind Kind) Settings {
	near := m.Scoring.Settings
	if kind == Retrain {
		near = m.Retrain.Settings
	}
	return i.overAll(i.overAll(i.Offers.Defaults.settings(), m.Settings), near)
}

// resources are those of a task: what its profile brings, and over it what the file says.
func (i Instance) resources(t TaskSettings) Resources {
	profile := i.Offers.Profiles[t.Profile].Resources
	return Resources{
		Requests: mergedMaps(profile.Requests, t.Resources.Requests),
		Limits:   mergedMaps(profile.Limits, t.Resources.Limits),
	}
}

func mountPath(m Mount) string { return m.Path }

func nearest[T any](near, far *T) *T {
	if near != nil {
		return near
	}
	return far
}

// merged puts the elements of near in the places of those of far with the same name, and the
// others behind them.
func merged[T any](far, near []T, name func(T) string) []T {
	if len(near) == 0 {
		return far
	}
	out := slices.Clone(far)
	at := make(map[string]int, len(far))
	for i, v := range far {
		at[name(v)] = i
	}
	for _, v := range near {
		if i, there := at[name(v)]; there {
			out[i] = v
		} else {
			out = append(out, v)
		}
	}
	return out
}

// mergedMaps is nil when both are empty.
func mergedMaps[V any](far, near map[string]V) map[string]V {
	if len(near) == 0 {
		return far
	}
	out := make(map[string]V, len(far)+len(near))
	maps.Copy(out, far)
	maps.Copy(out, near)
	return out
}
