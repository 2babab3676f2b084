-- What is known of series besides their values. The numbers of a covariate are observations in two times like any
-- other, of a dataset of their own beside that of the values: `shops/price` beside `shops`. (No dataset of values has
-- a slash in its name; a covariate may have one.)

-- What never changes within a series, as long as nobody learns better: the latest row counts.
CREATE TABLE attribute (
    series_id   INTEGER NOT NULL REFERENCES series, -- of the dataset of the values
    name        TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    number      REAL, -- one of the two
    text        TEXT,
    PRIMARY KEY (series_id, name, recorded_at),
    CHECK ((number IS NULL) <> (text IS NULL))
) STRICT, WITHOUT ROWID;
