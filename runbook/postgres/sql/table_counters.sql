SELECT
    format('%I.%I', n.nspname, c.relname) AS table,
    pg_stat_get_tuples_inserted(c.oid) AS inserted,
    pg_stat_get_tuples_updated(c.oid) AS updated,
    pg_stat_get_tuples_deleted(c.oid) AS deleted,
    c.relfilenode::bigint AS file
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'pg_catalog'
  AND n.nspname NOT LIKE 'rds\_%'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
