-- Acts of people. One that was not carried out is recorded too, so that its message comes to the same end
-- twice.
CREATE TABLE act (
    act_id         INTEGER PRIMARY KEY,
    message_id     TEXT    NOT NULL UNIQUE,
    model          TEXT    NOT NULL REFERENCES model,
    kind           TEXT    NOT NULL, -- freeze, unfreeze, force, veto, roll-back
    target_version INTEGER,          -- as it was named: there may be no such version
    acted_by       TEXT    NOT NULL,
    act_reason     TEXT    NOT NULL,
    expires_at     INTEGER,          -- until when it binds the gate; NULL: until a later act
    acted_at       INTEGER NOT NULL,
    refusal        TEXT              -- JSON: why it was not carried out; NULL: it was
) STRICT;

CREATE INDEX act_on_model ON act (model, act_id);

-- The act that kept a candidate out which its verdict would have let in.
ALTER TABLE decision ADD COLUMN barred_by INTEGER REFERENCES act;

-- What was recorded by then was looked at: a further look at a candidate sees more than its job did.
ALTER TABLE decision ADD COLUMN as_of INTEGER; -- NOT NULL from here on
UPDATE decision SET as_of = (SELECT as_of FROM job WHERE job.job_id = decision.job_id);

-- An incumbent is made by a decision or by an act. SQLite cannot take a NOT NULL back: the table is made anew.
CREATE TABLE incumbent_of_both (
    model            TEXT    NOT NULL REFERENCES model,
    generation       INTEGER NOT NULL, -- 1, 2, …
    version          INTEGER NOT NULL,
    previous_version INTEGER,
    decision_id      INTEGER UNIQUE REFERENCES decision,
    act_id           INTEGER UNIQUE REFERENCES act,
    incumbent_since  INTEGER NOT NULL, -- not before that of the generation before
    PRIMARY KEY (model, generation),
    FOREIGN KEY (model, version) REFERENCES version,
    CHECK ((decision_id IS NULL) <> (act_id IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO incumbent_of_both (model, generation, version, previous_version, decision_id, incumbent_since)
SELECT model, generation, version, previous_version, decision_id, incumbent_since FROM incumbent;

DROP TABLE incumbent;

ALTER TABLE incumbent_of_both RENAME TO incumbent;
