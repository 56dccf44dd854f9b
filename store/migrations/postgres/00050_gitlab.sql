-- What the work with GitLab needs beside pushes and provenance.

-- +goose Up
-- via says who told of the push: webhook, reconciler, ci, replay or rerender.
ALTER TABLE push ADD COLUMN via TEXT COLLATE "C" NOT NULL DEFAULT '';
-- waits_for is what a push waits for that is not dagwright's: pipeline or ''.
ALTER TABLE push ADD COLUMN waits_for TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE push ADD COLUMN merge_request TEXT COLLATE "C" NOT NULL DEFAULT '';
-- reported is the state that GitLab was told of as the commit's status.
ALTER TABLE push ADD COLUMN reported TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE push ADD COLUMN report_retry_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE push ADD COLUMN report_tries INTEGER NOT NULL DEFAULT 0;
-- repeats counts the hooks that told of a push again while it was pending.
ALTER TABLE push ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
CREATE INDEX push_unreported ON push (id) WHERE reported <> state;
CREATE INDEX push_settled ON push (project_id, branch, finished_at, id) WHERE state NOT IN ('pending', 'superseded', 'compared');
CREATE INDEX push_of_commit ON push (project_id, after_commit);

-- content is what was rendered last, to tell a hand-edited file from ours.
ALTER TABLE generated_spec ADD COLUMN content TEXT COLLATE "C" NOT NULL DEFAULT '';
-- previous is what stood in the DAG repository when content was made.
ALTER TABLE generated_spec ADD COLUMN previous TEXT COLLATE "C" NOT NULL DEFAULT '';
-- model and model_path name the entry of a repository with several models.
ALTER TABLE generated_spec ADD COLUMN model TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE generated_spec ADD COLUMN model_path TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE generated_spec ADD COLUMN merge_request TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX generated_spec_of_project ON generated_spec (project_id, branch);

CREATE TABLE model_project (
    project_id BIGINT NOT NULL PRIMARY KEY,
    project    TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL, -- active, archived, deleted
    due        INTEGER NOT NULL, -- an event asks to look at it again
    missing_at BIGINT NOT NULL DEFAULT 0, -- since when GitLab has not known it
    checked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX model_project_due ON model_project (project_id) WHERE due = 1;

CREATE TABLE preview (
    project_id    BIGINT NOT NULL,
    merge_request BIGINT NOT NULL,
    project       TEXT COLLATE "C" NOT NULL,
    target_branch TEXT COLLATE "C" NOT NULL,
    head_commit   TEXT COLLATE "C" NOT NULL,
    done_commit   TEXT COLLATE "C" NOT NULL DEFAULT '',
    tries         INTEGER NOT NULL DEFAULT 0,
    retry_at      BIGINT NOT NULL DEFAULT 0,
    reason        TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (project_id, merge_request)
);
CREATE INDEX preview_due ON preview (retry_at) WHERE head_commit <> done_commit;

-- +goose Down
DROP TABLE preview;
DROP TABLE model_project;
DROP INDEX generated_spec_of_project;
ALTER TABLE generated_spec DROP COLUMN merge_request;
ALTER TABLE generated_spec DROP COLUMN model_path;
ALTER TABLE generated_spec DROP COLUMN model;
ALTER TABLE generated_spec DROP COLUMN previous;
ALTER TABLE generated_spec DROP COLUMN content;
DROP INDEX push_of_commit;
DROP INDEX push_settled;
DROP INDEX push_unreported;
ALTER TABLE push DROP COLUMN repeats;
ALTER TABLE push DROP COLUMN report_tries;
ALTER TABLE push DROP COLUMN report_retry_at;
ALTER TABLE push DROP COLUMN reported;
ALTER TABLE push DROP COLUMN merge_request;
ALTER TABLE push DROP COLUMN waits_for;
ALTER TABLE push DROP COLUMN via;
