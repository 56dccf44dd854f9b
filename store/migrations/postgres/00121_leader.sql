-- Who this database is, so that pods of another one are told apart; and which process
-- leads each role. The times of a leader are the server's own.

-- +goose Up
CREATE TABLE database_identity (id TEXT COLLATE "C" NOT NULL);
INSERT INTO database_identity SELECT substr(md5(gen_random_uuid()::text), 1, 16);
CREATE TABLE leader (
    role   TEXT COLLATE "C" PRIMARY KEY,
    epoch  BIGINT      NOT NULL,
    holder TEXT        NOT NULL,
    since  TIMESTAMPTZ NOT NULL,
    beat   TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE leader;
DROP TABLE database_identity;
