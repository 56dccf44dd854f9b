-- Backfills: the runs of a past range, asked for by a person. A run of one names it.

-- +goose Up
CREATE TABLE backfill (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id          TEXT COLLATE "C" NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
    from_date       BIGINT NOT NULL,
    to_date         BIGINT NOT NULL,
    conf            TEXT NOT NULL,
    backwards       INTEGER NOT NULL,
    reprocess       TEXT COLLATE "C" NOT NULL, -- none, failed or completed
    max_active_runs INTEGER NOT NULL,
    is_paused       INTEGER NOT NULL DEFAULT 0,
    user_name       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    completed_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX backfill_of_dag ON backfill (dag_id, id);
ALTER TABLE dag_run ADD COLUMN backfill BIGINT NOT NULL DEFAULT 0;
CREATE INDEX dag_run_of_backfill ON dag_run (backfill, state) WHERE backfill <> 0;

-- +goose Down
DROP INDEX dag_run_of_backfill;
ALTER TABLE dag_run DROP COLUMN backfill;
DROP TABLE backfill;
