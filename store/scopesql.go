package store

import (
	"strings"

	"dagwright/dag"
)

// The conditions below stand for the transaction's scope in SQL. Each adds
// nothing when the scope has everything, so that the statements of an instance
// without teams are what they would be without scopes.

// scopeDAG keeps the DAGs of the scope; the query calls table dag "d".
func (t *tx) scopeDAG(w *where) {
	if !t.scope.All {
		w.conds = append(w.conds, t.dagCond(w))
	}
}

// scopeOwned keeps rows whose DAG, named by column, is in the scope. It looks
// each row's DAG up, for queries that find few rows or take the first of many.
func (t *tx) scopeOwned(w *where, column string) {
	if !t.scope.All {
		w.conds = append(w.conds, "EXISTS (SELECT 1 FROM dag d WHERE d.dag_id = "+column+" AND "+t.dagCond(w)+")")
	}
}

// scopeFrom is scopeOwned for queries that are to start from the scope's DAGs,
// because they go through all the rows of each.
func (t *tx) scopeFrom(w *where, column string) {
	if !t.scope.All {
		w.conds = append(w.conds, column+" IN (SELECT d.dag_id FROM dag d WHERE "+t.dagCond(w)+")")
	}
}

// dagCond is the scope as a condition on table dag, called "d".
func (t *tx) dagCond(w *where) string {
	return anyOf(t.scope.Any, func(s Selection) []string {
		return compact(
			t.idCond(w, "d.dag_id", s.DAGs),
			projectCond(w, "d.project", s.Projects),
			ownerCond(w, s.Owners),
			memberCond(w, "dag_tag", "tag", s.Tags),
			memberCond(w, "dag_label", "label", s.Labels),
		)
	})
}

// nameCond is the scope as a condition on a DAG's name and its project's path
// alone, for rows that may have no DAG. Selections that ask for more have none
// of them.
func (t *tx) nameCond(w *where, id, project string) string {
	var named []Selection
	for _, s := range t.scope.Any {
		if s.named() {
			named = append(named, s)
		}
	}
	return anyOf(named, func(s Selection) []string {
		return compact(t.idCond(w, id, s.DAGs), projectCond(w, project, s.Projects))
	})
}

// named reports whether the selection asks for names and paths alone.
func (s Selection) named() bool { return len(s.Owners)+len(s.Tags)+len(s.Labels) == 0 }

