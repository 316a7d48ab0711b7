-- FOR ALL TABLES publishes what extensions own as well.
SELECT
    e.extname AS extension,
    n.nspname AS schema,
    c.relname AS name,
    c.relreplident = 'f' OR EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid
          AND i.indisvalid
          AND i.indimmediate
          AND ((c.relreplident = 'd' AND i.indisprimary)
               OR (c.relreplident = 'i' AND i.indisreplident))
    ) AS identified
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
JOIN pg_catalog.pg_class AS c ON c.oid = d.objid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE d.deptype = 'e'
  AND d.classid = 'pg_catalog.pg_class'::regclass
  AND d.refclassid = 'pg_catalog.pg_extension'::regclass
  AND c.relkind = 'r'
  AND c.relpersistence = 'p'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
ORDER BY e.extname COLLATE "C", n.nspname COLLATE "C", c.relname COLLATE "C"
