package store

import (
	"cmp"
	"fmt"

	"dagwright/dag"
	"dagwright/reason"
)

// owner is whom a DAG's id belongs to. An id that goes to another owner starts over
// (docs/adr/0073-a-freed-id-begins-anew.md).
type owner struct {
	projectID int64  // of GitLab, 0 when it is not known
	project   string // GitLab path, "" for a file outside of dags/
	file      string // in the DAG repository
}

// same reports whether two owners are one. A project keeps its id when it is
// renamed or moved, so the ids tell; without both, the paths do. What belongs to
// no project belongs to its file.
func (o owner) same(other owner) bool {
	switch {
	case o.projectID != 0 && other.projectID != 0:
		return o.projectID == other.projectID
	case o.project != "" || other.project != "":
		return o.project == other.project
	}
	return o.file == other.file
}

func (d *dagRecord) owner() owner { return owner{d.projectID, d.project, d.file} }

// ownerOf is the owner of a DAG that a file defines. Provenance knows best. A
// project that is just being moved is known by the pushes that it made under its
// new path, since its provenance is written after the file.
func ownerOf(t *tx, d *dag.DAG, file string) (owner, error) {
	o := owner{project: projectOf(file, d), file: file}
	var path, project string
	var id int64
	found, err := t.row(`SELECT path, project, project_id FROM generated_spec WHERE dag_id = $1`, []any{d.ID}, &path,
		&project, &id)
	if err != nil || !found {
		return o, err
	}
	if path == file {
		o.projectID, o.project = id, project
		return o, nil
	}
	if id == 0 || o.project == "" {
		return o, nil
	}
	var one int
	moved, err := t.row(`SELECT 1 FROM push WHERE project_id = $1 AND project = $2 LIMIT 1`, []any{id, o.project}, &one)
	if moved {
		o.projectID = id
	}
	return o, err
}

// gaveUp is the reason of runs that end because another project has their DAG's id.
var gaveUp = reason.New(reason.IDTaken)

// setAside keeps a DAG under the id of a former owner, with all that it has been,
// so that its id is free. It reports false when attempts of it must be stopped
// first; its runs have ended then, and it is archived.
func (sv *saver) setAside(d *dagRecord) (bool, error) {
	d.archived, d.next = true, NextRun{}
	if err := sv.store.endRuns(sv.t, d); err != nil {
		return false, fmt.Errorf("end the runs of its former owner: %w", err)
	}
	active, err := hasActiveRuns(sv.t, d.id)
	if err != nil || active {
		return false, err
	}
	id := d.id
	if err := renameDAG(sv.t, d, dag.FormerID(id, d.epoch)); err != nil {
		return false, fmt.Errorf("set former owner's DAG aside: %w", err)
	}
	sv.t.announce(Change{Kind: ChangeDAG, DAG: id, Fresh: true}, Change{Kind: ChangeDAG, DAG: d.id})
	return true, record(sv.t, AuditEntry{By: Actor{User: "dagwright", Via: "scheduler"}, Event: "set_aside", DAG: d.id})
}

// endRuns ends the unfinished runs of a DAG, which has lost its id.
func (s *Store) endRuns(t *tx, d *dagRecord) error {
	rows, err := t.query(`SELECT `+runColumns+
		` FROM dag_run r WHERE r.dag_id = $1 AND r.state IN ('queued', 'running') ORDER BY r.id`, d.id)
	runs, err := collect(rows, err, scanRun)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := s.skipWaiting(t, d, r, gaveUp); err != nil {
			return err
		}
		if err := markRun(t, d, r, dag.RunFailed, gaveUp); err != nil {
			return err
		}
	}
	return nil
}

// dagTables are the tables whose rows go with their DAG's id. Pushes go by their
// project, and what was written of a file by the file.
var dagTables = []string{"dag_version", "dag_tag", "dag_label", "dag_run", "dag_run_count", "backfill", "event_log",
	"promotion", "removal"}

