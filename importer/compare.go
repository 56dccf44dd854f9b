package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"dagwright/dag"
)

// maxShown bounds a value in a line about a difference, in characters.
const maxShown = 80

// Check compares what reading the files of paths gives with what Airflow builds of them, and
// writes nothing. Each line of the report is a difference. Airflow must be set.
func (im Importer) Check(ctx context.Context, paths []string) (Report, error) {
	var r Report
	if im.Airflow == "" {
		return r, errors.New("there is no Airflow to compare with")
	}
	report := func(l Line) { r.Lines = append(r.Lines, l) }
	err := im.both(ctx, paths, &r, func(s source, read, built result) {
		switch {
		case read.err != nil && built.err != nil:
			report(Line{File: s.file, Text: "neither reading nor Airflow takes the file", Reason: built.err.Error()})
		case read.err != nil:
			report(Line{File: s.file, Text: "Airflow loads the file, and reading it does not", Reason: read.err.Error(), Left: true})
		case built.err != nil:
			report(Line{File: s.file, Text: "the file is read", Reason: built.err.Error(), Left: true})
		default:
			im.compare(s, im.take(read.content), im.take(built.content), report)
		}
	})
	r.sort()
	return r, err
}

// taken is a DAG as its spec is parsed, and where its parts stand; parsed is nil where there is
// none, and why says so.
type taken struct {
	d      *dagBuilder
	s      *spec
	parsed *dag.DAG
	why    string
}

// take makes the DAGs of a file.
func (im Importer) take(c content) map[string]taken {
	all := map[string]taken{}
	why := ""
	b := &builder{content: c, now: im.Now, report: func(l Line) {
		if l.Left {
			why = strings.TrimPrefix(l.words(), l.about())
		}
	}}
	for i := range b.dags {
		why = ""
		d := b.newDAG(i)
		if d == nil {
			continue
		}
		t := taken{d: d, s: d.build()}
		if t.s != nil {
			if text, ok := d.check(t.s, im.Parser); ok {
				if parsed, err := im.Parser.Parse(d.at.file, text); err == nil {
					t.parsed = parsed[0]
				}
			}
		}
		t.why = why
		all[d.id] = t
	}
	return all
}

// compare reports how the DAGs of a file differ.
func (im Importer) compare(s source, read, built map[string]taken, report func(Line)) {
	ids := maps.Clone(read)
	maps.Copy(ids, built)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		a, b := read[id], built[id]
		l := Line{File: s.file, DAG: id, Left: true}
		if a.d != nil {
			l.Line = a.d.at.line
		}
		switch {
		case a.d == nil:
			l.Text = "Airflow builds this DAG, and reading the file does not find it"
		case b.d == nil:
			l.Text = "reading the file finds this DAG, and Airflow does not build it"
		case a.parsed == nil && b.parsed == nil:
			l.Left, l.Text, l.Reason = false, "neither becomes a spec", b.why
		case a.parsed == nil:
			l.Text, l.Reason = "only what Airflow builds becomes a spec", a.why
		case b.parsed == nil:
			l.Text, l.Reason = "only what is read becomes a spec", b.why
		default:
			a.differences(b, l, report)
			continue
		}
		report(l)
	}
}

// differences reports which arguments of a DAG and of its tasks differ.
func (t taken) differences(built taken, about Line, report func(Line)) {
	a, b := facts(t.parsed), facts(built.parsed)
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.SortedFunc(maps.Keys(keys), fact.compare) {
		if a[key] == b[key] {
			continue
		}
		l := about
		l.Task = key.task
		at := t.place(key)
		l.Line = at.line
		if at.file != "" {
			l.File = at.file
		}
		if there := (fact{key.task, "operator"}); key.task != "" && (a[there] == "" || b[there] == "") {
			if key != there {
				continue // one line says that the task is not there
			}
			l.Text = "Airflow builds this task, and reading the file does not find it"
			if b[there] == "" {
				l.Text = "reading the file finds this task, and Airflow does not build it"
			}
			report(l)
			continue
		}
		l.Text = fmt.Sprintf("%s is read as %s, and Airflow builds %s", key.name, shownValue(a[key]), shownValue(b[key]))
		if strings.Contains(a[key], unknownText) {
			l.Text = fmt.Sprintf("%s is read as %s, and only Airflow knows the value", key.name, shownValue(a[key]))
		}
		report(l)
	}
}

// place is where an argument stands in the file.
func (t taken) place(key fact) place {
	name, _, _ := strings.Cut(key.name, ".")
	if key.task == "" {
		return t.s.at.of(name)
	}
	for _, task := range t.s.tasks {
		if task.id == key.task {
			return task.at.of(name)
		}
	}
	return t.s.at.of("")
}

// spans are the arguments that are times.
var spans = append([]string{"dagrun_timeout"}, durations...)

// fact names an argument of a DAG, or of a task of it.
type fact struct{ task, name string }

func (f fact) compare(other fact) int {
	return strings.Compare(f.task+"\x00"+f.name, other.task+"\x00"+other.name)
}

// facts are the arguments of a DAG and its tasks as JSON, with the spec's defaults filled in.
func facts(d *dag.DAG) map[fact]string {
	all := map[fact]string{}
	whole := plainJSON(d)
	for _, key := range []string{"dag_id", "tasks", "task_groups", "source", "doc_md", "params", "tags"} {
		delete(whole, key)
	}
	add := func(task string, values map[string]any) {
		for name, v := range values {
			text := jsonText(v)
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && slices.Contains(spans, name) {
				text = time.Duration(n).String()
			}
			all[fact{task, name}] = text
		}
	}
	add("", whole)
	all[fact{"", "doc_md"}] = jsonText(cleanDoc(d.DocMD))
	all[fact{"", "tags"}] = jsonText(slices.Sorted(slices.Values(d.Tags)))
	for _, p := range d.Params {
		all[fact{"", "params." + p.Name}] = jsonText(p)
	}
	for i := range d.Tasks {
		task := &d.Tasks[i]
		values := plainJSON(task)
		pod, _ := values["pod"].(map[string]any)
		for _, key := range []string{"task_id", "pod", "env_vars", "upstream"} {
			delete(values, key)
		}
		id := string(task.ID)
		add(id, values)
		add(id, pod)
		all[fact{id, "upstream"}] = jsonText(slices.Sorted(slices.Values(task.Upstream)))
		for _, e := range task.Env {
			all[fact{id, "env_vars." + e.Name}] = jsonText(e.Value)
		}
	}
	return all
}

// plainJSON turns a value into the mapping that its JSON is.
func plainJSON(v any) map[string]any {
	var out map[string]any
	decoder := json.NewDecoder(strings.NewReader(jsonText(v)))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		return nil // what has been parsed is a mapping
	}
	return out
}

// jsonText is a value as JSON, in which "<" stays as it stands.
func jsonText(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// shownValue is a value as a line shows it.
func shownValue(v string) string {
	if v == "" || v == "null" || v == `""` || v == "[]" {
		return "nothing"
	}
	if cut := []rune(v); len(cut) > maxShown {
		return string(cut[:maxShown]) + "…"
	}
	return v
}
