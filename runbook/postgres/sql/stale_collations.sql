SELECT
    n.nspname AS schema,
    c.collname AS name,
    c.collversion AS version_then,
    pg_collation_actual_version(c.oid) AS version_now
FROM pg_catalog.pg_collation AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.collnamespace
WHERE c.collversion IS NOT NULL
  AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid)
ORDER BY n.nspname COLLATE "C", c.collname COLLATE "C"
