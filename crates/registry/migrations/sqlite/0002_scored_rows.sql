-- The rows that a verdict was found on: an object in the store, like an artifact of a version and in the same
-- table. From here on `artifact` has everything in the store that a version or a decision refers to, and a
-- line with `deleted_at` for what is there no more or is about to go (an object that nothing ever referred to
-- gets such a line, too, before it goes).
ALTER TABLE decision ADD COLUMN scored_rows TEXT REFERENCES artifact; -- NULL: none were kept

CREATE INDEX decision_by_scored_rows ON decision (scored_rows);
