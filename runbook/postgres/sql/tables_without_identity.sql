-- 'd' is the primary key, so a table without one has none; 'i' is an index, which may have been
-- dropped (the letter stays) or be invalid.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    c.relreplident::text AS replica_identity,
    CASE c.relreplident
        WHEN 'd' THEN 'it has no primary key'
        WHEN 'n' THEN 'its REPLICA IDENTITY is NOTHING'
        ELSE 'the index of its REPLICA IDENTITY is gone or invalid'
    END AS reason,
    pg_table_size(c.oid) AS size_bytes,
    coalesce(
        pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid), 0
    )::bigint AS writes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.relpersistence = 'p'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
  AND c.relreplident <> 'f'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid = c.oid
        AND i.indisvalid
        AND ((c.relreplident = 'd' AND i.indisprimary)
             OR (c.relreplident = 'i' AND i.indisreplident))
  )
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
