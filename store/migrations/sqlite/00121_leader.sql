-- Who this database is, so that pods of another one are told apart. One process alone has
-- a SQLite database, so none has to be chosen to lead.

-- +goose Up
CREATE TABLE database_identity (id TEXT NOT NULL);
INSERT INTO database_identity VALUES (lower(hex(randomblob(8))));

-- +goose Down
DROP TABLE database_identity;
