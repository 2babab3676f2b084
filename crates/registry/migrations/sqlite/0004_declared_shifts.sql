-- From when on demand is another one, where whoever published the job declared that: the holdout is since then, and its
-- candidate may be looked at until it is decided.
ALTER TABLE job ADD COLUMN shift INTEGER; -- NULL: none was declared
