-- Who has signed in, their sessions, and the tokens of scripts. What somebody
-- presents (a cookie, a token) is kept as its SHA-256 only.

-- +goose Up
CREATE TABLE person (
    issuer     TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    claims     TEXT COLLATE "C" NOT NULL, -- JSON: what rules may look at
    claimed_at BIGINT NOT NULL, -- when the provider confirmed the claims last
    PRIMARY KEY (issuer, subject)
);

CREATE TABLE session (
    id_hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL, -- names the session on pages, no secret
    issuer        TEXT COLLATE "C" NOT NULL,
    subject       TEXT COLLATE "C" NOT NULL,
    sid           TEXT COLLATE "C" NOT NULL, -- the provider's session, '' when it named none
    agent         TEXT COLLATE "C" NOT NULL,
    id_token      TEXT COLLATE "C" NOT NULL, -- encrypted
    refresh_token TEXT COLLATE "C" NOT NULL, -- encrypted, '' for none
    created_at    BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL,
    idle_until    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    refresh_at    BIGINT NOT NULL -- 0: never
);
CREATE UNIQUE INDEX session_by_id ON session (id);
CREATE INDEX session_of_person ON session (issuer, subject);
CREATE INDEX session_of_provider ON session (issuer, sid);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE api_token (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- names the token on pages, no secret
    hash         TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    issuer       TEXT COLLATE "C" NOT NULL, -- of the owner; '' for a service's token
    subject      TEXT COLLATE "C" NOT NULL,
    role         INTEGER NOT NULL,
    scope        TEXT COLLATE "C" NOT NULL, -- JSON: store.Scope
    created_by   TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX api_token_by_hash ON api_token (hash);
CREATE INDEX api_token_of_person ON api_token (issuer, subject);

-- A logout token counts once; its id is kept until it has expired.
CREATE TABLE logout_token (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE logout_token;
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE person;
