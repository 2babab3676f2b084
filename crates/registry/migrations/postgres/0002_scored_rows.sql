-- The rows that a verdict was found on: an object in the store, like an artifact of a version and in the same
-- table. From here on `artifact` has everything in the store that a version or a decision refers to, and a
-- line with `deleted_at` for what is there no more or is about to go (an object that nothing ever referred to
-- gets such a line, too, before it goes).
ALTER TABLE decision ADD COLUMN scored_rows TEXT COLLATE "C" REFERENCES artifact; -- NULL: none were kept

CREATE INDEX decision_by_scored_rows ON decision (scored_rows);

CREATE OR REPLACE VIEW analytics.decisions AS
SELECT decision_id, job_id, decision.model, decision.version, judged_against, verdict,
       moment(decided_at) AS decided_at, judgement::JSONB AS judgement,
       scored_rows, artifact.size_bytes AS scored_rows_bytes,
       moment(artifact.deleted_at) AS scored_rows_deleted_at
FROM decision LEFT JOIN artifact ON artifact.artifact = decision.scored_rows;

COMMENT ON COLUMN analytics.decisions.scored_rows IS
    'SHA-256 in hex of the CSV (zstd) of all scored rows with both forecasts, in the artifact store under ab/cd/abcd…; NULL if none were kept.';
COMMENT ON COLUMN analytics.decisions.scored_rows_bytes IS 'Its size, compressed.';
COMMENT ON COLUMN analytics.decisions.scored_rows_deleted_at IS 'Since when they are gone; NULL while they are there.';
