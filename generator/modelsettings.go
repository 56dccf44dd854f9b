package generator

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"dagwright/dag"
)

// The limits of what one model may ask for.
const (
	maxTags    = 20
	maxTag     = 100 // bytes, Airflow's limit
	maxRetries = 100
	maxRuns    = 1000 // that are active at once
)

var (
	secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	secretKey  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)
	// mountPattern leaves out what means something else where it is written: templates,
	// colons, spaces.
	mountPattern = regexp.MustCompile(`^(/[A-Za-z0-9._@+-]+)+$`)
)

// common are the readers of what stands at the file's top, of an entry and of a kind.
func (r *modelReader) common(s *Settings) map[string]func(*field) {
	readers := r.taskSettings(&s.TaskSettings)
	maps.Copy(readers, map[string]func(*field){
		"description": func(f *field) { s.Description = r.name(f) },
		"docs": func(f *field) {
			s.Docs = r.docs(f)
			s.say("docs", f)
		},
		"tags": func(f *field) {
			s.Tags = r.tags(f)
			s.say("tags", f)
		},
		"run_timeout":     func(f *field) { s.RunTimeout = r.duration(f, 1) },
		"max_active_runs": func(f *field) { s.MaxActiveRuns = r.number(f, 1, maxRuns) },
		"catchup": func(f *field) {
			s.Catchup = r.bool(f)
			s.say("catchup", f)
		},
		"start_date": func(f *field) { s.StartDate = r.date(f) },
	})
	return readers
}

// taskSettings are the readers of what may be said of a single task, too.
func (r *modelReader) taskSettings(t *TaskSettings) map[string]func(*field) {
	return map[string]func(*field){
		"image": func(f *field) {
			t.Image = r.image(f)
			t.say("image", f)
		},
		"env": func(f *field) {
			t.Env = r.env(f)
			t.sayEach("env", f)
		},
		"secrets": func(f *field) {
			t.Secrets = r.secrets(f)
			t.sayEach("secrets", f)
		},
		"secret_files": func(f *field) {
			t.SecretFiles = r.mounts(f, r.secretName)
			t.sayEach("secret_files", f)
		},
		"volumes": func(f *field) {
			t.Volumes = r.mounts(f, r.volume)
			t.sayEach("volumes", f)
		},
		"profile": func(f *field) {
			t.Profile = r.profile(f)
			t.say("profile", f)
		},
		"resources": func(f *field) {
			t.Resources = r.resources(f)
			t.say("resources", f)
		},
		"retries": func(f *field) {
			retries := r.number(f, 0, maxRetries)
			t.Retries = &retries
		},
		"retry_delay": func(f *field) { t.RetryDelay = r.duration(f, 0) },
		"timeout":     func(f *field) { t.Timeout = r.duration(f, 1) },
	}
}

// say notes where the file says something.
func (t *TaskSettings) say(key string, f *field) {
	if t.Said == nil {
		t.Said = map[string]Said{}
	}
	t.Said[key] = Said{Place{f.line, f.column}, f.path}
}

// sayEach notes where the values of a mapping stand.
func (t *TaskSettings) sayEach(key string, f *field) {
	for _, p := range f.pairs {
		t.say(key+"."+p.key, p.value)
	}
}

// number reads a whole number; what is none is a fault, and then the least.
func (r *modelReader) number(n *field, least, most int) int {
	v, ok := n.scalar.(int64)
	if !ok || v < int64(least) || v > int64(most) {
		r.fault(n, "must be a whole number from %d to %d", least, most)
		return least
	}
	return int(v)
}

func (r *modelReader) bool(n *field) *bool {
	v, ok := n.scalar.(bool)
	if !ok {
		r.fault(n, "must be true or false")
	}
	return &v
}

// duration reads a time of at least some seconds.
func (r *modelReader) duration(n *field, least int64) *Duration {
	if n.kind != textKind && n.kind != otherScalarKind {
		r.fault(n, "must be a time such as 90s, 5m, 2h or 1d, not %v", n.kind)
		return nil
	}
	d, err := ParseDuration(n.text)
	switch {
	case err != nil:
		r.fault(n, "%.60q %v", n.text, err)
		return nil
	case d.seconds() < least:
		r.fault(n, "must be longer than 0s")
		return nil
	}
	return &d
}

// date reads a day as Airflow does; "2026-1-1" is none there.
func (r *modelReader) date(n *field) string {
	if n.kind == textKind {
		if t, err := time.Parse(time.DateOnly, n.text); err == nil && t.Year() >= 1970 && t.Year() <= 2200 {
			return n.text
		}
	}
	r.fault(n, "is not a date; want one such as 2026-01-31")
	return ""
}