// anyOf joins selections, each of them a list of conditions, by OR.
func anyOf(selections []Selection, conds func(Selection) []string) string {
	parts := make([]string, 0, len(selections))
	for _, s := range selections {
		all := conds(s)
		if len(all) == 0 {
			return "1 = 1" // the zero Selection has every DAG
		}
		parts = append(parts, "("+strings.Join(all, " AND ")+")")
	}
	if len(parts) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// compact drops the conditions of fields that are empty.
func compact(conds ...string) []string {
	var kept []string
	for _, c := range conds {
		if c != "" {
			kept = append(kept, c)
		}
	}
	return kept
}

// idCond compares names with patterns; upper and lower case differ.
func (t *tx) idCond(w *where, column string, patterns []string) string {
	if len(patterns) == 0 {
		return ""
	}
	var whole, parts []string
	for _, p := range patterns {
		if strings.Contains(p, "*") {
			parts = append(parts, w.number(t.matches(column), t.pattern(p)))
		} else {
			whole = append(whole, p)
		}
	}
	if len(whole) > 0 {
		parts = append(parts, column+" IN "+list(&w.args, whole))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// matches compares a column with a pattern of t.pattern. LIKE does not tell case
// on SQLite, and PostgreSQL has no GLOB.
func (t *tx) matches(column string) string {
	if t.like {
		return column + ` LIKE ? ESCAPE '\'`
	}
	return column + " GLOB ?"
}

// pattern writes a pattern in which only "*" is special.
func (t *tx) pattern(p string) string {
	if t.like {
		return strings.ReplaceAll(literal(p), "*", "%")
	}
	return strings.NewReplacer("[", "[[]", "?", "[?]").Replace(p)
}

// projectCond compares a project's path with paths of projects and groups. A
// group has what is below it: from "group/" up to, not including, "group0", since
// "0" is the byte after "/".
func projectCond(w *where, column string, paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	var parts []string
	for _, p := range paths {
		if p = strings.Trim(p, "/"); p != "" {
			parts = append(parts, w.number(column+" = ? OR "+column+" >= ? AND "+column+" < ?", p, p+"/", p+"0"))
		}
	}
	if len(parts) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func ownerCond(w *where, owners []string) string {
	if len(owners) == 0 {
		return ""
	}
	return "d.owner IN " + list(&w.args, owners)
}

// memberCond asks that the DAG has one of the values in a table of its own.
func memberCond(w *where, table, column string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	return "EXISTS (SELECT 1 FROM " + table + " m WHERE m.dag_id = d.dag_id AND m." + column + " IN " +
		list(&w.args, values) + ")"
}

// scopePush keeps the pushes of the scope; the query calls the table "p". A push
// is seen by its DAG, if that is its project's, and by its project's path. One that
// became no DAG of its own is also seen by the DAGs of its project; a refused one
// may name the DAG of somebody else.
func (t *tx) scopePush(w *where) {
	if t.scope.All {
		return
	}
	w.conds = append(w.conds, "("+t.nameCond(w, "p.dag_id", "p.project")+
		" AND p.state <> 'refused' OR "+t.nameCond(w, "''", "p.project")+
		" OR p.state <> 'refused' AND EXISTS (SELECT 1 FROM dag d WHERE d.dag_id = p.dag_id AND "+ofProject("p")+" AND "+
		t.dagCond(w)+
		") OR (p.dag_id = '' OR p.state = 'refused') AND EXISTS (SELECT 1 FROM dag d WHERE d.project = p.project AND "+
		t.dagCond(w)+"))")
}

// scopeSpec keeps the provenance of the scope's DAGs, also of those that are not
// in the DAG repository yet; the query calls the table "s".
func (t *tx) scopeSpec(w *where) {
	if t.scope.All {
		return
	}
	w.conds = append(w.conds, "("+t.nameCond(w, "s.dag_id", "s.project")+
		" OR EXISTS (SELECT 1 FROM dag d WHERE d.dag_id = s.dag_id AND "+ofProject("s")+" AND "+t.dagCond(w)+"))")
}

// ofProject asks that a DAG, "d", is of the project of a push or provenance: that
// of a project which has just got the DAG's id comes before the DAG of its own.
func ofProject(table string) string {
	return "(d.project_id = " + table + ".project_id OR d.project = " + table + ".project)"
}

// scopeImportError keeps the broken files of the scope: those in the folder of a
// project or group, those that were generated for one, and those whose DAGs, as
// they were before, are all in it. The query calls the table "e".
func (t *tx) scopeImportError(w *where) {
	if t.scope.All {
		return
	}
	w.conds = append(w.conds, "("+t.nameCond(w, "''", "e.project")+
		" OR EXISTS (SELECT 1 FROM generated_spec s WHERE s.path = e.path AND "+t.nameCond(w, "s.dag_id", "s.project")+")"+
		" OR EXISTS (SELECT 1 FROM dag d WHERE d.file = e.path AND d.is_archived = 0 AND "+t.dagCond(w)+
		") AND NOT EXISTS (SELECT 1 FROM dag d WHERE d.file = e.path AND d.is_archived = 0 AND NOT "+t.dagCond(w)+"))")
}

// seen keeps the DAGs of the scope.
func (t *tx) seen(ids []dag.ID) ([]dag.ID, error) {
	if t.scope.All {
		return ids, nil
	}
	var kept []dag.ID
	for _, part := range chunks(ids) {
		w := &where{}
		in(w, "d.dag_id", part)
		t.scopeDAG(w)
		rows, err := t.query(`SELECT d.dag_id FROM dag d`+w.String(), w.args...)
		found, err := collect(rows, err, scanID)
		if err != nil {
			return nil, err
		}
		kept = append(kept, found...)
	}
	return kept, nil
}

func scanID(r scanner) (id dag.ID, err error) {
	err = r.Scan(&id)
	return id, err
}

// sees reports whether there is such a DAG in the scope.
func (t *tx) sees(id dag.ID) (bool, error) {
	w := &where{}
	w.add("d.dag_id = ?", id)
	t.scopeDAG(w)
	var one int
	return t.row(`SELECT 1 FROM dag d`+w.String(), w.args, &one)
}
