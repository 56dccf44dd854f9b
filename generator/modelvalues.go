package generator

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/api/resource"

	"dagwright/dag"
)

const maxText = 1000 // characters of a short text

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	// imagePattern is a reference without placeholders: no space, no Jinja mark.
	imagePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@-]*$`)
	envPattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,249}$`)
	// quantity and resourceName follow Kubernetes' resource.Quantity, of which
	// they leave out exponents, and its qualified names.
	quantity     = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`)
	resourceName = regexp.MustCompile(
		`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
)

// name is a short text for people: one line.
func (r *modelReader) name(n *field) string {
	s, ok := r.text(n)
	switch {
	case !ok:
	case strings.TrimSpace(s) == "":
		r.fault(n, "is empty")
	case len(s) > 250:
		r.fault(n, "has more than 250 bytes")
	case strings.ContainsFunc(s, unprintable):
		r.fault(n, "has a character that cannot be shown")
	default:
		return s
	}
	return ""
}

func unprintable(c rune) bool { return !unicode.IsPrint(c) }

func (r *modelReader) image(n *field) string {
	s, ok := r.text(n)
	if !ok {
		return ""
	}
	if err := checkImageFormat(s); err != nil {
		r.fault(n, "%v", err)
		return ""
	}
	return s
}

// checkImageFormat checks an image with placeholders.
func checkImageFormat(s string) error {
	for _, p := range placeholder.FindAllString(s, -1) {
		switch p {
		case "{short_sha}", "{sha}", "{branch}", "{project}":
		default:
			return fmt.Errorf("unknown placeholder %.40q; there are {short_sha}, {sha}, {branch} and {project}", p)
		}
	}
	if len(s) > maxText || !imagePattern.MatchString(placeholder.ReplaceAllString(s, "x")) {
		return errors.New("is not an image; want something like registry.example.com/group/model:{short_sha}")
	}
	return nil
}

func (r *modelReader) timezone(n *field) string {
	s, ok := r.text(n)
	if !ok {
		return ""
	}
	if err := checkTimezone(s); err != nil {
		r.fault(n, "%v", err)
		return ""
	}
	return s
}

func checkTimezone(s string) error {
	if s == "" || s == "Local" || len(s) > 64 {
		return errors.New("is not a time zone; want an IANA name such as Europe/Moscow")
	}
	if _, err := time.LoadLocation(s); err != nil {
		return fmt.Errorf("there is no time zone %q; want an IANA name such as Europe/Moscow", s)
	}
	return nil
}

func (r *modelReader) schedule(n *field) string {
	switch n.kind {
	case nullKind:
		return "none"
	case listKind:
		return r.expressions(n)
	}
	s := r.name(n)
	if len(s) > maxText/4 {
		r.fault(n, "is too long for a schedule")
		return ""
	}
	if s != "" {
		r.scheduleFields = append(r.scheduleFields, n)
	}
	return s
}

// maxExpressions bounds the cron expressions of one schedule.
const maxExpressions = 20

// expressions reads a list of cron expressions and gives them one a line.
func (r *modelReader) expressions(n *field) string {
	if len(n.items) == 0 || len(n.items) > maxExpressions {
		r.fault(n, "want from 1 to %d cron expressions in a list; leave the value empty for no schedule", maxExpressions)
		return ""
	}
	var all []string
	for _, item := range n.items {
		s := r.schedule(item)
		if s, err := dag.ParseSchedule(s, time.UTC); err == nil && s.Expr == "" || item.kind != textKind {
			r.fault(item, "must be a cron expression: nothing else can stand in a list")
		} else if slices.Contains(all, item.text) {
			r.fault(item, "%q is there twice", item.text)
		}
		all = append(all, s)
	}
	return strings.Join(all, "\n")
}

// checkSchedules looks into the cron expressions, which are meant in the model's
// time zone or, without one, in the instance's.
func (r *modelReader) checkSchedules(m *Model, inst Instance) {
	if inst.CheckSchedule == nil {
		return
	}
	zone, err := time.LoadLocation(or(m.Timezone, inst.Timezone))
	if err != nil {
		zone = time.UTC // an instance's wrong zone is not the model's fault
	}
	for _, f := range r.scheduleFields {
		s, err := dag.ParseSchedule(f.text, zone)
		if err == nil && s.Expr != "" {
			err = inst.CheckSchedule(s)
		}
		if err != nil {
			r.fault(f, "%v", err)
		}
	}
}

