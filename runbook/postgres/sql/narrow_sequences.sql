-- Sequences that end: of those, the ones with less of their range left than the share. A sequence
-- that was not used yet has all of it; one that we may not read, or a session's own, says nothing.
SELECT schema, name, left_share
FROM (
    SELECT
        n.nspname AS schema,
        c.relname AS name,
        (CASE WHEN s.seqincrement > 0 THEN s.seqmax - d.last_value ELSE d.last_value - s.seqmin END
         / nullif(s.seqmax - s.seqmin::numeric, 0))::float8 AS left_share
    FROM pg_catalog.pg_sequence AS s
    JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN c.relpersistence <> 't' AND has_sequence_privilege(c.oid, 'SELECT, USAGE')
            THEN pg_sequence_last_value(c.oid)::numeric
        END AS last_value
    ) AS d
    WHERE NOT s.seqcycle
) AS found
WHERE left_share < %s
ORDER BY left_share, schema, name
