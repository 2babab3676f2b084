-- The history of every dataset, in two times: `ds` says when something was, `recorded_at` when we learned it.
-- Rows are only ever added, so that what was read as of an instant can be read again.
--
-- Every `…_at`, `ds` and `origin` is in whole microseconds since 1970 UTC.

CREATE TABLE dataset (
    dataset_id INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL -- grows with every change of the dataset's observations
) STRICT;

CREATE TABLE series (
    series_id  INTEGER PRIMARY KEY,
    dataset_id INTEGER NOT NULL REFERENCES dataset,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (dataset_id, name)
) STRICT;

-- The current value is the row with the latest `recorded_at` of its (series_id, ds); the value as of an
-- instant is the latest row not after it. The key is the table: a series is read in one sweep, in order.
CREATE TABLE observation (
    series_id   INTEGER NOT NULL REFERENCES series,
    ds          INTEGER NOT NULL, -- start of the step that was counted
    recorded_at INTEGER NOT NULL,
    y           REAL,             -- NULL: declared missing, which takes back what was recorded before
    PRIMARY KEY (series_id, ds, recorded_at)
) STRICT, WITHOUT ROWID;

-- One answer for one series. Kept for its period from `issued_at` on; (request_id, series) is what makes
-- recording it again do nothing, and goes with the row.
CREATE TABLE forecast_issued (
    forecast_id   INTEGER PRIMARY KEY,
    request_id    TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    series        TEXT    NOT NULL,
    origin        INTEGER NOT NULL,
    issued_at     INTEGER NOT NULL,
    recorded_at   INTEGER NOT NULL,
    version       INTEGER,          -- NULL: no version, the fallback answered
    generation    INTEGER NOT NULL, -- 0: the model had no incumbent
    route         TEXT    NOT NULL,
    reason        TEXT,             -- why the fallback answered; NULL on the primary route
    forecast      TEXT    NOT NULL, -- JSON array of numbers, one per step from `origin` on
    UNIQUE (request_id, series)
) STRICT;

CREATE INDEX forecast_issued_of_model ON forecast_issued (model, issued_at);
CREATE INDEX forecast_issued_for_retention ON forecast_issued (issued_at);
