-- A request about a file of the DAG repository may be to bring it back: restores is
-- the version of the DAG whose source is committed; 0 is a removal.

-- +goose Up
ALTER TABLE removal ADD COLUMN restores INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE removal DROP COLUMN restores;
