-- What is known of series besides their values. The numbers of a covariate are observations in two times like any
-- other, of a dataset of their own beside that of the values: `shops/price` beside `shops`. (No dataset of values has
-- a slash in its name; a covariate may have one.)

-- What never changes within a series, as long as nobody learns better: the latest row counts. Whoever writes one finds
-- or makes its series in the same transaction, as for observations.
CREATE TABLE attribute (
    series_id   BIGINT NOT NULL, -- of the dataset of the values
    name        TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL,
    number      DOUBLE PRECISION, -- one of the two
    text        TEXT COLLATE "C",
    PRIMARY KEY (series_id, name, recorded_at),
    CHECK ((number IS NULL) <> (text IS NULL))
);

CREATE OR REPLACE VIEW analytics.actuals AS
SELECT dataset.name AS dataset, series.name AS unique_id, moment(ds) AS ds, y, moment(recorded_at) AS recorded_at
FROM (SELECT DISTINCT ON (series_id, ds) series_id, ds, y, recorded_at
      FROM observation ORDER BY series_id, ds, recorded_at DESC) AS newest
     JOIN series USING (series_id) JOIN dataset USING (dataset_id)
WHERE y IS NOT NULL AND strpos(dataset.name, '/') = 0;

CREATE VIEW analytics.covariates AS
SELECT split_part(dataset.name, '/', 1) AS dataset, series.name AS unique_id,
       substr(dataset.name, strpos(dataset.name, '/') + 1) AS covariate,
       moment(ds) AS ds, y AS number, moment(recorded_at) AS recorded_at
FROM (SELECT DISTINCT ON (series_id, ds) series_id, ds, y, recorded_at
      FROM observation ORDER BY series_id, ds, recorded_at DESC) AS newest
     JOIN series USING (series_id) JOIN dataset USING (dataset_id)
WHERE y IS NOT NULL AND strpos(dataset.name, '/') > 0;

COMMENT ON VIEW analytics.covariates IS 'The number of each covariate, series and step as it is known now.';
COMMENT ON COLUMN analytics.covariates.ds IS 'Start of the step, which may be one to come.';
COMMENT ON COLUMN analytics.covariates.recorded_at IS 'When this number was learned.';

CREATE VIEW analytics.attributes AS
SELECT DISTINCT ON (series_id, attribute.name)
       dataset.name AS dataset, series.name AS unique_id, attribute.name AS attribute, number, text,
       moment(recorded_at) AS recorded_at
FROM attribute JOIN series USING (series_id) JOIN dataset USING (dataset_id)
ORDER BY series_id, attribute.name, recorded_at DESC;

COMMENT ON VIEW analytics.attributes IS 'What is known now of each series that never changes: a number or a text.';
