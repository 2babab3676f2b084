-- The bank of edge cases: past failures that every candidate of a model replays until somebody retires them. A
-- row is never deleted and its number is never given away again, because decisions name it.
CREATE TABLE edge_case (
    model         TEXT    NOT NULL REFERENCES model,
    number        INTEGER NOT NULL, -- 1, 2, … of its model
    series        TEXT    NOT NULL, -- JSON array of series ids
    targets_from  INTEGER NOT NULL, -- targets begin then or later
    targets_to    INTEGER NOT NULL, -- and before this
    error_limit   REAL    NOT NULL, -- how large the absolute error of a target may be
    added_by      TEXT    NOT NULL,
    add_reason    TEXT    NOT NULL,
    added_at      INTEGER NOT NULL,
    looks         INTEGER NOT NULL, -- decisions on candidates that replayed it
    retired_by    TEXT,
    retire_reason TEXT,
    retired_at    INTEGER,          -- NULL: candidates replay it
    PRIMARY KEY (model, number),
    CHECK ((retired_at IS NULL) = (retired_by IS NULL) AND (retired_at IS NULL) = (retire_reason IS NULL))
) STRICT, WITHOUT ROWID;

-- From when on demand is another one, where whoever published the job declared that: the holdout is since then, and its
-- candidate may be looked at until it is decided.
ALTER TABLE job ADD COLUMN shift INTEGER; -- NULL: none was declared
