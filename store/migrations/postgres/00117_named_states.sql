-- States that an absent value stood for have names: a queued run with a start had
-- been cleared; a skipped task instance without a start, or with a retry that was due, had
-- been skipped with its run. Lost attempts no longer count in max_tries.

-- +goose Up
ALTER TABLE dag_run ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;
UPDATE dag_run SET cleared = 1 WHERE state = 'queued' AND start_date <> 0;
ALTER TABLE task_instance ADD COLUMN skipped_with_run INTEGER NOT NULL DEFAULT 0;
UPDATE task_instance SET skipped_with_run = 1 WHERE state = 'skipped' AND (start_date = 0 OR retry_at <> 0);
UPDATE task_instance SET max_tries = max_tries - lost WHERE lost > 0;
ALTER TABLE task_instance_history ADD COLUMN skipped_with_run INTEGER NOT NULL DEFAULT 0;
UPDATE task_instance_history SET skipped_with_run = 1 WHERE state = 'skipped' AND (start_date = 0 OR retry_at <> 0);
UPDATE task_instance_history SET max_tries = max_tries - lost WHERE lost > 0;

-- +goose Down
UPDATE task_instance_history SET max_tries = max_tries + lost WHERE lost > 0;
ALTER TABLE task_instance_history DROP COLUMN skipped_with_run;
UPDATE task_instance SET max_tries = max_tries + lost WHERE lost > 0;
ALTER TABLE task_instance DROP COLUMN skipped_with_run;
UPDATE dag_run SET start_date = queued_at WHERE cleared = 1 AND start_date = 0;
ALTER TABLE dag_run DROP COLUMN cleared;
