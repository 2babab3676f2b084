-- Messages whose observations were recorded, with what that told: a message that is delivered again repeats
-- its outcome and changes nothing, also where its values were corrected meanwhile. Kept for a period.
CREATE TABLE handled_message (
    dataset_id  INTEGER NOT NULL REFERENCES dataset,
    message_id  TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    new         INTEGER NOT NULL,
    corrected   INTEGER NOT NULL,
    unchanged   INTEGER NOT NULL,
    PRIMARY KEY (dataset_id, message_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX handled_message_for_retention ON handled_message (recorded_at);
