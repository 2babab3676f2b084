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
