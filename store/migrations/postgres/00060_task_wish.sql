-- What somebody wants of an active task instance: '' or dag.TaskWish.

-- +goose Up
ALTER TABLE task_instance ADD COLUMN wish TEXT NOT NULL DEFAULT '';
ALTER TABLE task_instance_history ADD COLUMN wish TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE task_instance_history DROP COLUMN wish;
ALTER TABLE task_instance DROP COLUMN wish;
