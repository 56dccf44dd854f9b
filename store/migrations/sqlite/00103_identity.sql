-- A DAG's id that goes to another project, or file, begins anew.

-- +goose Up
-- epoch counts the owners that the id had before.
ALTER TABLE dag ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
-- project_id is of GitLab, 0 when it is not known, -1 when it cannot be known any more.
ALTER TABLE dag ADD COLUMN project_id INTEGER NOT NULL DEFAULT 0;
UPDATE dag SET project_id = COALESCE(
    (SELECT s.project_id FROM generated_spec s WHERE s.dag_id = dag.dag_id AND s.path = dag.file),
    (SELECT CASE WHEN COUNT(*) > 1 THEN -1 ELSE COALESCE(MIN(p.project_id), 0) END FROM model_project p WHERE p.project = dag.project));
-- epoch is that of the DAG when the run was made.
ALTER TABLE dag_run ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;

-- dag_deleted has whose the ids were that were deleted with their history.
CREATE TABLE dag_deleted (
    dag_id     TEXT NOT NULL PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    project    TEXT NOT NULL,
    file       TEXT NOT NULL
);
-- Nobody knows it of those that were deleted before.
INSERT INTO dag_deleted (dag_id, epoch, project_id, project, file)
    SELECT DISTINCT e.dag_id, 0, -1, '', '' FROM event_log e
    WHERE e.event = 'delete' AND e.dag_id <> '' AND NOT EXISTS (SELECT 1 FROM dag d WHERE d.dag_id = e.dag_id);

-- +goose Down
DROP TABLE dag_deleted;
ALTER TABLE dag_run DROP COLUMN epoch;
ALTER TABLE dag DROP COLUMN project_id;
ALTER TABLE dag DROP COLUMN epoch;
