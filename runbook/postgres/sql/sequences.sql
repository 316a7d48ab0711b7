SELECT
    n.nspname AS schema,
    c.relname AS name,
    d.last_value,  -- since 18
    d.is_called,  -- since 18
    NULL::bigint AS last_value,  -- before 18
    NULL::boolean AS is_called,  -- before 18
    s.seqincrement AS increment,
    s.seqmin AS min,
    s.seqmax AS max,
    s.seqcycle AS cycle
FROM pg_catalog.pg_sequence AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_get_sequence_data(c.oid) AS d  -- since 18
WHERE c.relpersistence <> 't'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
