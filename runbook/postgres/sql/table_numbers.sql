-- The number of each table of rows, and the places of its columns: a rename changes neither, nor does
-- an upgrade or a clone. `relation` is as in schema_fingerprint.sql, less what holds no rows.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    c.oid::bigint AS number,
    coalesce(
        (SELECT jsonb_object_agg(a.attname, a.attnum)
         FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}'
    ) AS places
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND n.nspname NOT LIKE 'rds\_%'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
