-- Promotions of DAGs to the next instance, as people asked for them.

-- +goose Up
CREATE TABLE promotion (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id        TEXT COLLATE "C" NOT NULL,
    version       INTEGER NOT NULL,
    path          TEXT COLLATE "C" NOT NULL,
    dag_commit    TEXT COLLATE "C" NOT NULL, -- of the DAG repository
    is_dry        INTEGER NOT NULL, -- only compares
    user_name     TEXT COLLATE "C" NOT NULL,
    via           TEXT COLLATE "C" NOT NULL,
    asked_at      BIGINT NOT NULL,
    state         TEXT COLLATE "C" NOT NULL, -- pending, compared, proposed, unchanged, refused
    reason        TEXT COLLATE "C" NOT NULL DEFAULT '',
    merge_request TEXT COLLATE "C" NOT NULL DEFAULT '',
    finished_at   BIGINT NOT NULL DEFAULT 0,
    tries         INTEGER NOT NULL DEFAULT 0,
    retry_at      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX promotion_pending ON promotion (id) WHERE state = 'pending';
CREATE INDEX promotion_of_dag ON promotion (dag_id, id);

-- +goose Down
DROP TABLE promotion;
