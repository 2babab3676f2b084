-- The history of every dataset, in two times: `ds` says when something was, `recorded_at` when we learned it.
-- Rows are only ever added, so that what was read as of an instant can be read again.
--
-- Every `…_at`, `ds` and `origin` is in whole microseconds since 1970 UTC.

CREATE TABLE dataset (
    dataset_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    revision   BIGINT NOT NULL -- grows with every change of the dataset's observations
);

CREATE TABLE series (
    series_id  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id BIGINT NOT NULL REFERENCES dataset,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (dataset_id, name)
);

-- The current value is the row with the latest `recorded_at` of its (series_id, ds); the value as of an
-- instant is the latest row not after it. The key is the table: a series is read in one sweep, in order.
CREATE TABLE observation (
    series_id   BIGINT NOT NULL REFERENCES series,
    ds          BIGINT NOT NULL, -- start of the step that was counted
    recorded_at BIGINT NOT NULL,
    y           DOUBLE PRECISION,           -- NULL: declared missing, which takes back what was recorded before
    PRIMARY KEY (series_id, ds, recorded_at)
);

-- One answer for one series. Kept for its period from `issued_at` on; (request_id, series) is what makes
-- recording it again do nothing, and goes with the row.
CREATE TABLE forecast_issued (
    forecast_id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id    TEXT COLLATE "C" NOT NULL,
    model         TEXT COLLATE "C" NOT NULL,
    series        TEXT COLLATE "C" NOT NULL,
    origin        BIGINT NOT NULL,
    issued_at     BIGINT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    version       BIGINT,          -- NULL: no version, the fallback answered
    generation    BIGINT NOT NULL, -- 0: the model had no incumbent
    route         TEXT COLLATE "C" NOT NULL,
    reason        TEXT,             -- why the fallback answered; NULL on the primary route
    forecast      TEXT COLLATE "C" NOT NULL, -- JSON array of numbers, one per step from `origin` on
    UNIQUE (request_id, series)
);

CREATE INDEX forecast_issued_of_model ON forecast_issued (model, issued_at);
CREATE INDEX forecast_issued_for_retention ON forecast_issued (issued_at);

-- For notebooks: views with real time stamps, all of them without a trace of how rows are kept.

CREATE SCHEMA IF NOT EXISTS analytics;

CREATE FUNCTION moment(micros BIGINT) RETURNS TIMESTAMPTZ
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN TIMESTAMPTZ '1970-01-01 00:00:00+00' + micros * INTERVAL '1 microsecond';

CREATE VIEW analytics.actuals AS
SELECT dataset.name AS dataset, series.name AS unique_id, moment(ds) AS ds, y, moment(recorded_at) AS recorded_at
FROM (SELECT DISTINCT ON (series_id, ds) series_id, ds, y, recorded_at
      FROM observation ORDER BY series_id, ds, recorded_at DESC) AS newest
     JOIN series USING (series_id) JOIN dataset USING (dataset_id)
WHERE y IS NOT NULL;

COMMENT ON VIEW analytics.actuals IS 'The value of each series and step as it is known now; corrected ones once.';
COMMENT ON COLUMN analytics.actuals.ds IS 'Start of the step.';
COMMENT ON COLUMN analytics.actuals.recorded_at IS 'When this value was learned.';

CREATE VIEW analytics.forecasts AS
SELECT request_id, model, series AS unique_id, moment(origin) AS origin, moment(issued_at) AS issued_at,
       version, generation, route, reason, step.number::INT AS step, step.value::DOUBLE PRECISION AS forecast
FROM forecast_issued,
     json_array_elements_text(forecast::JSON) WITH ORDINALITY AS step (value, number);

COMMENT ON VIEW analytics.forecasts IS 'One line per step of each forecast that was given out.';
COMMENT ON COLUMN analytics.forecasts.origin IS 'Start of step 1.';
COMMENT ON COLUMN analytics.forecasts.version IS 'The version that answered; NULL where the fallback did without one.';
COMMENT ON COLUMN analytics.forecasts.route IS 'primary or fallback.';
COMMENT ON COLUMN analytics.forecasts.step IS '1, 2, …';
