-- Refused pushes are few, and looked for on every page about DAGs.

-- +goose Up
CREATE INDEX push_refused ON push (id) WHERE state = 'refused';

-- +goose Down
DROP INDEX push_refused;
