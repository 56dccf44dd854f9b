package review

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/timetable"
)

// Words says what the change does, one short sentence for each thing, in a fixed
// order. A change of the model's commit alone is said too.
func (c Change) Words() []string {
	switch {
	case c.After == nil && c.Before == nil:
		return nil
	case c.After == nil:
		return []string{fmt.Sprintf("The DAG %s goes: its file is removed, its history stays.", c.Before.ID)}
	case c.Before == nil:
		return []string{fmt.Sprintf("A new DAG, %s, with %s. It starts paused unless its file says otherwise.", c.After.ID,
			count(len(c.After.Tasks), "task"))}
	}
	var w words
	b, a := c.Before, c.After
	w.compare("The schedule", schedule(b.Schedule), schedule(a.Schedule))
	w.compare("The owner", b.Owner, a.Owner)
	w.compare("The description", b.Description, a.Description)
	w.compare("The list of tags", strings.Join(b.Tags, ", "), strings.Join(a.Tags, ", "))
	w.compare("The number of runs at once", fmt.Sprint(b.MaxActiveRuns), fmt.Sprint(a.MaxActiveRuns))
	w.compare("Catch-up", fmt.Sprint(b.Catchup), fmt.Sprint(a.Catchup))
	w.params(b.Params, a.Params)
	w.tasks(b, a)
	w.compare("The model's commit", short(b.Source.Commit), short(a.Source.Commit))
	if len(w.said) == 0 {
		w.say("Only the text of the file changes.")
	}
	return w.said
}

// words collects sentences.
type words struct{ said []string }

func (w *words) say(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

func (w *words) compare(what, before, after string) {
	if before != after {
		w.say("%s changes from %s to %s.", what, code(before), code(after))
	}
}

// code quotes a value that others wrote, for Markdown.
func code(s string) string {
	if s == "" {
		return "nothing"
	}
	return "`" + plain(s) + "`"
}

// plain makes a text one line that cannot end a code span.
func plain(s string) string {
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "`", "'")), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}

func schedule(s dag.Schedule) string {
	if !s.Periodic() {
		return string(s.Kind)
	}
	text := s.Summary() + " " + s.Timezone
	if tt, err := timetable.Parse(s); err == nil {
		return text + " (" + tt.Description() + ")"
	}
	return text
}

func (w *words) params(before, after []dag.Param) {
	old := map[string]dag.Param{}
	for _, p := range before {
		old[p.Name] = p
	}
	for _, p := range after {
		was, ok := old[p.Name]
		delete(old, p.Name)
		switch {
		case !ok:
			w.say("The param %s is new.", code(p.Name))
		case !reflect.DeepEqual(was, p):
			w.say("The param %s changes.", code(p.Name))
		}
	}
	for _, p := range before {
		if _, gone := old[p.Name]; gone {
			w.say("The param %s goes.", code(p.Name))
		}
	}
}

func (w *words) tasks(before, after *dag.DAG) {
	images := map[string][]string{} // "from → to" by tasks, since most often all change alike
	var order []string
	for i := range after.Tasks {
		a := &after.Tasks[i]
		b, ok := before.Task(a.ID)
		if !ok {
			w.say("The task %s is new.", code(string(a.ID)))
			continue
		}
		if b.Image != a.Image {
			move := "from " + code(b.Image) + " to " + code(a.Image)
			if images[move] == nil {
				order = append(order, move)
			}
			images[move] = append(images[move], string(a.ID))
		}
		w.task(b, a)
	}
	for i := range before.Tasks {
		if _, ok := after.Task(before.Tasks[i].ID); !ok {
			w.say("The task %s goes.", code(string(before.Tasks[i].ID)))
		}
	}
	for _, move := range order {
		w.say("The image of %s changes %s.", code(strings.Join(images[move], ", ")), move)
	}
}

// task says what changes of one task, except for its image.
func (w *words) task(b, a *dag.Task) {
	what := "of the task " + code(string(a.ID))
	w.compare("The command "+what, strings.Join(append(slices.Clone(b.Cmds), b.Arguments...), " "),
		strings.Join(append(slices.Clone(a.Cmds), a.Arguments...), " "))
	if !slices.Equal(b.Upstream, a.Upstream) {
		w.say("What the task %s waits for changes.", code(string(a.ID)))
	}
	if !reflect.DeepEqual(b.Env, a.Env) {
		w.say("The environment variables %s change.", what)
	}
	w.compare("The number of retries "+what, fmt.Sprint(b.Retries), fmt.Sprint(a.Retries))
	w.pod(what, b.Pod, a.Pod)
}

// pod says which fields of the pod change. Annotations change with each commit
// and are not worth a word.
func (w *words) pod(what string, before, after map[string]any) {
	var fields []string
	for key := range before {
		if _, ok := after[key]; !ok {
			fields = append(fields, key)
		}
	}
	for key, v := range after {
		if !reflect.DeepEqual(before[key], v) {
			fields = append(fields, key)
		}
	}
	fields = slices.DeleteFunc(fields, func(key string) bool { return key == "annotations" })
	if len(fields) > 0 {
		slices.Sort(fields)
		w.say("Of the pod %s changes: %s.", what, code(strings.Join(fields, ", ")))
	}
}

func short(commit string) string { return commit[:min(len(commit), 8)] }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
