package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dagwright/dag"
)

// SpecFile is one changed file of the DAG repository, parsed.
type SpecFile struct {
	Path   string
	Blob   string // git hash of the content
	Source string
	DAGs   []*dag.DAG
	// Errors are the faults of a broken file; DAGs is then empty and the last
	// good DAGs of the file stay in force.
	Errors dag.SpecErrors
}

// Sync is what one look at the DAG repository found.
type Sync struct {
	Commit  string
	Changed []SpecFile
	Removed []string // paths
}

// SyncResult counts what a Sync did.
type SyncResult struct {
	// Added counts new DAGs and archived ones that came back, Updated those
	// with a new version or file, Broken the files with import errors.
	Added, Updated, Archived, Broken int
	// DAGs are those whose definition changed, for the scheduler.
	DAGs []dag.ID
	// Waiting are ids of DAGs whose former owner's attempts are being stopped. The
	// files that define them must be read again when those have ended.
	Waiting []dag.ID
}

// SaveDAGs takes a Sync into the store in one transaction: new DAGs (paused as
// their spec says), a new version where the definition or the source changed,
// import errors for broken files, archived DAGs for files that are gone. A DAG
// id that another file defines already is an import error naming both paths,
// and the first file keeps it; the file's other DAGs are taken. SyncedFiles
// then gives no blob for that file, so that it is read again.
//
// A DAG whose id was another owner's (another project's, or another file's outside
// of all projects) is a new one, and paused. What there was under the id is kept
// under [dag.FormerID], archived, for those who saw it. Attempts of it that are
// active are stopped first; the file is an import error until they have ended.
func (s *Store) SaveDAGs(ctx context.Context, sync Sync) (SyncResult, error) {
	var result SyncResult
	err := s.write(ctx, func(t *tx) error {
		sv := &saver{store: s, t: t, commit: sync.Commit, ledger: newLedger(t)}
		if err := sv.save(sync); err != nil {
			return err
		}
		result = sv.result
		return nil
	})
	return result, err
}

// saver takes one Sync into the store.
type saver struct {
	store  *Store
	t      *tx
	commit string
	ledger *ledger
	result SyncResult

	dags    map[dag.ID]*savedDAG
	byFile  map[string][]*savedDAG
	claimed map[dag.ID]string // DAG → file of this sync that defines it
}

// savedDAG is a DAG as it was before the sync.
type savedDAG struct {
	*dagRecord
	digest      string
	wasArchived bool
}

func (sv *saver) save(sync Sync) error {
	// Locking this row lets two syncs take turns.
	if _, err := sv.t.exec(`UPDATE sync SET commit_id = $1 WHERE id = 1`, sync.Commit); err != nil {
		return fmt.Errorf("write synced commit: %w", err)
	}
	if err := sv.load(sync); err != nil {
		return fmt.Errorf("read DAGs: %w", err)
	}
	files := slices.SortedFunc(slices.Values(sync.Changed),
		func(a, b SpecFile) int { return strings.Compare(a.Path, b.Path) })
	if err := sv.release(files, sync.Removed); err != nil {
		return err
	}
	for _, f := range files {
		if err := sv.file(f); err != nil {
			return fmt.Errorf("save %s: %w", f.Path, err)
		}
	}
	if err := sv.archive(); err != nil {
		return err
	}
	slices.Sort(sv.result.DAGs)
	for _, id := range sv.result.DAGs {
		sv.t.announce(Change{Kind: ChangeDAG, DAG: id})
	}
	return sv.ledger.flush()
}

// load reads and locks the DAGs that the sync may touch: those it defines and
// those of its files.
func (sv *saver) load(sync Sync) error {
	var ids []dag.ID
	paths := slices.Clone(sync.Removed)
	for _, f := range sync.Changed {
		paths = append(paths, f.Path)
		for _, d := range f.DAGs {
			ids = append(ids, d.ID)
		}
	}
	owned, err := dagsOfFiles(sv.t, paths)
	if err != nil {
		return err
	}
	ids = append(ids, owned...)
	slices.Sort(ids)
	records, err := lockDAGs(sv.t, slices.Compact(ids))
	if err != nil {
		return err
	}
	return sv.index(records)
}

