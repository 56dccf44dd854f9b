-- Attempts that were lost through no fault of the task, since it was last cleared:
-- they were counted in max_tries alone, which clearing raises too. What was lost
-- before is not known apart, and forgiven.
-- The digest of the key under which a run was triggered: who repeats a trigger
-- whose answer was lost gets the same run.
-- '' for a broken file; the id of a DAG of the file that the scheduler cannot plan.

-- +goose Up
ALTER TABLE task_instance ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task_instance_history ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dag_run ADD COLUMN trigger_key TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX dag_run_trigger_key ON dag_run (dag_id, trigger_key) WHERE trigger_key <> '';
ALTER TABLE import_error ADD COLUMN dag_id TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE import_error DROP COLUMN dag_id;
DROP INDEX dag_run_trigger_key;
ALTER TABLE dag_run DROP COLUMN trigger_key;
ALTER TABLE task_instance_history DROP COLUMN lost;
ALTER TABLE task_instance DROP COLUMN lost;
