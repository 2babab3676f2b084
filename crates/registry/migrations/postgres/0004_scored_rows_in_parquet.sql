-- Scored rows are kept as Parquet from here on; those of before stay what they are until they expire.
COMMENT ON COLUMN analytics.decisions.scored_rows IS
    'SHA-256 in hex of the Parquet file of all scored rows with both forecasts, in the artifact store under ab/cd/abcd…; NULL if none were kept. (Rows that an earlier version kept are CSV, compressed with zstd.)';