// index reads the digests and sorts the DAGs by file.
func (sv *saver) index(records map[dag.ID]*dagRecord) error {
	sv.dags = make(map[dag.ID]*savedDAG, len(records))
	sv.byFile = map[string][]*savedDAG{}
	sv.claimed = map[dag.ID]string{}
	ids := slices.Sorted(maps.Keys(records))
	for _, part := range chunks(ids) {
		var args []any
		rows, err := sv.t.query(`SELECT dag_id, digest FROM dag WHERE dag_id IN `+list(&args, part), args...)
		err = each(rows, err, func(r scanner) error {
			var id dag.ID
			var digest string
			if err := r.Scan(&id, &digest); err != nil {
				return err
			}
			sv.dags[id] = &savedDAG{records[id], digest, records[id].archived}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		if d := sv.dags[id]; d != nil && !d.archived {
			sv.byFile[d.file] = append(sv.byFile[d.file], d)
		}
	}
	return nil
}

func dagsOfFiles(t *tx, paths []string) ([]dag.ID, error) {
	var ids []dag.ID
	for _, part := range chunks(paths) {
		var args []any
		rows, err := t.query(`SELECT dag_id FROM dag WHERE is_archived = 0 AND file IN `+list(&args, part), args...)
		found, err := collect(rows, err, func(r scanner) (dag.ID, error) {
			var id dag.ID
			err := r.Scan(&id)
			return id, err
		})
		if err != nil {
			return nil, err
		}
		ids = append(ids, found...)
	}
	return ids, nil
}

// release frees the DAGs of removed files and those that a changed file does
// not define any more, so that another file of the same sync may take them.
func (sv *saver) release(files []SpecFile, removed []string) error {
	for _, path := range removed {
		for _, d := range sv.byFile[path] {
			d.archived = true
		}
		if err := sv.forget(path); err != nil {
			return fmt.Errorf("remove %s: %w", path, err)
		}
	}
	for _, f := range files {
		if len(f.Errors) > 0 {
			continue
		}
		defined := map[dag.ID]bool{}
		for _, d := range f.DAGs {
			defined[d.ID] = true
		}
		for _, d := range sv.byFile[f.Path] {
			d.archived = !defined[d.id]
		}
	}
	return nil
}

func (sv *saver) forget(path string) error {
	if _, err := sv.t.exec(`DELETE FROM synced_file WHERE path = $1`, path); err != nil {
		return err
	}
	return clearImportError(sv.t, path)
}

// file takes one changed file over.
func (sv *saver) file(f SpecFile) error {
	faults, blob := f.Errors, f.Blob
	if len(faults) == 0 {
		for _, d := range f.DAGs {
			fault, err := sv.define(f, d)
			if err != nil {
				return fmt.Errorf("DAG %q: %w", d.ID, err)
			}
			if fault != nil {
				faults, blob = append(faults, fault), ""
			}
		}
	}
	_, err := sv.t.exec(`INSERT INTO synced_file (path, blob) VALUES ($1, $2)
		ON CONFLICT (path) DO UPDATE SET blob = excluded.blob`, f.Path, blob)
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		return clearImportError(sv.t, f.Path)
	}
	sv.result.Broken++
	var of dag.ID
	if known := sv.byFile[f.Path]; len(known) == 1 {
		of = known[0].id
	}
	return setImportError(sv.t, f.Path, of, faults)
}

// define takes one DAG of a file over, or returns why it cannot be.
func (sv *saver) define(f SpecFile, spec *dag.DAG) (*dag.SpecError, error) {
	old := sv.dags[spec.ID]
	owner, taken := sv.claimed[spec.ID]
	if !taken && old != nil && !old.archived {
		owner, taken = old.file, old.file != f.Path
	}
	if taken {
		return duplicate(spec.ID, f.Path, owner), nil
	}
	sv.claimed[spec.ID] = f.Path
	next, err := newVersion(spec, f, sv.commit)
	if err != nil {
		return nil, err
	}
	now, err := ownerOf(sv.t, spec, f.Path)
	if err != nil {
		return nil, fmt.Errorf("find its project: %w", err)
	}
	switch {
	case old == nil:
		epoch, err := epochOf(sv.t, spec.ID, now)
		if err != nil {
			return nil, err
		}
		return nil, sv.add(spec, next, now, epoch)
	case old.owner().same(now):
		return nil, sv.update(spec, next, old, now)
	}
	free, err := sv.setAside(old.dagRecord)
	if err != nil {
		return nil, err
	}
	if !free {
		sv.result.Waiting = append(sv.result.Waiting, spec.ID)
		return &dag.SpecError{File: f.Path, Path: string(spec.ID), Reason: stillHeld}, nil
	}
	delete(sv.dags, spec.ID)
	return nil, sv.add(spec, next, now, old.epoch+1)
}

// stillHeld is the fault of a file whose DAG's id is not free yet.
const stillHeld = "the id was another project's or file's, whose attempts are still being stopped; " +
	"the file is taken by itself as soon as they have ended"

func duplicate(id dag.ID, path, owner string) *dag.SpecError {
	reason := fmt.Sprintf("DAG %q is defined in %s already; %s was not taken: rename one of the two", id, owner, path)
	if path == owner {
		reason = fmt.Sprintf("DAG %q is defined twice in %s", id, path)
	}
	return &dag.SpecError{File: path, Path: string(id), Reason: reason}
}

// add writes a new DAG. One whose id had another owner before is paused, whatever
// its file says.
func (sv *saver) add(spec *dag.DAG, v newDAGVersion, now owner, epoch int) error {
	v.number = 1
	paused := spec.PausedUponCreation || epoch > 0
	_, err := sv.t.exec(`INSERT INTO dag (dag_id, created_at, dag_display_name, owner, search_text, file, dag_commit,
			version, digest, parsed_at, is_paused, unpaused_at, project, project_id, epoch)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		spec.ID, sv.t.now, displayName(spec), spec.Owner, searchText(spec), v.file, v.commit,
		v.number, v.digest, sv.t.now, paused, unpausedAt(sv.t, paused), now.project, now.projectID, epoch)
	if err != nil {
		return err
	}
	if err := v.insert(sv.t); err != nil {
		return err
	}
	if err := insertLabels(sv.t, spec); err != nil {
		return err
	}
	sv.result.Added++
	sv.result.DAGs = append(sv.result.DAGs, spec.ID)
	return insertTags(sv.t, spec)
}

func (sv *saver) update(spec *dag.DAG, v newDAGVersion, old *savedDAG, now owner) error {
	t := sv.t
	moved := old.file != v.file
	old.archived = false
	v.number = old.version
	if v.digest == old.digest {
		// The newest version keeps the commit at which it was first seen.
		v.commit = old.commit
	} else {
		v.number++
		if err := v.insert(t); err != nil {
			return err
		}
	}
	_, err := t.exec(`UPDATE dag SET dag_display_name = $2, owner = $3, search_text = $4, file = $5, dag_commit = $6,
			version = $7, digest = $8, parsed_at = $9, is_archived = 0, project = $10, project_id = $11 WHERE dag_id = $1`,
		spec.ID, displayName(spec), spec.Owner, searchText(spec), v.file, v.commit, v.number, v.digest, t.now, now.project,
		old.keptID(now))
	if err != nil {
		return err
	}
	// Also when nothing changed: an older dagwright has kept no labels.
	if err := replaceLabels(t, spec); err != nil {
		return err
	}
	if v.digest == old.digest && !old.wasArchived && !moved {
		return nil
	}
	if old.wasArchived {
		sv.result.Added++
		if err := finishProposedRemoval(t, spec.ID, true); err != nil {
			return err
		}
	} else {
		sv.result.Updated++
	}
	sv.result.DAGs = append(sv.result.DAGs, spec.ID)
	if _, err := t.exec(`DELETE FROM dag_tag WHERE dag_id = $1`, spec.ID); err != nil {
		return err
	}
	return insertTags(t, spec)
}

// archive writes down which DAGs were released and not taken again.
func (sv *saver) archive() error {
	for _, path := range slices.Sorted(maps.Keys(sv.byFile)) {
		for _, d := range sv.byFile[path] {
			if !d.archived {
				continue
			}
			d.next = NextRun{}
			sv.ledger.touched(d.dagRecord)
			sv.result.Archived++
			sv.result.DAGs = append(sv.result.DAGs, d.id)
			if err := finishProposedRemoval(sv.t, d.id, false); err != nil {
				return err
			}
			entry := AuditEntry{By: Actor{User: "dagwright", Via: "scheduler"}, Event: "archive", DAG: d.id}
			if err := record(sv.t, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// SyncedFiles returns the commit of the last Sync ("" before the first one)
// and the blob of every file known, broken ones too. The blob is "" for a file
// that must be read again because another one held its DAG's name.
func (s *Store) SyncedFiles(ctx context.Context) (commit string, blobs map[string]string, err error) {
	blobs = map[string]string{}
	err = s.db.read(ctx, func(t *tx) error {
		if _, err := t.row(`SELECT commit_id FROM sync WHERE id = 1`, nil, &commit); err != nil {
			return fmt.Errorf("read synced commit: %w", err)
		}
		rows, err := t.query(`SELECT path, blob FROM synced_file`)
		return each(rows, err, func(r scanner) error {
			var path, blob string
			err := r.Scan(&path, &blob)
			blobs[path] = blob
			return err
		})
	})
	return commit, blobs, err
}
