-- Who has signed in, their sessions, and the tokens of scripts. What somebody
-- presents (a cookie, a token) is kept as its SHA-256 only.

-- +goose Up
CREATE TABLE person (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    name       TEXT NOT NULL,
    claims     TEXT NOT NULL, -- JSON: what rules may look at
    claimed_at BIGINT NOT NULL, -- when the provider confirmed the claims last
    PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;

CREATE TABLE session (
    id_hash       TEXT NOT NULL PRIMARY KEY,
    id            TEXT NOT NULL, -- names the session on pages, no secret
    issuer        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    sid           TEXT NOT NULL, -- the provider's session, '' when it named none
    agent         TEXT NOT NULL,
    id_token      TEXT NOT NULL, -- encrypted
    refresh_token TEXT NOT NULL, -- encrypted, '' for none
    created_at    BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    idle_until    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    refresh_at    BIGINT NOT NULL -- 0: never
) WITHOUT ROWID;
CREATE UNIQUE INDEX session_by_id ON session (id);
CREATE INDEX session_of_person ON session (issuer, subject);
CREATE INDEX session_of_provider ON session (issuer, sid);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE api_token (
    id           TEXT NOT NULL PRIMARY KEY, -- names the token on pages, no secret
    hash         TEXT NOT NULL,
    name         TEXT NOT NULL,
    issuer       TEXT NOT NULL, -- of the owner; '' for a service's token
    subject      TEXT NOT NULL,
    role         INTEGER NOT NULL,
    scope        TEXT NOT NULL, -- JSON: store.Scope
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_token_by_hash ON api_token (hash);
CREATE INDEX api_token_of_person ON api_token (issuer, subject);

-- A logout token counts once; its id is kept until it has expired.
CREATE TABLE logout_token (
    id         TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE logout_token;
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE person;
