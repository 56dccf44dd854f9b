-- The revision of a DAG, its runs and their task instances: a number that every write
-- which locks the DAG replaces by another one, drawn at random. Where it is the same,
-- nothing has changed. 0 is that of a DAG that nobody has locked yet.

-- +goose Up
ALTER TABLE dag ADD COLUMN rev BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE dag DROP COLUMN rev;
