SELECT
    n.nspname AS schema,
    c.relname AS name,
    (value ->> 1)::bigint AS last_value,
    ((value ->> 2)::numeric / abs(s.seqincrement))::bigint AS calls_left
FROM jsonb_array_elements(current_setting('blueprime.full_sequences')::jsonb) AS value
JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = (value ->> 0)::bigint
JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
