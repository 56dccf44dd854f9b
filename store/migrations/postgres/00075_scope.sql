-- What scopes ask for beside a DAG's name, owner and tags: its project and labels.

-- +goose Up
-- project is the GitLab path of the DAG's project, '' when its file stands outside of dags/.
ALTER TABLE dag ADD COLUMN project TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE dag SET project = COALESCE((SELECT s.project FROM generated_spec s WHERE s.dag_id = dag.dag_id AND s.path = dag.file), '');
CREATE INDEX dag_by_project ON dag (project);

-- dag_label has the labels that all tasks of the DAG have, as key=value.
CREATE TABLE dag_label (
    dag_id TEXT COLLATE "C" NOT NULL REFERENCES dag (dag_id) ON DELETE CASCADE,
    label  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (dag_id, label)
);
CREATE INDEX dag_label_by_label ON dag_label (label);

-- project is what the place of the file tells.
ALTER TABLE import_error ADD COLUMN project TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Every file is looked at again, which fills in what is new.
UPDATE synced_file SET blob = '';

-- +goose Down
ALTER TABLE import_error DROP COLUMN project;
DROP TABLE dag_label;
DROP INDEX dag_by_project;
ALTER TABLE dag DROP COLUMN project;
