-- Times are microseconds since 1970 in UTC, 0 for no time. Booleans are 0 or 1.
-- JSON is text, '' for none.

-- +goose Up
CREATE TABLE dag (
    dag_id              TEXT NOT NULL PRIMARY KEY,
    created_at          BIGINT NOT NULL,
    dag_display_name    TEXT NOT NULL,
    owner               TEXT NOT NULL,
    search_text         TEXT NOT NULL, -- lower case: id, display name, owner, tags
    file                TEXT NOT NULL,
    dag_commit          TEXT NOT NULL, -- at which the newest version was seen
    version             INTEGER NOT NULL,
    digest              TEXT NOT NULL, -- of the newest version's definition and source
    parsed_at           BIGINT NOT NULL,
    is_paused           INTEGER NOT NULL,
    is_archived         INTEGER NOT NULL DEFAULT 0,
    unpaused_at         BIGINT NOT NULL DEFAULT 0,
    next_logical_date   BIGINT NOT NULL DEFAULT 0,
    next_interval_start BIGINT NOT NULL DEFAULT 0,
    next_interval_end   BIGINT NOT NULL DEFAULT 0,
    next_run_after      BIGINT NOT NULL DEFAULT 0,
    last_scheduled      BIGINT NOT NULL DEFAULT 0, -- greatest logical date of a scheduled run
    -- The newest run by run_after, and what lists sort and filter by of it.
    last_run            BIGINT NOT NULL DEFAULT 0,
    last_run_after      BIGINT NOT NULL DEFAULT 0,
    last_run_state      TEXT NOT NULL DEFAULT '',
    last_run_start_date BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX dag_by_state ON dag (is_archived, is_paused, last_run_state);
CREATE INDEX dag_by_file ON dag (file);

CREATE TABLE dag_version (
    dag_id     TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    file       TEXT NOT NULL,
    dag_commit TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    definition TEXT NOT NULL,
    source     TEXT NOT NULL,
    PRIMARY KEY (dag_id, version)
);

CREATE TABLE dag_tag (
    dag_id TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
    tag    TEXT NOT NULL,
    PRIMARY KEY (dag_id, tag)
) WITHOUT ROWID;
CREATE INDEX dag_tag_by_tag ON dag_tag (tag);

CREATE TABLE dag_run (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    dag_id          TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
    run_id          TEXT NOT NULL,
    run_type        TEXT NOT NULL,
    state           TEXT NOT NULL,
    stopping        INTEGER NOT NULL DEFAULT 0, -- ended, but attempts are still active
    version         INTEGER NOT NULL,
    logical_date    BIGINT NOT NULL,
    interval_start  BIGINT NOT NULL,
    interval_end    BIGINT NOT NULL,
    run_after       BIGINT NOT NULL,
    queued_at       BIGINT NOT NULL,
    start_date      BIGINT NOT NULL DEFAULT 0,
    end_date        BIGINT NOT NULL DEFAULT 0,
    conf            TEXT NOT NULL,
    note            TEXT NOT NULL,
    triggered_by    TEXT NOT NULL,
    triggering_user TEXT NOT NULL,
    reason          TEXT NOT NULL DEFAULT '',
    UNIQUE (dag_id, run_id),
    UNIQUE (dag_id, logical_date)
);
CREATE INDEX dag_run_newest ON dag_run (run_after, id);
CREATE INDEX dag_run_newest_of_dag ON dag_run (dag_id, run_after, id);
CREATE INDEX dag_run_newest_of_state ON dag_run (state, run_after, id);
CREATE INDEX dag_run_newest_of_dag_and_state ON dag_run (dag_id, state, run_after, id);
CREATE INDEX dag_run_stopping ON dag_run (dag_id, id) WHERE stopping = 1;

CREATE TABLE dag_run_count (
    dag_id TEXT NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
    state  TEXT NOT NULL,
    n      BIGINT NOT NULL CHECK (n >= 0),
    PRIMARY KEY (dag_id, state)
) WITHOUT ROWID;
CREATE INDEX dag_run_count_present ON dag_run_count (state, dag_id, n) WHERE n > 0;

CREATE TABLE task_instance (
    dag_run       BIGINT NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
    task_id       TEXT NOT NULL,
    state         TEXT NOT NULL,
    try_number    INTEGER NOT NULL,
    max_tries     INTEGER NOT NULL,
    queued_at     BIGINT NOT NULL,
    start_date    BIGINT NOT NULL,
    end_date      BIGINT NOT NULL,
    retry_at      BIGINT NOT NULL,
    exit_code     INTEGER NOT NULL,
    has_exit_code INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    hostname      TEXT NOT NULL,
    pid           INTEGER NOT NULL,
    PRIMARY KEY (dag_run, task_id)
) WITHOUT ROWID;
CREATE INDEX task_instance_active ON task_instance (dag_run) WHERE state IN ('queued', 'running');

CREATE TABLE task_instance_history (
    dag_run       BIGINT NOT NULL REFERENCES dag_run (id) ON DELETE CASCADE,
    task_id       TEXT NOT NULL,
    state         TEXT NOT NULL,
    try_number    INTEGER NOT NULL,
    max_tries     INTEGER NOT NULL,
    queued_at     BIGINT NOT NULL,
    start_date    BIGINT NOT NULL,
    end_date      BIGINT NOT NULL,
    retry_at      BIGINT NOT NULL,
    exit_code     INTEGER NOT NULL,
    has_exit_code INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    hostname      TEXT NOT NULL,
    pid           INTEGER NOT NULL,
    PRIMARY KEY (dag_run, task_id, try_number)
) WITHOUT ROWID;

CREATE TABLE push (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id    BIGINT NOT NULL,
    project       TEXT NOT NULL,
    branch        TEXT NOT NULL,
    before_commit TEXT NOT NULL,
    after_commit  TEXT NOT NULL,
    is_deleted    INTEGER NOT NULL,
    delivery      TEXT NOT NULL,
    user_name     TEXT NOT NULL,
    title         TEXT NOT NULL,
    received_at   BIGINT NOT NULL,
    state         TEXT NOT NULL,
    finished_at   BIGINT NOT NULL DEFAULT 0,
    tries         INTEGER NOT NULL DEFAULT 0,
    retry_at      BIGINT NOT NULL DEFAULT 0,
    reason        TEXT NOT NULL DEFAULT '',
    dag_id        TEXT NOT NULL DEFAULT '',
    dag_commit    TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX push_delivery ON push (delivery) WHERE delivery <> '';
CREATE INDEX push_newest_of_branch ON push (project_id, branch, id);
CREATE INDEX push_pending ON push (id) WHERE state = 'pending';

CREATE TABLE generated_spec (
    dag_id          TEXT NOT NULL PRIMARY KEY,
    project_id      BIGINT NOT NULL,
    project         TEXT NOT NULL,
    branch          TEXT NOT NULL,
    model_commit    TEXT NOT NULL,
    path            TEXT NOT NULL,
    template        TEXT NOT NULL,
    template_digest TEXT NOT NULL,
    dag_commit      TEXT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE TABLE removal (
    dag_id     TEXT NOT NULL PRIMARY KEY,
    path       TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    via        TEXT NOT NULL,
    asked_at   BIGINT NOT NULL,
    done_at    BIGINT NOT NULL DEFAULT 0,
    dag_commit TEXT NOT NULL DEFAULT ''
);

CREATE TABLE import_error (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    path   TEXT NOT NULL UNIQUE,
    at     BIGINT NOT NULL,
    errors TEXT NOT NULL
);

CREATE TABLE event_log (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        BIGINT NOT NULL,
    user_name TEXT NOT NULL,
    via       TEXT NOT NULL,
    event     TEXT NOT NULL,
    dag_id    TEXT NOT NULL,
    run_id    TEXT NOT NULL,
    task_id   TEXT NOT NULL,
    extra     TEXT NOT NULL
);
CREATE INDEX event_log_of_dag ON event_log (dag_id, id);

CREATE TABLE sync (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    commit_id TEXT NOT NULL
);
INSERT INTO sync (id, commit_id) VALUES (1, '');

CREATE TABLE synced_file (
    path TEXT NOT NULL PRIMARY KEY,
    blob TEXT NOT NULL -- '' when the file must be looked at again
) WITHOUT ROWID;

-- +goose Down
DROP TABLE synced_file;
DROP TABLE sync;
DROP TABLE event_log;
DROP TABLE import_error;
DROP TABLE removal;
DROP TABLE generated_spec;
DROP TABLE push;
DROP TABLE task_instance_history;
DROP TABLE task_instance;
DROP TABLE dag_run_count;
DROP TABLE dag_run;
DROP TABLE dag_tag;
DROP TABLE dag_version;
DROP TABLE dag;
