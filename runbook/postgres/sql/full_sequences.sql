-- pg_sequence_last_value keeps its lock until the transaction ends, and the lock table is shared with
-- the application: hence a transaction for each five hundred, in one statement. A DO block returns
-- nothing, so what it finds is left in a setting of the session.
DO $do$
DECLARE
    known oid[] := ARRAY(
        SELECT s.seqrelid
        FROM pg_catalog.pg_sequence AS s
        JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
        WHERE c.relpersistence <> 't'
          AND NOT s.seqcycle
          AND has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
    );
    found jsonb := '[]';
    place int := 1;
BEGIN
    WHILE place <= cardinality(known) LOOP
        found := found || coalesce((
            SELECT jsonb_agg(jsonb_build_array(seqrelid::bigint, last, left_over))
            FROM (
                SELECT
                    s.seqrelid,
                    v.last,
                    CASE WHEN s.seqincrement > 0 THEN s.seqmax::numeric - v.last
                        ELSE v.last - s.seqmin::numeric END AS left_over,
                    s.seqmax::numeric - s.seqmin AS whole
                FROM pg_catalog.pg_sequence AS s
                CROSS JOIN LATERAL (SELECT pg_sequence_last_value(s.seqrelid) AS last OFFSET 0) AS v
                WHERE s.seqrelid = ANY (known[place:place + 499])
            ) AS value
            WHERE left_over < whole * 0.2
        ), '[]');
        COMMIT;
        place := place + 500;
    END LOOP;
    PERFORM set_config('blueprime.full_sequences', found::text, false);
END
$do$
