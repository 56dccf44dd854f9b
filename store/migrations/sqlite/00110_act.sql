-- Acts of people that were done, each under the key that it was asked for with: whoever
-- repeats one, having heard nothing of the first, gets the answer of the first. They are
-- forgotten after a day.

-- +goose Up
CREATE TABLE act (
    digest TEXT PRIMARY KEY, -- of the key, who asked, and for what
    done_at INTEGER NOT NULL,
    answer TEXT NOT NULL -- JSON; empty when it is too long to be kept
);
CREATE INDEX act_done_at ON act (done_at);

-- +goose Down
DROP TABLE act;
