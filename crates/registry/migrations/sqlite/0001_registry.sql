-- What was declared, trained, decided and is in use. Nearly all of it is only ever added: what changes in
-- place is a version's state and the deletion of an artifact.
--
-- Every `…_at`, `…_since`, `as_of`, `cut_off` and `tick` is in whole microseconds since 1970 UTC. Unsigned
-- 64-bit numbers are kept as the signed ones of the same bits.

CREATE TABLE dataset (
    dataset    TEXT    PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset_spec (
    dataset    TEXT    NOT NULL REFERENCES dataset,
    version    INTEGER NOT NULL, -- 1, 2, …; the highest is in force
    hash       TEXT    NOT NULL,
    spec       TEXT    NOT NULL, -- JSON
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (dataset, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE model (
    model      TEXT    PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE model_spec (
    model      TEXT    NOT NULL REFERENCES model,
    version    INTEGER NOT NULL, -- 1, 2, …; the highest is in force
    hash       TEXT    NOT NULL, -- stands in train jobs; an old one that is applied again comes back
    dataset    TEXT    NOT NULL REFERENCES dataset,
    spec       TEXT    NOT NULL, -- JSON
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_spec_by_hash ON model_spec (model, hash);

-- One training. The row is also what makes the same job come to the same end twice, so it may be deleted
-- only once its message can no longer be delivered again.
CREATE TABLE job (
    job_id      TEXT    PRIMARY KEY,
    model       TEXT    NOT NULL REFERENCES model,
    spec_hash   TEXT    NOT NULL,
    as_of       INTEGER NOT NULL, -- training sees what was recorded by then
    cut_off     INTEGER NOT NULL, -- the last step whose value training sees
    learners    TEXT    NOT NULL, -- JSON array of names; empty for all of the specification
    reason      TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every artifact that a version refers to. Artifacts in the store that are not here were never proposed.
CREATE TABLE artifact (
    artifact    TEXT    PRIMARY KEY, -- SHA-256 in hex
    size_bytes  INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    deleted_at  INTEGER              -- NULL while the store has it
) STRICT, WITHOUT ROWID;

CREATE TABLE version (
    model        TEXT    NOT NULL REFERENCES model,
    version      INTEGER NOT NULL, -- 1, 2, … of its model
    job_id       TEXT    NOT NULL UNIQUE REFERENCES job,
    learner      TEXT    NOT NULL,
    artifact     TEXT    NOT NULL REFERENCES artifact,
    cut_off      INTEGER NOT NULL,
    as_of        INTEGER NOT NULL,
    spec_hash    TEXT    NOT NULL,
    data_hash    TEXT    NOT NULL,
    seed         INTEGER NOT NULL,
    code_version TEXT    NOT NULL,
    competed     TEXT    NOT NULL, -- JSON: who else was fitted, and with which errors
    proposed_at  INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'promoted', 'refused', 'retired')),
    state_since  INTEGER NOT NULL, -- a refused or retired version keeps its artifact for a period from here
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX version_by_artifact ON version (artifact);

CREATE TABLE decision (
    decision_id    INTEGER PRIMARY KEY,
    job_id         TEXT    NOT NULL REFERENCES job,
    look           INTEGER NOT NULL, -- 1, 2, …: a candidate that lacked evidence may be judged again
    model          TEXT    NOT NULL REFERENCES model,
    version        INTEGER,          -- NULL: the job had no candidate
    judged_against INTEGER,          -- the incumbent's generation; NULL: there was none
    verdict        TEXT    NOT NULL,
    judgement      TEXT    NOT NULL, -- JSON: the verdict with all that it rests on
    decided_at     INTEGER NOT NULL,
    UNIQUE (job_id, look),
    FOREIGN KEY (model, version) REFERENCES version
) STRICT;

CREATE INDEX decision_of_model ON decision (model, decision_id);

-- The highest generation of a model is in use. A generation is taken once and a decision makes at most one.
CREATE TABLE incumbent (
    model            TEXT    NOT NULL REFERENCES model,
    generation       INTEGER NOT NULL, -- 1, 2, …
    version          INTEGER NOT NULL,
    previous_version INTEGER,
    decision_id      INTEGER NOT NULL UNIQUE REFERENCES decision,
    incumbent_since  INTEGER NOT NULL, -- not before that of the generation before
    PRIMARY KEY (model, generation),
    FOREIGN KEY (model, version) REFERENCES version
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule_tick (
    model       TEXT    NOT NULL REFERENCES model,
    tick        INTEGER NOT NULL, -- when the schedule was due, not when it was carried out
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (model, tick)
) STRICT, WITHOUT ROWID;