// checkTemplates checks what Airflow renders: the values of env and the words of
// commands.
func (r *modelReader) checkTemplates(inst Instance) {
	if inst.CheckTemplate == nil {
		return
	}
	for _, f := range r.templateFields {
		if err := inst.CheckTemplate(f.text); err != nil {
			r.fault(f, "%v", err)
		}
	}
}

func (r *modelReader) taskID(n *field) string {
	s, ok := r.text(n)
	if !ok {
		return ""
	}
	if err := dag.CheckID(s); err != nil {
		r.fault(n, "%v", err)
		return ""
	}
	return s
}

func (r *modelReader) command(n *field) []string {
	if n.kind == textKind {
		r.fault(n, "must be a list, such as [python, main.py]")
		return nil
	}
	list := r.list(n)
	out := make([]string, 0, len(list))
	for _, item := range list {
		s, ok := r.scalarText(item)
		switch {
		case !ok:
		case strings.ContainsRune(s, 0):
			r.fault(item, "has a NUL character")
		default:
			out = append(out, s)
			r.templateFields = append(r.templateFields, item)
		}
	}
	if n.kind == listKind && (len(list) == 0 || len(out) > 0 && out[0] == "") {
		r.fault(n, "is empty; want a command, such as [python, main.py]")
	}
	return out
}

// maxNames bounds each mapping of variables, files or volumes.
const maxNames = 200

// few returns the pairs of a mapping that is not too large.
func (r *modelReader) few(n *field) []pair {
	pairs := r.pairs(n)
	if len(pairs) > maxNames {
		r.fault(n, "%d entries are too many; %d at most", len(pairs), maxNames)
		return nil
	}
	return pairs
}

// isEnvName refuses a name that no variable of a container can have.
func (r *modelReader) isEnvName(n *field, p pair) bool {
	switch {
	case !envPattern.MatchString(p.key):
		r.faultKey(n, p, "is not a name for an environment variable: want letters, digits and _, not beginning with a digit")
	case dag.IsOwnEnv(p.key):
		r.faultKey(n, p, "is reserved: dagwright sets it")
	default:
		return true
	}
	return false
}

func (r *modelReader) env(n *field) []dag.EnvVar {
	var out []dag.EnvVar
	for _, p := range r.few(n) {
		if !r.isEnvName(n, p) {
			continue
		}
		s, ok := r.scalarText(p.value)
		if ok && strings.ContainsRune(s, 0) {
			r.fault(p.value, "has a NUL character")
		}
		out = append(out, dag.EnvVar{Name: p.key, Value: s})
		r.templateFields = append(r.templateFields, p.value)
	}
	return out
}

func (r *modelReader) resources(n *field) Resources {
	var out Resources
	r.keys(n, map[string]func(*field){
		"requests": func(f *field) { out.Requests = r.quantities(f) },
		"limits":   func(f *field) { out.Limits = r.quantities(f) },
	})
	requests := n.get("requests")
	for _, name := range out.above() {
		r.fault(requests.get(name), "requests %s of %s, but its limit is %s; a request must not be above its limit",
			out.Requests[name], name, out.Limits[name])
	}
	return out
}

// above lists the resources whose request is above its limit.
func (r Resources) above() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Requests)) {
		request, wrong := resource.ParseQuantity(r.Requests[name])
		limit, none := resource.ParseQuantity(r.Limits[name])
		if wrong == nil && none == nil && request.Cmp(limit) > 0 {
			names = append(names, name)
		}
	}
	return names
}

func (r *modelReader) quantities(n *field) map[string]string {
	out := map[string]string{}
	for _, p := range r.few(n) {
		if !resourceName.MatchString(p.key) {
			r.faultKey(n, p, "is not a resource; want cpu, memory, ephemeral-storage or a name such as nvidia.com/gpu")
			continue
		}
		s, ok := r.scalarText(p.value)
		if ok && !quantity.MatchString(s) {
			r.fault(p.value, "is not a quantity; want something like 500m, 2 or 1Gi")
		}
		out[p.key] = s
	}
	return out
}
