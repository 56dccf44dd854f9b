-- What was decided against leaves a record: pushes that ask not to be rendered, and
-- removals that the DAG repository refuses.

-- +goose Up
DROP INDEX push_settled;
CREATE INDEX push_settled ON push (project_id, branch, finished_at, id) WHERE state NOT IN ('pending', 'superseded', 'compared', 'skipped');
CREATE INDEX push_skipped ON push (project_id, branch, after_commit, id) WHERE state = 'skipped';

ALTER TABLE removal ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE removal ADD COLUMN retry_at BIGINT NOT NULL DEFAULT 0;
-- reason is why the last try failed.
ALTER TABLE removal ADD COLUMN reason TEXT NOT NULL DEFAULT '';
-- merge_request is the URL of the one that removes the file; it is then up to people.
ALTER TABLE removal ADD COLUMN merge_request TEXT NOT NULL DEFAULT '';
CREATE INDEX removal_pending ON removal (asked_at, dag_id) WHERE done_at = 0;

-- +goose Down
DROP INDEX removal_pending;
ALTER TABLE removal DROP COLUMN merge_request;
ALTER TABLE removal DROP COLUMN reason;
ALTER TABLE removal DROP COLUMN retry_at;
ALTER TABLE removal DROP COLUMN tries;
DROP INDEX push_skipped;
DROP INDEX push_settled;
CREATE INDEX push_settled ON push (project_id, branch, finished_at, id) WHERE state NOT IN ('pending', 'superseded', 'compared');
