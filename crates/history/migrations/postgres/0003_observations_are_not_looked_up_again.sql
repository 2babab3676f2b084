-- PostgreSQL looks a foreign key up row by row: of 88 s for a COPY of ten million rows it took 67. Whoever
-- writes observations looks up or makes their series in the same transaction, and nothing deletes a series.

-- ALTER TABLE would lock observation before series. Readers and writers go to series first: against the order of
-- everybody else one of two would end as a deadlock. And whoever comes while we wait stands behind us, so that a
-- wait is short and then gives way, up to the end of an import if it is not too far off.
SET LOCAL lock_timeout = '2s';

DO $$
BEGIN
    FOR attempt IN 1..20 LOOP
        BEGIN
            LOCK TABLE series, observation IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN -- which has let go of series, where observation was the one
            IF attempt = 20 THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(1);
        END;
    END LOOP;
END $$;

ALTER TABLE observation DROP CONSTRAINT observation_series_id_fkey;
