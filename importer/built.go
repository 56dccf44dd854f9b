package importer

// findPlaces gives what an Airflow has built the places at which reading the file has found the
// same, or the file alone.
func (c *content) findPlaces(file string, read content) {
	known := read.places()
	at := func(key string) place {
		if p, ok := known[key]; ok {
			return p
		}
		return place{file: file}
	}
	for i := range c.dags {
		c.dags[i].at = at(c.dagID(i))
	}
	for i := range c.groups {
		c.groups[i].at = at(c.dagID(c.groups[i].dag))
	}
	for i := range c.tasks {
		c.tasks[i].at = at(c.taskKey(i))
	}
}

// places are those of the DAGs and tasks of a file by their keys.
func (c *content) places() map[string]place {
	found := map[string]place{}
	for i, d := range c.dags {
		found[c.dagID(i)] = d.at
	}
	for i, t := range c.tasks {
		found[c.taskKey(i)] = t.at
	}
	return found
}

// dagID is the id of a DAG, as far as it is known.
func (c *content) dagID(dag int) string {
	if dag < 0 || dag >= len(c.dags) {
		return ""
	}
	d := c.dags[dag]
	id, _ := d.kwargs.get("dag_id").(string)
	if len(d.args) > 0 {
		id, _ = d.args[0].(string)
	}
	return id
}

// taskKey is the id of a DAG and the whole id of one of its tasks.
func (c *content) taskKey(task int) string {
	d := &dagBuilder{builder: &builder{content: *c}}
	return c.dagID(c.tasks[task].dag) + "\x00" + d.prefix(c.tasks[task].group) + d.taskID(task)
}

// sayValues turns the notes of reading into lines about what an Airflow has built: the values
// that only it knows may be secrets, and are in the output.
func sayValues(notes []note, report func(Line)) {
	for _, n := range notes {
		l := Line{File: n.At.file, Line: n.At.line}
		switch n.Kind {
		case "placeholder":
			l.Text, l.Left = n.What+": the value of this Airflow is written; take it out if it is a secret", true
		case "default":
			l.Text = n.What + ": the value of this Airflow is written"
		default:
			continue
		}
		report(l)
	}
}