// renameDAG gives a DAG, which must have no active run, another id.
func renameDAG(t *tx, d *dagRecord, id dag.ID) error {
	old := d.id
	if err := stopWishes(t, old); err != nil {
		return err
	}
	// The row is copied and then deleted: the others refer to it all the while.
	_, err := t.exec(
		`INSERT INTO dag (dag_id, created_at, dag_display_name, owner, search_text, file, dag_commit, version, digest,
			parsed_at, is_paused, is_archived, unpaused_at, next_logical_date, next_interval_start, next_interval_end, next_run_after,
			last_scheduled, last_run, last_run_after, last_run_state, last_run_start_date, project, project_id, epoch, rev)
		SELECT $2, created_at, CASE WHEN dag_display_name = dag_id THEN $2 ELSE dag_display_name END, owner,
			LOWER($2) || SUBSTR(search_text, LENGTH(dag_id) + 1), file, dag_commit, version, digest,
			parsed_at, is_paused, is_archived, unpaused_at, next_logical_date, next_interval_start, next_interval_end, next_run_after,
			last_scheduled, last_run, last_run_after, last_run_state, last_run_start_date, project, project_id, epoch, rev
		FROM dag WHERE dag_id = $1`, old, id)
	if err != nil {
		return err
	}
	if err := moveRows(t, dagTables, old, id, d.projectID); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM dag WHERE dag_id = $1`, old); err != nil {
		return err
	}
	for i := range t.changes { // of its runs, which have just ended
		if t.changes[i].DAG == old {
			t.changes[i].DAG = id
		}
	}
	d.id = id
	return d.save(t)
}

// moveRows gives the rows of a DAG in some tables, and the pushes that its project
// made for it, another id.
func moveRows(t *tx, tables []string, from, to dag.ID, projectID int64) error {
	for _, table := range tables {
		if _, err := t.exec(`UPDATE `+table+` SET dag_id = $2 WHERE dag_id = $1`, from, to); err != nil {
			return fmt.Errorf("rename rows of %s: %w", table, err)
		}
	}
	if projectID == 0 {
		return nil
	}
	if _, err := t.exec(`UPDATE push SET dag_id = $2 WHERE project_id = $3 AND dag_id = $1`, from, to,
		projectID); err != nil {
		return fmt.Errorf("rename pushes: %w", err)
	}
	return nil
}

// stopWishes ends what the generator was still asked to do for a DAG that loses
// its id: the file is gone, or is another owner's.
func stopWishes(t *tx, id dag.ID) error {
	if _, err := t.exec(`UPDATE removal SET done_at = $2 WHERE dag_id = $1 AND done_at = 0`, id, t.now); err != nil {
		return fmt.Errorf("end removal: %w", err)
	}
	if _, err := t.exec(`DELETE FROM import_error WHERE dag_id = $1`, id); err != nil { // it is not planned any more
		return fmt.Errorf("clear import error: %w", err)
	}
	_, err := t.exec(
		`UPDATE promotion SET state = 'refused', reason = $2, finished_at = $3 WHERE dag_id = $1 AND state = 'pending'`, id,
		gaveUp.String(), t.now)
	if err != nil {
		return fmt.Errorf("end promotions: %w", err)
	}
	return nil
}

// remember writes down whose a DAG's id was that is deleted with its history: what
// was written of its acts stays, and so do its logs for a while.
func (d *dagRecord) remember(t *tx) error {
	if d.id.Former() {
		return nil
	}
	_, err := t.exec(`INSERT INTO dag_deleted (dag_id, epoch, project_id, project, file) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (dag_id) DO UPDATE SET epoch = excluded.epoch, project_id = excluded.project_id,
			project = excluded.project, file = excluded.file`, d.id, d.epoch, d.projectID, d.project, d.file)
	if err != nil {
		return fmt.Errorf("remember owner of DAG %q: %w", d.id, err)
	}
	return nil
}

// epochOf is the epoch of a DAG that is new in the store. When its id was deleted,
// and was another owner's, what is left of that goes aside.
func epochOf(t *tx, id dag.ID, now owner) (int, error) {
	var was owner
	var epoch int
	found, err := t.row(`SELECT epoch, project_id, project, file FROM dag_deleted WHERE dag_id = $1`, []any{id},
		&epoch, &was.projectID, &was.project, &was.file)
	if err != nil || !found {
		return 0, err
	}
	if _, err := t.exec(`DELETE FROM dag_deleted WHERE dag_id = $1`, id); err != nil {
		return 0, err
	}
	if was.same(now) {
		return epoch, nil
	}
	t.announce(Change{Kind: ChangeDAG, DAG: id, Fresh: true})
	return epoch + 1, moveRows(t, []string{"event_log"}, id, dag.FormerID(id, epoch), max(was.projectID, 0))
}

// keptID is the id of an owner's project once it has been known.
func (d *dagRecord) keptID(now owner) int64 { return cmp.Or(now.projectID, d.projectID) }
