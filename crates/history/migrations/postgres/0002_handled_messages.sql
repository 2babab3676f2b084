-- Messages whose observations were recorded, with what that told: a message that is delivered again repeats
-- its outcome and changes nothing, also where its values were corrected meanwhile. Kept for a period.
CREATE TABLE handled_message (
    dataset_id  BIGINT NOT NULL REFERENCES dataset,
    message_id  TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL,
    new         BIGINT NOT NULL,
    corrected   BIGINT NOT NULL,
    unchanged   BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, message_id)
);

CREATE INDEX handled_message_for_retention ON handled_message (recorded_at);
