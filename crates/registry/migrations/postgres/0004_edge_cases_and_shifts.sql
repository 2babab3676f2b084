-- The bank of edge cases: past failures that every candidate of a model replays until somebody retires them. A
-- row is never deleted and its number is never given away again, because decisions name it.
CREATE TABLE edge_case (
    model         TEXT COLLATE "C" NOT NULL REFERENCES model,
    number        BIGINT NOT NULL, -- 1, 2, … of its model
    series        TEXT COLLATE "C" NOT NULL, -- JSON array of series ids
    targets_from  BIGINT NOT NULL, -- targets begin then or later
    targets_to    BIGINT NOT NULL, -- and before this
    error_limit   DOUBLE PRECISION NOT NULL, -- how large the absolute error of a target may be
    added_by      TEXT COLLATE "C" NOT NULL,
    add_reason    TEXT COLLATE "C" NOT NULL,
    added_at      BIGINT NOT NULL,
    looks         BIGINT NOT NULL, -- decisions on candidates that replayed it
    retired_by    TEXT COLLATE "C",
    retire_reason TEXT COLLATE "C",
    retired_at    BIGINT,          -- NULL: candidates replay it
    PRIMARY KEY (model, number),
    CHECK ((retired_at IS NULL) = (retired_by IS NULL) AND (retired_at IS NULL) = (retire_reason IS NULL))
);

CREATE VIEW analytics.edge_cases AS
SELECT model, number, series::JSONB AS series, moment(targets_from) AS targets_from,
       moment(targets_to) AS targets_to, error_limit, added_by, add_reason, moment(added_at) AS added_at, looks,
       retired_by, retire_reason, moment(retired_at) AS retired_at
FROM edge_case;

COMMENT ON VIEW analytics.edge_cases IS
    'One line per past failure that the candidates of a model must not repeat, also of those that were retired.';
COMMENT ON COLUMN analytics.edge_cases.series IS 'The series that it is about.';
COMMENT ON COLUMN analytics.edge_cases.targets_from IS 'Its targets begin then or later.';
COMMENT ON COLUMN analytics.edge_cases.targets_to IS 'Its targets begin before then.';
COMMENT ON COLUMN analytics.edge_cases.error_limit IS
    'How large the absolute error of a target may be, in the unit of the values.';
COMMENT ON COLUMN analytics.edge_cases.looks IS 'Decisions on candidates that replayed it.';
COMMENT ON COLUMN analytics.edge_cases.retired_at IS 'When it was retired; NULL: candidates replay it.';

-- Scored rows are kept as Parquet from here on; those of before stay what they are until they expire.
COMMENT ON COLUMN analytics.decisions.scored_rows IS
    'SHA-256 in hex of the Parquet file of all scored rows with both forecasts, in the artifact store under ab/cd/abcd…; NULL if none were kept. (Rows that an earlier version kept are CSV, compressed with zstd.)';

-- From when on demand is another one, where whoever published the job declared that: the holdout is since then, and its
-- candidate may be looked at until it is decided.
ALTER TABLE job ADD COLUMN shift BIGINT; -- NULL: none was declared

CREATE OR REPLACE VIEW analytics.jobs AS
SELECT job_id, job.model, job.reason, moment(job.as_of) AS as_of, moment(job.cut_off) AS cut_off,
       moment(job.recorded_at) AS recorded_at, version.version, version.learner,
       moment(version.proposed_at) AS proposed_at, version.state, version.artifact, artifact.size_bytes,
       moment(job.shift) AS shift
FROM job LEFT JOIN version USING (job_id) LEFT JOIN artifact USING (artifact);

COMMENT ON COLUMN analytics.jobs.shift IS 'From when on demand was declared to be another one; NULL: no drift was declared.';
