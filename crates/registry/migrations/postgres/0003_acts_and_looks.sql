-- Acts of people. One that was not carried out is recorded too, so that its message comes to the same end
-- twice.
CREATE TABLE act (
    act_id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id     TEXT COLLATE "C" NOT NULL UNIQUE,
    model          TEXT COLLATE "C" NOT NULL REFERENCES model,
    kind           TEXT COLLATE "C" NOT NULL, -- freeze, unfreeze, force, veto, roll-back
    target_version BIGINT,          -- as it was named: there may be no such version
    acted_by       TEXT COLLATE "C" NOT NULL,
    act_reason     TEXT COLLATE "C" NOT NULL,
    expires_at     BIGINT,          -- until when it binds the gate; NULL: until a later act
    acted_at       BIGINT NOT NULL,
    refusal        TEXT COLLATE "C" -- JSON: why it was not carried out; NULL: it was
);

CREATE INDEX act_on_model ON act (model, act_id);

-- The act that kept a candidate out which its verdict would have let in.
ALTER TABLE decision ADD COLUMN barred_by BIGINT REFERENCES act;

-- What was recorded by then was looked at: a further look at a candidate sees more than its job did.
ALTER TABLE decision ADD COLUMN as_of BIGINT;
UPDATE decision SET as_of = (SELECT as_of FROM job WHERE job.job_id = decision.job_id);
ALTER TABLE decision ALTER COLUMN as_of SET NOT NULL;

-- An incumbent is made by a decision or by an act.
ALTER TABLE incumbent ALTER COLUMN decision_id DROP NOT NULL;
ALTER TABLE incumbent ADD COLUMN act_id BIGINT UNIQUE REFERENCES act;
ALTER TABLE incumbent ADD CONSTRAINT incumbent_made_once CHECK ((decision_id IS NULL) <> (act_id IS NULL));

CREATE VIEW analytics.acts AS
SELECT act_id, message_id, model, kind, target_version AS version, acted_by, act_reason AS reason,
       moment(expires_at) AS expires_at, moment(acted_at) AS acted_at, refusal::JSONB AS refusal
FROM act;

COMMENT ON VIEW analytics.acts IS 'One line per act of a person on a model, also of those that were refused.';
COMMENT ON COLUMN analytics.acts.kind IS 'freeze, unfreeze, force, veto or roll-back.';
COMMENT ON COLUMN analytics.acts.version IS 'The version that it names; NULL if none.';
COMMENT ON COLUMN analytics.acts.expires_at IS 'Until when it binds the gate; NULL: until a later act.';
COMMENT ON COLUMN analytics.acts.refusal IS 'Why it was not carried out; NULL: it was.';

CREATE OR REPLACE VIEW analytics.decisions AS
SELECT decision_id, job_id, decision.model, decision.version, judged_against, verdict,
       moment(decided_at) AS decided_at, judgement::JSONB AS judgement,
       scored_rows, artifact.size_bytes AS scored_rows_bytes,
       moment(artifact.deleted_at) AS scored_rows_deleted_at, barred_by, look, moment(as_of) AS as_of
FROM decision LEFT JOIN artifact ON artifact.artifact = decision.scored_rows;

COMMENT ON COLUMN analytics.decisions.look IS 'Which look at the candidate it was: 1, or more if it lacked evidence.';
COMMENT ON COLUMN analytics.decisions.as_of IS 'What was recorded by then was looked at.';
COMMENT ON COLUMN analytics.decisions.barred_by IS
    'The act that kept a candidate out which the verdict would have let in; NULL: the verdict was carried out.';

CREATE OR REPLACE VIEW analytics.incumbents AS
SELECT incumbent.model, generation, version, previous_version, decision_id,
       moment(incumbent_since) AS since,
       moment(lead(incumbent_since) OVER (PARTITION BY incumbent.model ORDER BY generation)) AS until,
       act_id, kind AS act, acted_by, act_reason
FROM incumbent LEFT JOIN act USING (act_id);

COMMENT ON COLUMN analytics.incumbents.decision_id IS 'The decision that promoted it; NULL: a person did.';
COMMENT ON COLUMN analytics.incumbents.act_id IS 'The act that put it into use; NULL: the gate promoted it.';
COMMENT ON COLUMN analytics.incumbents.act IS 'force or roll-back.';
