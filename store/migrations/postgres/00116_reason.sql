-- Why a run or a task instance is in its state is a code and its arguments, a JSON
-- list. Sentences of older versions become the argument of the code "text", except for
-- plain exit codes. That an attempt is being stopped was told by its sentence.

-- +goose Up
ALTER TABLE dag_run RENAME COLUMN reason TO reason_args;
ALTER TABLE dag_run ADD COLUMN reason_code TEXT NOT NULL DEFAULT '';
UPDATE dag_run SET reason_code = 'text', reason_args = json_build_array(reason_args)::text
	WHERE reason_args <> '' AND reason_code = '';
ALTER TABLE task_instance RENAME COLUMN reason TO reason_args;
ALTER TABLE task_instance ADD COLUMN reason_code TEXT NOT NULL DEFAULT '';
ALTER TABLE task_instance ADD COLUMN stopping INTEGER NOT NULL DEFAULT 0;
UPDATE task_instance SET stopping = 1 WHERE state IN ('queued', 'running') AND reason_args LIKE 'stopped%';
UPDATE task_instance SET reason_code = 'exit_code', reason_args = '[' || substr(reason_args, 11) || ']'
	WHERE reason_args ~ '^exit code [0-9]{1,9}$';
UPDATE task_instance SET reason_code = 'text', reason_args = json_build_array(reason_args)::text
	WHERE reason_args <> '' AND reason_code = '';
ALTER TABLE task_instance_history RENAME COLUMN reason TO reason_args;
ALTER TABLE task_instance_history ADD COLUMN reason_code TEXT NOT NULL DEFAULT '';
ALTER TABLE task_instance_history ADD COLUMN stopping INTEGER NOT NULL DEFAULT 0;
UPDATE task_instance_history SET reason_code = 'exit_code', reason_args = '[' || substr(reason_args, 11) || ']'
	WHERE reason_args ~ '^exit code [0-9]{1,9}$';
UPDATE task_instance_history SET reason_code = 'text', reason_args = json_build_array(reason_args)::text
	WHERE reason_args <> '' AND reason_code = '';

-- +goose Down
UPDATE task_instance_history SET reason_args = CASE reason_code WHEN 'text' THEN reason_args::json ->> 0 ELSE reason_code END
	WHERE reason_code <> '';
ALTER TABLE task_instance_history DROP COLUMN stopping;
ALTER TABLE task_instance_history DROP COLUMN reason_code;
ALTER TABLE task_instance_history RENAME COLUMN reason_args TO reason;
UPDATE task_instance SET reason_args = CASE reason_code WHEN 'text' THEN reason_args::json ->> 0 ELSE reason_code END
	WHERE reason_code <> '';
ALTER TABLE task_instance DROP COLUMN stopping;
ALTER TABLE task_instance DROP COLUMN reason_code;
ALTER TABLE task_instance RENAME COLUMN reason_args TO reason;
UPDATE dag_run SET reason_args = CASE reason_code WHEN 'text' THEN reason_args::json ->> 0 ELSE reason_code END
	WHERE reason_code <> '';
ALTER TABLE dag_run DROP COLUMN reason_code;
ALTER TABLE dag_run RENAME COLUMN reason_args TO reason;