func (r *modelReader) tags(n *field) []string {
	list := r.list(n)
	if len(list) > maxTags {
		r.fault(n, "%d tags are too many; %d at most", len(list), maxTags)
		return nil
	}
	out := []string{}
	for _, item := range list {
		switch tag := r.name(item); {
		case tag == "":
		case len(tag) > maxTag:
			r.fault(item, "has more than %d bytes", maxTag)
		case strings.TrimSpace(tag) != tag:
			r.fault(item, "begins or ends with a space")
		case strings.EqualFold(tag, string(Scoring)), strings.EqualFold(tag, string(Retrain)):
			r.fault(item, "%q is reserved: dagwright sets it by the branch", tag)
		case slices.Contains(out, tag):
			r.fault(item, "%q is there twice", tag)
		default:
			out = append(out, tag)
		}
	}
	return out
}

// docs reads the path of a Markdown file.
func (r *modelReader) docs(n *field) string {
	before := len(r.faults)
	file := r.folder(n)
	switch strings.ToLower(path.Ext(file)) {
	case ".md", ".markdown":
		return file
	}
	if before == len(r.faults) {
		r.fault(n, "is not a Markdown file of the repository; want something like docs/model.md")
	}
	return ""
}

// secrets reads variables with what they hold, as in {DB_PASSWORD: churn-db/password}.
func (r *modelReader) secrets(n *field) []SecretVar {
	var out []SecretVar
	for _, p := range r.few(n) {
		if !r.isEnvName(n, p) {
			continue
		}
		if upper := strings.ToUpper(p.key); upper != p.key {
			r.faultKey(n, p, "must be in capitals, since Airflow makes it so; write %s", upper)
			continue
		}
		s, ok := r.text(p.value)
		secret, key, _ := strings.Cut(s, "/")
		switch {
		case !ok:
		case !secretName.MatchString(secret) || !secretKey.MatchString(key):
			r.fault(p.value, "want the name of a secret and one of its keys, such as churn-db/password")
		default:
			out = append(out, SecretVar{p.key, secret, key})
		}
	}
	return out
}

// mounts reads folders of the container with what is mounted there.
func (r *modelReader) mounts(n *field, name func(*field) string) []Mount {
	var out []Mount
	for _, p := range r.few(n) {
		if len(p.key) > maxKey || !mountPattern.MatchString(p.key) || path.Clean(p.key) != p.key {
			r.faultKey(n, p, "is not a folder of the container; want a whole path such as /models")
			continue
		}
		if what := name(p.value); what != "" {
			out = append(out, Mount{p.key, what})
		}
	}
	return out
}

func (r *modelReader) secretName(n *field) string {
	s, ok := r.text(n)
	if ok && !secretName.MatchString(s) {
		r.fault(n, "is not the name of a secret; want something like churn-tls")
		return ""
	}
	return s
}

func (r *modelReader) volume(n *field) string {
	return offered(r, n, "there is no volume %.60q; %s", r.inst.Offers.Volumes)
}

func (r *modelReader) profile(n *field) string {
	return offered(r, n, "there is no profile %.60q; %s", r.inst.Offers.Profiles)
}

// offered reads the name of something that the instance offers. fault says that it does not, of
// the name and of what there is.
func offered[V any](r *modelReader, n *field, fault string, offers map[string]V) string {
	s, ok := r.text(n)
	if !ok {
		return ""
	}
	if _, there := offers[s]; !there {
		r.fault(n, fault, s, r.inst.Offers.choices(slices.Sorted(maps.Keys(offers))))
		return ""
	}
	return s
}

// pod reads further arguments of the operator, each of which the instance must allow.
func (r *modelReader) pod(n *field, t *TaskSettings) {
	known := OfferedArguments()
	for _, p := range r.pairs(n) {
		switch advice := ownArguments[p.key]; {
		case advice != "":
			r.faultKey(n, p, "cannot stand here: %s", advice)
		case !slices.Contains(known, p.key):
			r.faultKey(n, p, "is not an argument of the operator that can stand here%s", dag.DidYouMean(p.key, known))
		case !slices.Contains(r.inst.Offers.AllowPod, p.key):
			r.faultKey(n, p, "is not allowed (models.allow_pod); %s", r.inst.Offers.allowed())
		case r.isPlain(p.value):
			if t.Pod == nil {
				t.Pod = map[string]any{}
			}
			t.Pod[p.key] = plain(p.value)
			t.say("pod."+p.key, p.value)
		}
	}
}

// isPlain refuses what would be more than a value in a spec: Python objects, and annotations
// that are dagwright's own.
func (r *modelReader) isPlain(n *field) bool {
	for _, item := range n.items {
		if !r.isPlain(item) {
			return false
		}
	}
	for _, p := range n.pairs {
		switch {
		case strings.HasPrefix(p.key, "__"):
			r.faultKey(n, p, "cannot stand here: write a plain mapping with Kubernetes' own names")
			return false
		case strings.HasPrefix(p.key, "dagwright/"):
			r.faultKey(n, p, "is reserved: dagwright sets it")
			return false
		case !r.isPlain(p.value):
			return false
		}
	}
	return true
}
