-- What was declared, trained, decided and is in use. Nearly all of it is only ever added: what changes in
-- place is a version's state and the deletion of an artifact.
--
-- Every `…_at`, `…_since`, `as_of`, `cut_off` and `tick` is in whole microseconds since 1970 UTC. Unsigned
-- 64-bit numbers are kept as the signed ones of the same bits.

CREATE TABLE dataset (
    dataset    TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE dataset_spec (
    dataset    TEXT COLLATE "C" NOT NULL REFERENCES dataset,
    version    BIGINT NOT NULL, -- 1, 2, …; the highest is in force
    hash       TEXT COLLATE "C" NOT NULL,
    spec       TEXT COLLATE "C" NOT NULL, -- JSON
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (dataset, version)
);

CREATE TABLE model (
    model      TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE model_spec (
    model      TEXT COLLATE "C" NOT NULL REFERENCES model,
    version    BIGINT NOT NULL, -- 1, 2, …; the highest is in force
    hash       TEXT COLLATE "C" NOT NULL, -- stands in train jobs; an old one that is applied again comes back
    dataset    TEXT COLLATE "C" NOT NULL REFERENCES dataset,
    spec       TEXT COLLATE "C" NOT NULL, -- JSON
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (model, version)
);

CREATE INDEX model_spec_by_hash ON model_spec (model, hash);

-- One training. The row is also what makes the same job come to the same end twice, so it may be deleted
-- only once its message can no longer be delivered again.
CREATE TABLE job (
    job_id      TEXT COLLATE "C" PRIMARY KEY,
    model       TEXT COLLATE "C" NOT NULL REFERENCES model,
    spec_hash   TEXT COLLATE "C" NOT NULL,
    as_of       BIGINT NOT NULL, -- training sees what was recorded by then
    cut_off     BIGINT NOT NULL, -- the last step whose value training sees
    learners    TEXT COLLATE "C" NOT NULL, -- JSON array of names; empty for all of the specification
    reason      TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL
);

-- Every artifact that a version refers to. Artifacts in the store that are not here were never proposed.
CREATE TABLE artifact (
    artifact    TEXT COLLATE "C" PRIMARY KEY, -- SHA-256 in hex
    size_bytes  BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    deleted_at  BIGINT               -- NULL while the store has it
);

CREATE TABLE version (
    model        TEXT COLLATE "C" NOT NULL REFERENCES model,
    version      BIGINT NOT NULL, -- 1, 2, … of its model
    job_id       TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES job,
    learner      TEXT COLLATE "C" NOT NULL,
    artifact     TEXT COLLATE "C" NOT NULL REFERENCES artifact,
    cut_off      BIGINT NOT NULL,
    as_of        BIGINT NOT NULL,
    spec_hash    TEXT COLLATE "C" NOT NULL,
    data_hash    TEXT COLLATE "C" NOT NULL,
    seed         BIGINT NOT NULL,
    code_version TEXT COLLATE "C" NOT NULL,
    competed     TEXT COLLATE "C" NOT NULL, -- JSON: who else was fitted, and with which errors
    proposed_at  BIGINT NOT NULL,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'promoted', 'refused', 'retired')),
    state_since  BIGINT NOT NULL, -- a refused or retired version keeps its artifact for a period from here
    PRIMARY KEY (model, version)
);

CREATE INDEX version_by_artifact ON version (artifact);

CREATE TABLE decision (
    decision_id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id         TEXT COLLATE "C" NOT NULL REFERENCES job,
    look           BIGINT NOT NULL, -- 1, 2, …: a candidate that lacked evidence may be judged again
    model          TEXT COLLATE "C" NOT NULL REFERENCES model,
    version        BIGINT,          -- NULL: the job had no candidate
    judged_against BIGINT,          -- the incumbent's generation; NULL: there was none
    verdict        TEXT COLLATE "C" NOT NULL,
    judgement      TEXT COLLATE "C" NOT NULL, -- JSON: the verdict with all that it rests on
    decided_at     BIGINT NOT NULL,
    UNIQUE (job_id, look),
    FOREIGN KEY (model, version) REFERENCES version
);

CREATE INDEX decision_of_model ON decision (model, decision_id);

-- The highest generation of a model is in use. A generation is taken once and a decision makes at most one.
CREATE TABLE incumbent (
    model            TEXT COLLATE "C" NOT NULL REFERENCES model,
    generation       BIGINT NOT NULL, -- 1, 2, …
    version          BIGINT NOT NULL,
    previous_version BIGINT,
    decision_id      BIGINT NOT NULL UNIQUE REFERENCES decision,
    incumbent_since  BIGINT NOT NULL, -- not before that of the generation before
    PRIMARY KEY (model, generation),
    FOREIGN KEY (model, version) REFERENCES version
);

CREATE TABLE schedule_tick (
    model       TEXT COLLATE "C" NOT NULL REFERENCES model,
    tick        BIGINT NOT NULL, -- when the schedule was due, not when it was carried out
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (model, tick)
);

-- For notebooks: views with real time stamps, all of them without a trace of how rows are kept.

CREATE SCHEMA IF NOT EXISTS analytics;

CREATE FUNCTION moment(micros BIGINT) RETURNS TIMESTAMPTZ
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN TIMESTAMPTZ '1970-01-01 00:00:00+00' + micros * INTERVAL '1 microsecond';

CREATE VIEW analytics.jobs AS
SELECT job_id, job.model, job.reason, moment(job.as_of) AS as_of, moment(job.cut_off) AS cut_off,
       moment(job.recorded_at) AS recorded_at, version.version, version.learner,
       moment(version.proposed_at) AS proposed_at, version.state, version.artifact, artifact.size_bytes
FROM job LEFT JOIN version USING (job_id) LEFT JOIN artifact USING (artifact);

COMMENT ON VIEW analytics.jobs IS 'One line per train job, with the version that came of it.';
COMMENT ON COLUMN analytics.jobs.as_of IS 'Training saw what was recorded by then.';
COMMENT ON COLUMN analytics.jobs.cut_off IS 'The last step whose value training saw.';
COMMENT ON COLUMN analytics.jobs.version IS 'Number of the version that was fitted; NULL if none was, or not yet.';
COMMENT ON COLUMN analytics.jobs.state IS 'pending, promoted, refused or retired.';
COMMENT ON COLUMN analytics.jobs.artifact IS 'SHA-256 of the artifact, in hex.';

CREATE VIEW analytics.decisions AS
SELECT decision_id, job_id, decision.model, decision.version, judged_against, verdict,
       moment(decided_at) AS decided_at, judgement::JSONB AS judgement
FROM decision;

COMMENT ON VIEW analytics.decisions IS 'One line per decision of the gatekeeper.';
COMMENT ON COLUMN analytics.decisions.version IS 'The candidate; NULL if the job had none.';
COMMENT ON COLUMN analytics.decisions.judged_against IS 'Generation of the incumbent; NULL if there was none.';
COMMENT ON COLUMN analytics.decisions.judgement IS 'The verdict with every number that it rests on.';

CREATE VIEW analytics.incumbents AS
SELECT model, generation, version, previous_version, decision_id,
       moment(incumbent_since) AS since,
       moment(lead(incumbent_since) OVER (PARTITION BY model ORDER BY generation)) AS until
FROM incumbent;

COMMENT ON VIEW analytics.incumbents IS 'One line per incumbent that a model ever had.';
COMMENT ON COLUMN analytics.incumbents.until IS 'When the next one replaced it; NULL for the one in use.';
